// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

public sealed class SignedEntriesTests : IDisposable
{
    private readonly Members _cluster = new();
    private readonly List<Problem> _told = [];

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public async Task EveryEntryIsSignedAndHoldsWhereverItIsRead()
    {
        var a = _cluster.First();
        var b = _cluster.Joined(a);
        await b.MeetAsync(a);
        a.Membership.CreateToken(null);

        a.Now.Nodes.Values.ShouldAllBe(n => n.Signed!.By == n.Id);
        a.Now.Tokens.Values.ShouldAllBe(t => t.Signed!.By == a.Id);
        var judge = b.Membership.Judge!;
        Members.Wire(a.Now).Nodes.Values.ShouldAllBe(n => judge.Complaint(n) == null);
        Members.Wire(a.Now).Tokens.Values.ShouldAllBe(t => judge.Complaint(t) == null);
    }

    [Fact]
    public void AStolenNodeCanLieAboutItselfOnly()
    {
        var (a, thief, victim) = Three(NodeKind.Client);
        var signer = thief.Membership.Signer!;
        var lie = a.Now.Nodes[victim.Id] with { Address = "10.9.9.9", Incarnation = 50 };
        var token = new TokenEntry { Id = "mine", SecretHash = new string('d', 64), CreatedAt = DateTimeOffset.UnixEpoch };
        var setting = new Setting { Name = "test.phase", Value = JsonDocument.Parse("\"off\"").RootElement, Version = 9, Writer = thief.Id };

        Send(a, thief, new[] { signer.Sign(lie), signer.Sign(lie with { Removed = true }), lie with { Signed = null }, lie }).ShouldBeFalse();
        Send(a, thief, tokens: [signer.Sign(token), token]).ShouldBeFalse();
        Send(a, thief, settings: [signer.Sign(setting), signer.Sign(setting with { Writer = a.Id }), setting]).ShouldBeFalse();
        Send(a, thief, [signer.Sign(thief.Membership.Self! with { Kind = NodeKind.Server, Incarnation = 50 })]).ShouldBeFalse("its key was certified for a client");
        Send(a, thief, [thief.Membership.Self! with { Signed = null, Incarnation = 50 }]).ShouldBeFalse("what was signed once stays signed");

        Send(a, thief, [signer.Sign(thief.Membership.Self! with { Address = "10.8.8.8", Incarnation = 50 })]).ShouldBeTrue();
        a.Now.Nodes[thief.Id].Address.ShouldBe("10.8.8.8");
    }

    [Fact]
    public void WhatIsNotTakenIsToldOnceAndCountedAndTheRestIsTaken()
    {
        var (a, liar, victim) = Three(NodeKind.Server);
        var forged = a.Now.Nodes[victim.Id] with { Address = "10.9.9.9", Incarnation = 50 };
        var honest = liar.Membership.Signer!.Sign(liar.Membership.Self! with { Version = "0.3.0", Incarnation = 50 });

        Send(a, liar, [forged, honest]).ShouldBeTrue();
        Send(a, liar, [forged]).ShouldBeFalse();

        a.Now.Nodes[liar.Id].Version.ShouldBe("0.3.0");
        a.Membership.Refusals.Of(liar.Id).ShouldBe(2);
        var told = _told.ShouldHaveSingleItem();
        told.Code.ShouldBe("peers/refused-entry");
        told.What.ShouldContain(victim.File.Name);
        told.What.ShouldContain(liar.File.Name);
        told.Why.ShouldContain("signature is not valid");
    }

    [Fact]
    public void AChangedByteAnywhereIsNoticed()
    {
        var a = _cluster.First();
        var judge = a.Membership.Judge!;
        var text = JsonSerializer.Serialize(a.Membership.Self!, PeersJson.Default.NodeEntry);
        foreach (var (from, to) in new[] { ("\"name\":\"n1\"", "\"name\":\"n2\""), ("\"peers\":4640", "\"peers\":4641"), ("\"servers\":[]", "\"servers\":[],\"more\":1"), ("\"removed\":false", "\"removed\":true") })
        {
            text.ShouldContain(from);
            var changed = Entries.Read(JsonDocument.Parse(text.Replace(from, to, StringComparison.Ordinal)).RootElement, PeersJson.Default.NodeEntry);
            judge.Complaint(changed).ShouldBe("its signature is not valid", to);
        }

        var reordered = new System.Text.Json.Nodes.JsonObject(System.Text.Json.Nodes.JsonNode.Parse(text)!.AsObject().Reverse().Select(m => KeyValuePair.Create(m.Key, m.Value?.DeepClone())));
        judge.Complaint(Entries.Read(JsonDocument.Parse(reordered.ToJsonString(new JsonSerializerOptions { WriteIndented = true })).RootElement, PeersJson.Default.NodeEntry)).ShouldBeNull("order and white space are nobody's");
    }

    [Fact]
    public void AnEntryOfAnotherClusterDoesNotHold()
    {
        using var other = new Members();
        var stranger = other.First();
        var a = _cluster.First();

        a.Membership.Judge!.Complaint(stranger.Membership.Self!).ShouldNotBeNull().ShouldContain("not certified by this cluster's CA");
    }

    [Fact]
    public async Task ARemovalIsSignedByTheRemoverAndARejoinWithANewKeyIsTaken()
    {
        var (a, b, c) = Three(NodeKind.Server);
        a.Membership.RemoveNode(c.Id);
        await b.MeetAsync(a);
        b.Now.Nodes[c.Id].Signed!.By.ShouldBe(a.Id);

        File.Delete(PkiFiles.NodeKey(c.Paths));
        var pin = _cluster.GiveKeys(c, NodeKind.Server);
        b.Membership.Admit(held => c.Entry with { KeyPin = pin, Incarnation = held.Nodes[c.Id].Incarnation + 1 });
        c.Membership.Adopt(Members.Wire(b.Now));
        c.Membership.UpdateSelf(e => e);
        await b.MeetAsync(c);
        await a.MeetAsync(b);

        (a.Now.Nodes[c.Id].Removed, a.Now.Nodes[c.Id].KeyPin, a.Now.Nodes[c.Id].Signed!.By).ShouldBe((false, pin, c.Id));
    }

    private (Member, Member, Member) Three(string kindOfSecond)
    {
        var a = _cluster.First();
        var (b, c) = (_cluster.Joined(a, kindOfSecond), _cluster.Joined(a));
        foreach (var member in new[] { b, c }) a.Membership.Merge(Members.Wire(member.Now), member.Id);
        foreach (var member in new[] { b, c }) member.Membership.Merge(Members.Wire(a.Now), a.Id);
        a.Membership.Refusals.Told += _told.Add;
        return (a, b, c);
    }

    private static bool Send(Member to, Member from, NodeEntry[]? nodes = null, TokenEntry[]? tokens = null, Setting[]? settings = null)
    {
        var news = false;
        foreach (var node in nodes ?? []) news |= to.Membership.Merge(Part(to.Now) with { Nodes = new Dictionary<string, NodeEntry> { [node.Id] = node } }, from.Id);
        foreach (var token in tokens ?? []) news |= to.Membership.Merge(Part(to.Now) with { Tokens = new Dictionary<string, TokenEntry> { [token.Id] = token } }, from.Id);
        foreach (var setting in settings ?? []) news |= to.Membership.Merge(Part(to.Now) with { Registers = new Dictionary<string, Setting> { [setting.Name] = setting } }, from.Id);
        return news;
    }

    private static ClusterDocument Part(ClusterDocument document) =>
        document with { Nodes = new Dictionary<string, NodeEntry>(), Tokens = new Dictionary<string, TokenEntry>(), Registers = new Dictionary<string, Setting>() };
}
