// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

public sealed class MergingTests
{
    private static readonly string[] s_ids = [.. Enumerable.Range(0, 6).Select(i => $"00000000-0000-0000-0000-00000000000{i}")];
    private static readonly string s_cluster = Guid.Empty.ToString();

    [Fact]
    public void OrderAndRepetitionNeverMatter()
    {
        var seed = Random.Shared.Next(100_000);
        var random = new Random(seed);
        for (var round = 0; round < 500; round++)
        {
            var (a, b, c) = (Any(random), Any(random), Any(random));
            var which = $"seed {seed}, round {round}";

            Print(Merging.Merge(a, b)).ShouldBe(Print(Merging.Merge(b, a)), which);
            Print(Merging.Merge(Merging.Merge(a, b), c)).ShouldBe(Print(Merging.Merge(a, Merging.Merge(b, c))), which);
            Merging.Merge(a, a).ShouldBeSameAs(a);
            var merged = Merging.Merge(a, b);
            Merging.Merge(merged, b).ShouldBeSameAs(merged);
            Digests.Of(Merging.Merge(a, b)).Whole.ShouldBe(Digests.Of(Merging.Merge(b, a)).Whole);
        }
    }

    [Fact]
    public void TheHigherIncarnationWinsAndRemovalWinsATie()
    {
        var old = Entry(s_ids[0], 1, "old");
        var young = Entry(s_ids[0], 2, "new");
        var removed = Entry(s_ids[0], 2, "a") with { Removed = true };

        Merging.Merge(Document([old]), Document([young])).Nodes[s_ids[0]].Name.ShouldBe("new");
        Merging.Merge(Document([young]), Document([old])).Nodes[s_ids[0]].Name.ShouldBe("new");
        Merging.Merge(Document([young]), Document([removed])).Nodes[s_ids[0]].Removed.ShouldBeTrue();
        Merging.Merge(Document([removed]), Document([young])).Nodes[s_ids[0]].Removed.ShouldBeTrue();
    }

    [Fact]
    public void AnotherClusterIsRefused()
    {
        var ours = Document([]);

        Should.Throw<ProblemException>(() => Merging.Merge(ours, ours with { ClusterId = Guid.NewGuid().ToString() })).Problem.Code.ShouldBe("peers/other-cluster");
        Should.Throw<ProblemException>(() => Merging.Merge(ours, ours with { CaPin = new string('b', 64) })).Problem.Code.ShouldBe("peers/other-cluster");
    }

    [Fact]
    public void TheLastVersionOfASettingWinsAlsoWhenItIsLowerOrADeletion()
    {
        var five = Setting("servers.max", 1, "5");
        var three = Setting("servers.max", 2, "3");
        var gone = Setting("servers.max", 3, null);
        ClusterDocument With(Setting s) => Document([]) with { Registers = new Dictionary<string, Setting> { [s.Name] = s } };

        Merging.Merge(With(five), With(three)).MaxServers.ShouldBe(3);
        Merging.Merge(With(three), With(five)).MaxServers.ShouldBe(3);
        Merging.Merge(With(gone), With(five)).Settings.Value("servers.max").ShouldBeNull();
        Merging.Merge(With(five), With(gone)).MaxServers.ShouldBe(3, "the first value");
    }

    [Fact]
    public void ACopyThatLostFieldsOnItsWayLosesAgainstTheWholeOne()
    {
        var whole = Entry(s_ids[0], 2, "n1") with { Signed = Signature() };
        var stripped = Entry(s_ids[0], 2, "n1");

        Merging.Merge(Document([whole]), Document([stripped])).Nodes[s_ids[0]].ShouldBeSameAs(whole);
        Merging.Merge(Document([stripped]), Document([whole])).Nodes[s_ids[0]].ShouldBeSameAs(whole);
    }

    private static Setting Setting(string name, long version, string? value) =>
        new() { Name = name, Version = version, Writer = s_ids[1], Deleted = value is null, Value = value is null ? null : System.Text.Json.JsonDocument.Parse(value).RootElement };

    private static EntrySignature Signature(byte fill = 1) => new() { By = s_ids[0], Kind = "server", Key = [fill], Proof = [fill], Value = [fill] };

    private static ClusterDocument Any(Random random)
    {
        var nodes = s_ids.Where(_ => random.Next(3) > 0).Select(id => Entry(id, random.Next(1, 4), "n" + random.Next(3)) with { Removed = random.Next(4) == 0, Signed = random.Next(2) == 0 ? null : Signature((byte)random.Next(3)), Kind = random.Next(2) == 0 ? "server" : "client", Servers = random.Next(2) == 0 ? [] : [new("nomad", "r" + random.Next(2), "job", "running", 1, 2, 3)] });
        var tokens = s_ids.Where(_ => random.Next(3) > 0).Select(id => new TokenEntry { Id = id, SecretHash = "h" + random.Next(2), CreatedAt = DateTimeOffset.UnixEpoch, Revoked = random.Next(2) == 0, Signed = random.Next(2) == 0 ? null : Signature((byte)random.Next(3)), Incarnation = random.Next(1, 4) });
        var settings = new[] { "a", "b", "c" }.Where(_ => random.Next(3) > 0).Select(name => Setting(name, random.Next(1, 4), random.Next(4) == 0 ? null : $"{random.Next(3)}"));
        return Document([.. nodes]) with { Tokens = tokens.ToDictionary(t => t.Id), FirstMaxServers = random.Next(2) == 0 ? 3 : 5, CreatedAt = DateTimeOffset.UnixEpoch.AddDays(random.Next(3)), FirstWhole = random.Next(2) == 0, FirstEngine = random.Next(2) == 0 ? "nomad" : "embedded", Registers = settings.ToDictionary(s => s.Name), Unknown = Enumerable.Range(0, 2).Where(_ => random.Next(2) == 0).ToDictionary(i => "u" + i, _ => $"{random.Next(3)}") };
    }

    private static ClusterDocument Document(NodeEntry[] nodes) =>
        new() { ClusterId = s_cluster, CreatedAt = DateTimeOffset.UnixEpoch, CaPin = new string('a', 64), Nodes = nodes.ToDictionary(n => n.Id) };

    private static NodeEntry Entry(string id, long incarnation, string name) => new() { Id = id, Name = name, Address = "10.0.0.1", Incarnation = incarnation };

    private static string Print(ClusterDocument d) => string.Join('\n', [
        Merging.Header(d),
        .. d.Nodes.OrderBy(n => n.Key, StringComparer.Ordinal).Select(n => Entries.Payload(n.Value)),
        .. d.Tokens.OrderBy(n => n.Key, StringComparer.Ordinal).Select(n => Entries.Payload(n.Value)),
        .. d.Registers.OrderBy(n => n.Key, StringComparer.Ordinal).Select(n => Entries.Payload(n.Value))]);
}
