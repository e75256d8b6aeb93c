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
        var random = new Random(4640);
        for (var round = 0; round < 500; round++)
        {
            var (a, b, c) = (Any(random), Any(random), Any(random));

            Print(Merging.Merge(a, b)).ShouldBe(Print(Merging.Merge(b, a)));
            Print(Merging.Merge(Merging.Merge(a, b), c)).ShouldBe(Print(Merging.Merge(a, Merging.Merge(b, c))));
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

    private static ClusterDocument Any(Random random)
    {
        var nodes = s_ids.Where(_ => random.Next(3) > 0).Select(id => Entry(id, random.Next(1, 4), "n" + random.Next(3)) with { Removed = random.Next(4) == 0, Servers = random.Next(2) == 0 ? [] : [new("nomad", "r" + random.Next(2), "job", "running", 1, 2, 3)] });
        var tokens = s_ids.Where(_ => random.Next(3) > 0).Select(id => new TokenEntry { Id = id, SecretHash = "h" + random.Next(2), CreatedAt = DateTimeOffset.UnixEpoch, Revoked = random.Next(2) == 0, Incarnation = random.Next(1, 4) });
        return Document([.. nodes]) with { Tokens = tokens.ToDictionary(t => t.Id), FirstMaxServers = random.Next(2) == 0 ? 3 : 5, CreatedAt = DateTimeOffset.UnixEpoch.AddDays(random.Next(3)), FirstConsul = random.Next(2) == 0, FirstEngine = random.Next(2) == 0 ? "nomad" : "embedded" };
    }

    private static ClusterDocument Document(NodeEntry[] nodes) =>
        new() { ClusterId = s_cluster, CreatedAt = DateTimeOffset.UnixEpoch, CaPin = new string('a', 64), Nodes = nodes.ToDictionary(n => n.Id) };

    private static NodeEntry Entry(string id, long incarnation, string name) => new() { Id = id, Name = name, Address = "10.0.0.1", Incarnation = incarnation };

    private static string Print(ClusterDocument d) =>
        $"{d.CreatedAt:u} {d.MaxServers} {d.Consul}\n" + string.Join('\n', d.Nodes.OrderBy(n => n.Key, StringComparer.Ordinal).Select(n => n.Value.Incarnation + Merging.Content(n.Value)))
        + string.Join('\n', d.Tokens.OrderBy(n => n.Key, StringComparer.Ordinal).Select(n => n.Value.Incarnation + Merging.Content(n.Value)));
}
