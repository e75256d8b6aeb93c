// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Timeline;

namespace Nomadstack.Explain;

/// <summary>Why there is no leader: which servers are recorded, which answer, which do not and since when, and what would help.</summary>
internal static class QuorumStory
{
    private static readonly string[] s_present = ["running", "lingering"], s_ofLeaders = [EventKinds.LeaderLost, EventKinds.LeaderSeen, EventKinds.LeaderChanged];

    public static IEnumerable<ExplainedPart> Of(ExplainFacts facts, StatusDocument status) =>
        Lost(status).Select(lost => Story.Part("servers", Tell(facts, lost)));

    /// <summary>What a person can do.</summary>
    public static ExplainedPart Next(StatusDocument status)
    {
        var lost = Lost(status).Where(l => l.Silent.Count > 0 && l.Needed > 0).MaxBy(l => l.Needed);
        if (lost is null)
        {
            const string Ports = "If no leader comes, the servers cannot reach each other's raft ports: see docs/ports.md, and `nomadstack doctor` on each of their nodes.";
            return Story.Next($"Wait some seconds. {Ports}");
        }

        var which = lost.Needed >= lost.Silent.Count ? Words.List(lost.Silent)
            : lost.Needed == 1 ? $"one of {Words.List(lost.Silent, "or")}"
            : $"{lost.Needed} of {Words.List(lost.Silent)}";
        var whose = lost.Silent.Count == 1 ? "its disk is" : "their disks are";
        return Story.Next($"Bring {which} back: power, network, agent. The rest happens by itself. Delete no data and remove no node meanwhile. "
            + $"If {whose} lost for good, `nomadstack recover --plan` shows what can be kept and what would be lost, and changes nothing.");
    }

    private static string Tell(ExplainFacts facts, LostRole lost)
    {
        var (title, all) = (Words.Title(lost.Role), lost.Count);
        if (all == 0) return $"{title}: no server is recorded anywhere, so none can start.";
        var recorded = Recorded(title, [.. lost.Answering.Concat(lost.Mute).Concat(lost.Silent).Order(StringComparer.Ordinal)]);
        if (lost.Silent.Count == 0 && lost.Mute.Count == 0)
            return $"{recorded} {(all == 1 ? "It answers and will elect itself." : "All answer, and an election is under way.")}{Leaderless(facts, lost.Role)}";
        var there = lost.Answering.Count == 0 ? "None answers" : $"{Words.List(lost.Answering)} {(lost.Answering.Count == 1 ? "answers" : "answer")}";
        // A server that is closed to strangers knows no token before a leader has replayed its log.
        var mute = lost.Mute.Count == 0 ? "" : $"; {Words.List(lost.Mute)} runs and says nothing before there is a leader";
        var silent = lost.Silent.Count == 0 ? "" : $"; not there: {string.Join(", ", lost.Silent.Select(node => $"{node} {Since(facts, node, lost.Role)}"))}";
        return $"{recorded} {there}{mute}{silent}.{Leaderless(facts, lost.Role)}";
    }

    /// <param name="on">The nodes of the servers, as they are to be named.</param>
    public static string Recorded(string title, IReadOnlyList<string> on) =>
        $"{title}: {Words.Count(on.Count, "server is", "servers are")} recorded, on {Words.List(on)}; {Words.Quorum(on.Count)} must reach each other to have a leader.";

    private static string Leaderless(ExplainFacts facts, string role) =>
        facts.Timeline.Events.LastOrDefault(e => s_ofLeaders.Contains(e.Kind) && e.Field(EventFields.Role) == role) is { Kind: EventKinds.LeaderLost } lost
            ? $" There has been no leader since {Words.Time(lost.At, facts.Now)} ({Words.Span(facts.Now - lost.At)}), as {lost.Node} saw it." : "";

    /// <summary>Since when a server is not there, from whoever noticed last.</summary>
    private static string Since(ExplainFacts facts, string node, string role)
    {
        var seen = facts.Timeline.Events.LastOrDefault(e => IsOf(e, node, role));
        return seen?.Kind switch
        {
            EventKinds.PeerLost => $"(since {Words.Time(seen.At, facts.Now)}, {Words.Span(facts.Now - seen.At)}: its agent does not answer {seen.Node})",
            EventKinds.AgentStopped => $"(its agent stopped at {Words.Time(seen.At, facts.Now)})",
            { } kind when kind == EventKinds.Of(EventKinds.Server, EventKinds.Exited) => $"(its agent is there; the server ended at {Words.Time(seen.At, facts.Now)})",
            null => "(since before anything is known)",
            _ => "(its agent was there a moment ago; the server does not answer)",
        };
    }

    private static bool IsOf(TimelineEvent e, string node, string role) =>
        (e.Kind is EventKinds.PeerLost or EventKinds.PeerBack && e.Field(EventFields.Peer) == node)
        || (e.Node == node && e.Kind is (EventKinds.AgentStarted or EventKinds.AgentStopped))
        || (e.Node == node && e.Kind.StartsWith(EventKinds.Server + ".", StringComparison.Ordinal) && e.Field(EventFields.Role) == role);

    private static List<LostRole> Lost(StatusDocument status) =>
        [.. status.Servers.GroupBy(s => s.Role).Where(r => !r.Any(s => s.Leader)).Select(r => new LostRole(
            r.Key,
            [.. r.Where(s => s_present.Contains(s.State)).Select(s => s.Node)],
            [.. r.Where(s => !s_present.Contains(s.State) && s.Pid is not null).Select(s => s.Node)],
            [.. r.Where(s => !s_present.Contains(s.State) && s.Pid is null).Select(s => s.Node)]))];

    /// <param name="Mute">This node's own, whose process runs and does not answer.</param>
    private sealed record LostRole(string Role, IReadOnlyList<string> Answering, IReadOnlyList<string> Mute, IReadOnlyList<string> Silent)
    {
        public int Count => Answering.Count + Mute.Count + Silent.Count;

        /// <summary>How many more must come.</summary>
        public int Needed => Words.Quorum(Count) - Answering.Count - Mute.Count;
    }
}
