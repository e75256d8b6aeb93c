// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Nomadstack.Cluster;
using Nomadstack.Peers;

namespace Nomadstack.Recovery;

/// <summary>A server of the product that the cluster knows, and what is known of it now.</summary>
/// <param name="Survey">Null if its node does not answer.</param>
internal sealed record KnownRaft(string Node, string RaftId, ServerSurvey? Survey);

/// <summary>What the plan for one product depends on.</summary>
/// <param name="Title">The product's name for people.</param>
/// <param name="Servers">All of the product's servers in the membership.</param>
/// <param name="Accepted">Names of nodes that never return, as a person said.</param>
/// <param name="Epoch">How often a majority of it had been given up.</param>
/// <param name="Asked">The epoch that an earlier recovery was to begin. Higher than <paramref name="Epoch"/> if it did not end: the server that it kept may be lost since.</param>
/// <param name="Answered">Names of the nodes that answered: what they do not have is gone.</param>
/// <param name="NodeAt">The node that has, or had, a raft address.</param>
internal sealed record RecoveryFacts(
    string Product, string Title, IReadOnlyList<KnownRaft> Servers, IReadOnlySet<string> Accepted, int Epoch, int Asked, IReadOnlySet<string> Answered, IReadOnlyDictionary<string, string> NodeAt);

/// <summary>What happens to one product.</summary>
internal abstract record ProductPlan(string Product)
{
    /// <summary>Nothing is lost, or there is nothing.</summary>
    internal sealed record Nothing(string Product, string Why) : ProductPlan(Product);

    /// <summary>The majority is given up, and one survivor's data goes on.</summary>
    /// <param name="Keep">The server whose data goes on.</param>
    /// <param name="Blank">Servers that answer and start blank; their data is moved to <c>retired/</c>.</param>
    /// <param name="Lost">Nodes that do not answer, or whose data cannot be read.</param>
    internal sealed record GiveUp(string Product, int Epoch, KnownRaft Keep, IReadOnlyList<KnownRaft> Blank, IReadOnlyList<string> Lost, IReadOnlyList<string> InWords) : ProductPlan(Product);

    internal sealed record Refused(string Product, Problem Problem) : ProductPlan(Product);
}

/// <summary>
/// Turns surveys into a plan for a product whose majority of voters is lost, or into a refusal with reasons. Pure and total. The survivor with the last entry of the highest term, and of those
/// with the highest index, is kept: raft itself would elect no other, and it has every acknowledged write that any survivor has (raft, Leader Completeness). It refuses when that would be a
/// guess: while a voter whose data nobody can see was not given up by name.
/// </summary>
internal static class RecoveryPlan
{
    /// <summary>Between the first numbers of two epochs.</summary>
    private const int EpochStep = 4096;

    public static ProductPlan For(RecoveryFacts facts)
    {
        var surveyed = facts.Servers.Where(s => s.Survey is not null).ToList();
        if (surveyed.FirstOrDefault(s => s.Survey!.Leader is not null) is { } led) return new ProductPlan.Nothing(facts.Product, $"it has a leader, {led.Survey!.Leader}");
        if (facts.Servers.Count == 0) return new ProductPlan.Nothing(facts.Product, "the cluster knows no server of it");
        var present = surveyed.Where(s => s.Survey is { State: ServerSurvey.Present } survey && survey.Epoch >= facts.Epoch).ToList();
        if (present.FirstOrDefault(s => facts.Accepted.Contains(s.Node)) is { } alive) return Refused(facts, RecoveryProblems.IsHere(facts.Title, alive.Node));
        if (surveyed.FirstOrDefault(s => s.Survey!.State == ServerSurvey.Unreadable && !facts.Accepted.Contains(s.Node)) is { } torn)
            return Refused(facts, RecoveryProblems.Unreadable(facts.Title, torn.Node, torn.Survey!.Why ?? ""));
        if (present.Count == 0) return Refused(facts, RecoveryProblems.NoSurvivor(facts.Title));

        var newest = present.MaxBy(s => (s.Survey!.LastTerm, s.Survey.LastIndex))!;
        var voters = newest.Survey!.Peers.Where(p => p.Voter).ToList();
        var majority = (voters.Count / 2) + 1;
        var here = present.Where(s => voters.Any(v => v.Id == s.RaftId)).ToList();
        if (here.Count >= majority) return Refused(facts, RecoveryProblems.MajorityIsHere(facts.Title, here.Select(s => s.Node), voters.Count));
        var absent = voters.Where(v => here.All(s => s.RaftId != v.Id)).Select(v => (v.Id, Node: facts.Servers.FirstOrDefault(s => s.RaftId == v.Id)?.Node ?? facts.NodeAt.GetValueOrDefault(v.Address, v.Address))).ToList();
        // A node that answers and does not have it, or has it blank, has lost it: nothing is unknown about it.
        var unknown = absent.Where(a => !facts.Answered.Contains(a.Node) && !facts.Accepted.Contains(a.Node)).Select(a => a.Node).Order(StringComparer.Ordinal).ToList();
        var keep = present.MaxBy(s => (s.Survey!.LastTerm, s.Survey.LastIndex, here.Contains(s), s.RaftId))!;
        if (unknown.Count > 0) return Refused(facts, RecoveryProblems.MayReturn(facts.Title, unknown, keep.Node, keep.Survey!.LastTerm, keep.Survey.LastIndex));

        var blank = surveyed.Where(s => s.RaftId != keep.RaftId).ToList();
        IReadOnlyList<string> lost = [.. absent.Where(a => surveyed.All(s => s.RaftId != a.Id)).Select(a => a.Node).Distinct().Order(StringComparer.Ordinal)];
        return new ProductPlan.GiveUp(facts.Product, EpochAfter(Math.Max(facts.Epoch, facts.Asked), keep.RaftId), keep, blank, lost, Words(facts.Title, keep, blank, lost, voters.Count));
    }

    /// <summary>
    /// A higher epoch, which two halves of a cut network that keep different servers do not both choose (but for once in 4096): when they meet again, one of them is the older.
    /// </summary>
    public static int EpochAfter(int epoch, string keptRaftId) =>
        ((epoch / EpochStep) + 1) * EpochStep + (BinaryPrimitives.ReadUInt16BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(keptRaftId))) % EpochStep);

    private static List<string> Words(string title, KnownRaft keep, IReadOnlyList<KnownRaft> blank, IReadOnlyList<string> lost, int voters)
    {
        List<string> words = [$"keep  {keep.Node}: its {title} data (term {keep.Survey!.LastTerm}, index {keep.Survey.LastIndex}) goes on as a cluster of one"];
        foreach (var server in blank)
        {
            var had = server.Survey!;
            words.Add(had.State == ServerSurvey.Present
                ? $"blank {server.Node}: its data (term {had.LastTerm}, index {had.LastIndex}) has nothing that {keep.Node} lacks; it is moved to retired/, and the server joins anew"
                : $"blank {server.Node}: it has no readable data; the server joins anew");
        }

        if (lost.Count > 0) words.Add($"lost  {string.Join(", ", lost)}: writes that only they had after index {keep.Survey.LastIndex} are gone; whoever of them returns is not listened to and starts blank");
        words.Add($"then  {title} places servers again until there are {voters}");
        return words;
    }

    private static ProductPlan.Refused Refused(RecoveryFacts facts, Problem problem) => new(facts.Product, problem);
}
