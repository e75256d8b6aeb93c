// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.ColdBoot;

/// <summary>One Nomad server as the gate sees it.</summary>
/// <param name="Applied">The raft index that it has applied; null if it does not answer.</param>
/// <param name="LastLog">The raft index of the newest entry in its log.</param>
internal sealed record GateServer(string Node, string Rpc, long? Applied, long? LastLog, bool Leads, bool KnowsLeader);

/// <summary>The facts about all servers in the membership, at one moment.</summary>
/// <param name="ReadIndex">The index of a consistent read through the leader; null if it failed.</param>
/// <param name="LeaderKnowsNode">Whether the leader's state contains this node; also true for a node that never registered.</param>
/// <param name="LastSeenIndex">The highest raft index that this node ever saw; 0 at its first start.</param>
/// <param name="Past">The leader's history compared with the one that this node remembers.</param>
/// <param name="Missing">The number of allocations that ran here at the last look and that the leader does not know.</param>
/// <param name="AwayLong">This node was away so long that the leader may have collected ended allocations.</param>
internal sealed record GateFacts(IReadOnlyList<GateServer> Servers, long? ReadIndex, bool LeaderKnowsNode, long LastSeenIndex, Past Past = Past.Unknown, int Missing = 0, bool AwayLong = false);

/// <summary>
/// No Nomad client starts before the gate (I4). A client obeys the first list of allocations that it gets. If that comes from a server that has not
/// replayed its log, is blank, or was restored from an older snapshot, the list is incomplete, and the client kills and removes what is missing
/// (hashicorp/nomad issue 18267). If the leader only collected this node, which was away for a day, its history goes on, and the gate opens.
/// </summary>
internal abstract record Gate
{
    /// <summary>The client may start, only with these servers (<c>ip:rpcport</c>).</summary>
    /// <param name="Forgotten">The cluster collected this node while it was away. The client registers again.</param>
    internal sealed record Open(IReadOnlyList<string> Servers, bool Forgotten = false) : Gate;

    /// <param name="For">What the gate waits for, for a person.</param>
    /// <param name="NoQuorum">True when the reason is that no leader can be elected.</param>
    /// <param name="StateLost">True when the servers lost state that this node knows. Waiting may not help; an operator may accept it.</param>
    internal sealed record Closed(string For, bool NoQuorum, bool StateLost = false) : Gate;

    private const string Accept = "`nomadstack recover --accept-state` on this node goes on with it all the same";

    /// <summary>Pure and total.</summary>
    public static Gate Decide(GateFacts facts)
    {
        if (facts.Servers.Count == 0) return new Closed("a server: none is recorded in the membership yet", NoQuorum: true);
        var answering = facts.Servers.Where(s => s.Applied is not null).ToList();
        // An isolated leader may still think that it leads. The one with the higher index is the real one.
        if (answering.Where(s => s.Leads).MaxBy(s => s.Applied) is not { } leader)
            return new Closed(NoLeader(facts.Servers, answering), NoQuorum: true);
        if (facts.ReadIndex is not { } read) return new Closed($"a consistent read through the leader on {leader.Node}", NoQuorum: false);
        if (leader.Applied < leader.LastLog) return new Closed($"the leader on {leader.Node} to replay its log: {leader.Applied} of {leader.LastLog}", NoQuorum: false);
        if (Loss(facts, leader) is { } loss) return new Closed($"{loss}, and would stop this node's tasks. {Accept}", NoQuorum: false, StateLost: true);
        if (facts is { LeaderKnowsNode: false, Past: not Past.GoesOn })
        {
            return new Closed(
                $"a server that knows this node: the leader on {leader.Node} does not, and would stop its tasks. "
                + $"If the cluster only collected this node, the gate opens within minutes. {Accept}",
                NoQuorum: false,
                StateLost: true);
        }

        var must = Math.Max(read, leader.Applied!.Value);
        return new Open([.. answering.Where(s => s == leader || (s.KnowsLeader && s.Applied >= must)).OrderByDescending(s => s == leader).Select(s => s.Rpc)], Forgotten: !facts.LeaderKnowsNode);
    }

    /// <summary>How the servers lost state; null when nothing shows that they did.</summary>
    private static string? Loss(GateFacts facts, GateServer leader) => facts switch
    {
        { Past: Past.Lost } =>
            $"a server as new as this node: the history of the leader on {leader.Node} is another one, or ends earlier. The leader is blank or was rolled back",
        { Past: not Past.GoesOn } when leader.Applied < facts.LastSeenIndex =>
            $"a server as new as this node: the leader on {leader.Node} is at index {leader.Applied}, this node has seen {facts.LastSeenIndex}. "
            + "The leader is blank or was restored from an older snapshot",
        // A leader collects allocations that ended long ago, but not those of a node that was there a moment ago.
        { LeaderKnowsNode: true, Missing: > 0 } when facts.Past != Past.GoesOn || !facts.AwayLong =>
            $"a server as new as this node: the leader on {leader.Node} does not know {facts.Missing} {(facts.Missing == 1 ? "allocation that runs" : "allocations that run")} here. "
            + "The leader was rolled back",
        _ => null,
    };

    private static string NoLeader(IReadOnlyList<GateServer> all, List<GateServer> answering)
    {
        var missing = all.Where(s => s.Applied is null).Select(s => s.Node).ToList();
        return missing.Count == 0
            ? all.Count == 1 ? "a leader: the only server answers and will elect itself" : $"a leader: all {all.Count} servers answer and an election is under way"
            : $"quorum: {answering.Count} of {all.Count} servers answer; missing: {string.Join(", ", missing)}";
    }
}
