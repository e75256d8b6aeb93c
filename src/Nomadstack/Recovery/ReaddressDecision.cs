// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Peers;
using Nomadstack.Products;

namespace Nomadstack.Recovery;

/// <summary>What is known when a server's raft configuration and the nodes' addresses may no longer agree.</summary>
/// <param name="Own">This node's server.</param>
/// <param name="Displaced">Its peers know it by another address than the one it has now.</param>
/// <param name="Others">The product's servers on the nodes that answered, of the same epoch.</param>
/// <param name="NodeOf">Names of nodes by raft id, also of those that do not answer.</param>
internal sealed record ReaddressFacts(ServerSurvey Own, bool Displaced, IReadOnlyList<ServerSurvey> Others, IReadOnlyDictionary<string, string> NodeOf)
{
    /// <summary>A server of an agent that tells no raft data says that there is a leader.</summary>
    public bool LeaderKnown { get; init; }

    public IEnumerable<ServerSurvey> Present => Others.Prepend(Own);

    public string Name(string raftId) => NodeOf.GetValueOrDefault(raftId) ?? $"the server {raftId[..Math.Min(8, raftId.Length)]}";
}

/// <summary>What to do about it.</summary>
internal abstract record Readdress
{
    private Readdress()
    {
    }

    /// <summary>Nothing: addresses and configuration agree, or raft itself mends it.</summary>
    internal sealed record Nothing : Readdress;

    /// <summary>Start with the configuration that the server has: its leader learns the new address from gossip.</summary>
    internal sealed record Start : Readdress;

    /// <summary>Start with this configuration: the same voters at their present addresses. One that runs is stopped first.</summary>
    internal sealed record Rewrite(IReadOnlyList<RaftPeer> Peers) : Readdress
    {
        public bool Equals(Rewrite? other) => other is not null && Peers.SequenceEqual(other.Peers);

        public override int GetHashCode() => Peers.Count;
    }

    /// <summary>Not yet.</summary>
    /// <param name="AtLast">What is done when it has been waited for long enough; null if it cannot be done without.</param>
    internal sealed record Wait(string For, Rewrite? AtLast = null) : Readdress;
}

/// <summary>
/// Whether a server's recorded raft configuration is to get its voters' new addresses. The voters stay the same, so all majorities still overlap, whichever nodes have done it and whichever
/// have not. It is done only where a majority of the recorded voters is there, and only where raft cannot do it by itself: where those that kept their address are no majority.
/// Pure and total.
/// </summary>
/// <remarks>
/// The configuration of the newest log among those that are there counts; its own index tells nothing, because it starts again at 1 after peers.json. If a newer one had been committed, a
/// majority of it has it, and that majority has a server in common with each majority of the one before (raft changes one server at a time): then it would be among those that are there.
/// </remarks>
internal static class ReaddressDecision
{
    public static Readdress Next(ReaddressFacts facts)
    {
        var own = facts.Own;
        if (own.State == ServerSurvey.Unreadable) return new Readdress.Wait($"a person: this server's raft data cannot be read ({own.Why})");
        // A blank server is in nobody's configuration: it joins under its new address.
        if (own.State == ServerSurvey.Blank) return own.Running ? new Readdress.Nothing() : new Readdress.Start();
        var voters = (facts.Present.Where(s => s.State == ServerSurvey.Present).MaxBy(s => (s.LastTerm, s.LastIndex))?.Peers ?? []).Where(p => p.Voter).ToList();
        var here = facts.Present.Where(s => s.State == ServerSurvey.Present && voters.Any(v => v.Id == s.RaftId)).ToDictionary(s => s.RaftId);
        var squatted = voters.FirstOrDefault(v => v.Id != own.RaftId && v.Address == own.Address);
        var leader = facts.LeaderKnown || facts.Present.Any(s => s.Leader is not null);
        if (leader)
        {
            return own.Running ? new Readdress.Nothing()
                // What the leader sends there would be answered in another server's name.
                : squatted is not null ? new Readdress.Wait($"the leader to take the address {own.Address} away from the server of {facts.Name(squatted.Id)}, which had it before")
                : StartOrCatchUp();
        }

        var moved = here.Values.Where(s => voters.First(v => v.Id == s.RaftId).Address != s.Address).Select(s => s.RaftId).ToHashSet();
        if (moved.Count == 0) return own.Running ? new Readdress.Nothing() : new Readdress.Start();
        var majority = (voters.Count / 2) + 1;
        var stayed = here.Count - moved.Count;
        if (stayed >= majority)
        {
            return own.Running ? new Readdress.Nothing()
                : squatted is not null ? new Readdress.Wait($"a leader, to take the address {own.Address} away from the server of {facts.Name(squatted.Id)}, which had it before")
                : StartOrCatchUp();
        }

        if (here.Count < majority)
        {
            var absent = voters.Where(v => !here.ContainsKey(v.Id)).Select(v => facts.Name(v.Id)).Order(StringComparer.Ordinal);
            return new Readdress.Wait($"{majority - here.Count} more of {string.Join(", ", absent)}: addresses have changed, and {here.Count} of {voters.Count} voters are no majority");
        }

        if (here.Values.GroupBy(s => s.Address).FirstOrDefault(g => g.Count() > 1) is { } twice)
            return new Readdress.Wait($"{string.Join(" and ", twice.Select(s => facts.Name(s.RaftId)))} to have an address each: both say that they have {twice.Key}");
        // What runs and has this server's new address down as another's would count this one's votes and log as that one's. It is written anew first: it runs, and need not wait for anybody.
        if (!own.Running && facts.Others.FirstOrDefault(s => s.Running && s.Peers.Any(p => p.Voter && p.Id != own.RaftId && p.Address == own.Address)) is { } deceived)
            return new Readdress.Wait($"the server of {facts.Name(deceived.RaftId)} to be written anew before: it has the address {own.Address} down as another server's");
        var rewrite = new Readdress.Rewrite(Present());
        var late = voters.Where(v => !here.ContainsKey(v.Id)).Select(v => facts.Name(v.Id)).Order(StringComparer.Ordinal).ToList();
        return late.Count == 0 ? rewrite : new Readdress.Wait($"{string.Join(", ", late)}, for a moment: who comes in time is written with its new address, and need not be taken out and in again", rewrite);

        List<RaftPeer> Present()
        {
            var taken = here.Values.Select(s => s.Address).ToHashSet();
            return [.. voters.OrderBy(v => v.Id, StringComparer.Ordinal).Select((v, i) => new RaftPeer(v.Id, here.TryGetValue(v.Id, out var now) ? now.Address : taken.Contains(v.Address) ? Nowhere(i) : v.Address, Voter: true))];
        }

        // The address of a voter that is away, and that another server has now: it keeps its vote, under an address where nobody answers. When it comes back, the leader learns from gossip where it is.
        static string Nowhere(int number) => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{number + 1}");

        // A server that was away when its peers were written anew may have its own new address down as another's: as a candidate it would ask itself for that voter's vote, and get it.
        Readdress StartOrCatchUp() => own.Peers.Any(p => p.Id != own.RaftId && p.Address == own.Address) && here.ContainsKey(own.RaftId) ? new Readdress.Rewrite(Present()) : new Readdress.Start();
    }
}
