// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

/// <summary>Agents of release 0.1.0 beside ours in one cluster.</summary>
public sealed class MixedReleasesTests : IDisposable
{
    private readonly Members _cluster = new();

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public async Task ASettingPassesThroughAnAgentThatKnowsNoSettings()
    {
        var (a, b, c) = await ThreeInARowAsync();

        a.Membership.Set(SettingNames.MaxServers, 5);
        a.Membership.Set("later.release", JsonDocument.Parse("""{"any": [1, "ü\n", 1.50]}""").RootElement);
        await PassAsync(a, b, c);

        c.Now.MaxServers.ShouldBe(5);
        c.Now.Settings.Value("later.release")!.Value.GetProperty("any")[1].GetString().ShouldBe("ü\n");
        Entries.Payload(c.Now.Registers["later.release"]).ShouldBe(Entries.Payload(a.Now.Registers["later.release"]));

        c.Membership.Set(SettingNames.MaxServers, 1);
        c.Membership.Unset("later.release");
        await PassAsync(c, b, a);

        a.Now.MaxServers.ShouldBe(1, "lowering is possible");
        a.Now.Settings.Names.ShouldBe([SettingNames.MaxServers]);
        AgreeInSilence([a, c], [b]);
    }

    [Fact]
    public async Task AnEntryPassesThroughWholeAndItsStrippedCopyLoses()
    {
        var (a, b, c) = await ThreeInARowAsync();
        a.Membership.UpdateSelf(e => e with { Servers = [new("nomad", "r1", "job", "running", 1, 2, 3, Keys: "k1,k2") { Unknown = Later("zone", "\"z1\"") }], Unknown = Later("rack", "7") });

        await PassAsync(a, b, c);

        var there = c.Now.Nodes[a.Id];
        Entries.Payload(there).ShouldBe(Entries.Payload(a.Membership.Self!));
        (there.Servers[0].Keys, there.Servers[0].Unknown!["zone"].GetString(), there.Unknown!["rack"].GetInt32()).ShouldBe(("k1,k2", "z1", 7));
        b.Nodes[a.Id]!.AsObject().ContainsKey("signed").ShouldBeFalse("the agent in the middle knows no such field");
        await c.MeetAsync(b);
        b.ExchangeWith(c.Desk);
        Entries.Payload(c.Now.Nodes[a.Id]).ShouldBe(Entries.Payload(a.Membership.Self!));
        AgreeInSilence([a, c], [b]);
        c.Membership.Refusals.Of(b.Id).ShouldBe(0, "what an old agent strips is no lie");
    }

    [Fact]
    public async Task CarriersLetNobodyInAndEndWithTheLastOldAgent()
    {
        var (a, b, c) = await ThreeInARowAsync();
        a.Membership.Set(SettingNames.MaxServers, 5);
        await PassAsync(a, b, c);

        var carriers = b.Tokens.Where(t => Carriers.IsCarrier(t.Key)).Select(t => t.Value!.AsObject()).ToList();
        carriers.ShouldNotBeEmpty();
        carriers.ShouldAllBe(t => t["revoked"]!.GetValue<bool>() && t["expiresAt"]!.GetValue<DateTimeOffset>() < DateTimeOffset.UnixEpoch.AddDays(1) && t["secretHash"]!.GetValue<string>().Length != 64);
        new[] { a, c }.ShouldAllBe(m => !m.Now.Tokens.Keys.Any(Carriers.IsCarrier));
        await a.MeetAsync(c);
        new[] { a, c }.ShouldAllBe(m => !File.ReadAllText(m.Paths.ClusterFile).Contains("\"~", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AnUpgradedAgentFindsWhatItCarriedInItsOwnFile()
    {
        var (a, b, c) = await ThreeInARowAsync();
        a.Membership.Set(SettingNames.MaxServers, 5);
        await PassAsync(a, b, c);

        var upgraded = _cluster.New();
        var own = new Nomadstack.Storage.NodeFile { Id = b.Id, Name = "old", Address = "10.1.0.1" };
        _cluster.GiveKeys(upgraded, NodeKind.Server);
        File.Delete(PkiFiles.NodeProof(upgraded.Paths));
        File.WriteAllText(upgraded.Paths.ClusterFile, b.File);
        var membership = new Membership(upgraded.Paths, own, TimeProvider.System);
        membership.Load();
        membership.UpdateSelf(e => e with { Version = "0.2.0" });

        membership.Current!.MaxServers.ShouldBe(5);
        membership.Current.Nodes[a.Id].Signed.ShouldNotBeNull();
        membership.Current.Tokens.Keys.ShouldAllBe(t => !Carriers.IsCarrier(t));
        membership.Self!.Signed!.Kind.ShouldBe(NodeKind.Server);
        a.Membership.Merge(Members.Wire(membership.Current), b.Id).ShouldBeTrue();
        a.Now.Nodes[b.Id].Signed.ShouldNotBeNull();
        Exchange.HasReleased(a.Now).ShouldBeFalse();
    }

    [Fact]
    public async Task WhatAnOperatorOfAnOldAgentEndsIsEndedEverywhere()
    {
        var (a, b, c) = await ThreeInARowAsync();
        var token = a.Membership.CreateToken(null);
        var gone = _cluster.Joined(a);
        await PassAsync(a, b, c);
        c.Now.Tokens[token.Id].Signed.ShouldNotBeNull();
        b.AddToken("oldtoken01", new string('d', 64));

        b.Revoke(token.Id);
        b.Remove(gone.Id);
        await PassAsync(a, b, c);
        await PassAsync(c, b, a);

        foreach (var member in new[] { a, c })
        {
            (member.Now.Tokens[token.Id].Revoked, member.Now.Nodes[gone.Id].Removed).ShouldBe((true, true));
            new[] { member.Now.Tokens[token.Id].Signed, member.Now.Tokens["oldtoken01"].Signed, member.Now.Nodes[gone.Id].Signed }.ShouldAllBe(s => s != null, "a server node vouches for what it took");
        }

        AgreeInSilence([a, c], [b]);
    }

    [Fact]
    public async Task WhateverHappensInWhateverOrderAllAgreeInTheEnd()
    {
        var seed = Random.Shared.Next(100_000);
        var dice = new Random(seed);
        var first = _cluster.First();
        ReleasedAgent[] old = [Members.Released(first), Members.Released(first)];
        await first.MeetAsync(old[0]);
        await first.MeetAsync(old[1]);
        Member[] ours = [first, _cluster.Joined(old[0]), _cluster.Joined(first)];

        for (var round = 0; round < 150; round++)
        {
            var (member, agent) = (ours[dice.Next(3)], old[dice.Next(2)]);
            switch (dice.Next(8))
            {
                case 0: member.Membership.Set("s" + dice.Next(3), dice.Next(100)); break;
                case 1: member.Membership.Unset("s" + dice.Next(3)); break;
                case 2: member.Membership.UpdateSelf(e => e with { Servers = [new("nomad", "r" + dice.Next(9), "job", "running", 1, 2, 3, "k" + dice.Next(9))] }); break;
                case 3: agent.UpdateSelf(e => e["version"] = "0.1." + dice.Next(9)); break;
                case 4 when member.Now.Tokens.Count < 5: member.Membership.CreateToken(null); break;
                case 5 when agent.Tokens.Count < 9: agent.AddToken($"oldtoken{round:00}", new string('e', 64)); break;
                case 6: await member.MeetAsync(agent); break;
                default: agent.ExchangeWith(member.Desk); break;
            }
        }

        for (var turn = 0; turn < 6; turn++)
            foreach (var member in ours)
                foreach (var agent in old)
                    await member.MeetAsync(agent);

        AgreeInSilence(ours, old, $"seed {seed}");
    }

    /// <summary>Ours, an agent of release 0.1.0, and another of ours that has only that one to talk to.</summary>
    private async Task<(Member, ReleasedAgent, Member)> ThreeInARowAsync()
    {
        var a = _cluster.First();
        var b = Members.Released(a);
        await a.MeetAsync(b);
        var c = _cluster.Joined(b);
        await PassAsync(c, b, a);
        return (a, b, c);
    }

    private static async Task PassAsync(Member from, ReleasedAgent through, Member to)
    {
        await from.MeetAsync(through);
        await to.MeetAsync(through);
        through.ExchangeWith(from.Desk);
        through.ExchangeWith(to.Desk);
    }

    /// <summary>All of ours hold the same to the last byte, the old agents what they can, and whoever meets now says one sentence.</summary>
    private static void AgreeInSilence(Member[] ours, ReleasedAgent[] old, string why = "")
    {
        ours.Select(m => Digests.Of(m.Now).Whole).Distinct().Count().ShouldBe(1, why);
        ours.Select(m => Digests.OfReleased(m.Now).Whole).Concat(old.Select(o => o.Whole)).Distinct().Count().ShouldBe(1, why);
        foreach (var agent in old)
        {
            var before = agent.Talked;
            agent.ExchangeWith(ours[0].Desk);
            (agent.Talked - before).ShouldBe(1, why);
        }
    }

    private static Dictionary<string, JsonElement> Later(string name, string json) => new() { [name] = JsonDocument.Parse(json).RootElement };
}
