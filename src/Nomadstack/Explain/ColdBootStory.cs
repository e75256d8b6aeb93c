// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Timeline;

namespace Nomadstack.Explain;

/// <summary>The last cold boot, told over all nodes: which servers were recorded, who started when, what the gate waited for, and how long it took.</summary>
internal static class ColdBootStory
{
    /// <summary>Nodes that came back within this time of each other came back together.</summary>
    private static readonly TimeSpan s_together = TimeSpan.FromMinutes(10);

    /// <summary>What is longer ago is told in a few lines.</summary>
    private static readonly TimeSpan s_recent = TimeSpan.FromHours(1);

    private const string OperationPrefix = "cold-boot-";

    private static readonly HashSet<string> s_told =
    [
        EventKinds.ColdBoot, EventKinds.AgentStarted, EventKinds.AddressAwaited, EventKinds.AddressChanged, EventKinds.LeaderChanged, EventKinds.GateClosed,
        EventKinds.GateOpened,
        EventKinds.GateOverridden, EventKinds.OperationDone, EventKinds.OperationFailed,
        .. new[] { EventKinds.Started, EventKinds.Adopted, EventKinds.Exited, EventKinds.Killed }
            .SelectMany(h => new[] { EventKinds.Of(EventKinds.Server, h), EventKinds.Of(EventKinds.Client, h) }),
    ];

    /// <returns>Null where no node's last start was a cold boot.</returns>
    public static ExplainedPart? Of(ExplainFacts facts)
    {
        var boots = facts.Timeline.Events.GroupBy(e => e.Node).Select(n => Boot(n.Key, n)).OfType<NodeBoot>().OrderBy(b => b.Start.At).ToList();
        // This node's, or the last; and whoever came back at the same time.
        if ((boots.FirstOrDefault(b => b.Node == facts.Records.Node) ?? boots.LastOrDefault()) is not { } mine) return null;
        boots = [.. boots.Where(b => (b.Start.At - mine.Start.At).Duration() <= s_together)];
        var start = boots[0].Start.At;
        var recent = boots.Any(b => b.Done is null) || facts.Now - start <= s_recent;
        var steps = boots.SelectMany(b => recent ? b.Events : []).Where(e => s_told.Contains(e.Kind))
            .OrderBy(e => e.At).ThenBy(e => e.Node, StringComparer.Ordinal).ThenBy(e => e.Number);
        return new("cold-boot", Tell(facts, boots, start), [.. steps.Select(e => new ExplainedStep(e.At, Math.Round((e.At - start).TotalSeconds, 1), e.Node, e.Text))]);
    }

    /// <summary>The part of a node's timeline that is its last start; null where that found its servers running, or was none of a member.</summary>
    private static NodeBoot? Boot(string node, IEnumerable<TimelineEvent> events)
    {
        var all = events.OrderBy(e => e.Number).ToList();
        var first = all.FindLastIndex(e => e.Kind == EventKinds.AgentStarted);
        if (first < 0) return null;
        if (first > 0 && all[first - 1].Kind == EventKinds.ColdBoot) first--;
        var since = all[first..];
        if (!since.Any(IsOfColdBoot)) return null;
        var done = since.FindIndex(e => e.Kind == EventKinds.OperationDone && IsOfColdBoot(e));
        var boot = done < 0 ? since : since[..(done + 1)];
        var cold = boot[0].Kind == EventKinds.ColdBoot || boot.Any(e => e.Kind == EventKinds.Of(EventKinds.Server, EventKinds.Started));
        return cold ? new(node, boot, done < 0 ? null : since[done]) : null;
    }

    private static bool IsOfColdBoot(TimelineEvent e) => e.Field(EventFields.Operation).StartsWith(OperationPrefix, StringComparison.Ordinal);

    private static string Tell(ExplainFacts facts, List<NodeBoot> boots, DateTimeOffset start)
    {
        List<string> said =
        [
            $"{Words.List(boots.Select(b => b.Node))} came back from a stop or a power cut, the first at {Words.Time(start, facts.Now)}, {Words.Span(facts.Now - start)} ago.",
        ];
        foreach (var role in facts.Records.Servers.Select(s => s.Role).Distinct()) said.Add(Servers(facts, boots, role, start));
        var waiting = boots.Where(b => b.Done is null).ToList();
        foreach (var boot in waiting)
        {
            var gate = boot.Events.LastOrDefault(e => e.Kind is EventKinds.GateClosed or EventKinds.GateOpened);
            said.Add(gate is { Kind: EventKinds.GateClosed }
                ? $"On {boot.Node} the gate has waited for {Words.Span(facts.Now - gate.At)} for {Words.Sentence(gate.Field(EventFields.Reason))}"
                : $"On {boot.Node} it is not over yet.");
        }

        var done = boots.Where(b => b.Done is not null).Select(b => $"{Took(b)} on {b.Node}").ToList();
        if (done.Count > 0) said.Add($"{(waiting.Count > 0 ? "It is over" : "It was over")} after {Words.List(done)}.");
        return string.Join(" ", said);
    }

    private static string Servers(ExplainFacts facts, List<NodeBoot> boots, string role, DateTimeOffset start)
    {
        var recorded = facts.Records.Servers.Where(s => s.Role == role).Select(s => s.Node).Distinct().ToList();
        var started = recorded.Select(node => (Node: node, At: boots.FirstOrDefault(b => b.Node == node)?.FirstOf(role)?.At)).ToList();
        var there = started.Where(s => s.At is not null).OrderBy(s => s.At)
            .Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Node} after {(s.At!.Value - start).TotalSeconds:0.0} s")).ToList();
        var silent = started.Where(s => s.At is null).Select(s => s.Node).ToList();
        var were = $"{Words.Title(role)}: {Words.Count(recorded.Count, "server was", "servers were")} recorded, on {Words.List(recorded)}, and {Words.Quorum(recorded.Count)} needed.";
        var who = there.Count > 0 ? $"Started: {string.Join(", ", there)}" : "None has told of a start";
        return $"{were} {who}" + (silent.Count > 0 && there.Count > 0 ? $"; no start is known of {Words.List(silent)}." : ".");
    }

    private static string Took(NodeBoot boot) => Words.Span(boot.Done!.At - boot.Start.At);

    private sealed record NodeBoot(string Node, IReadOnlyList<TimelineEvent> Events, TimelineEvent? Done)
    {
        public TimelineEvent Start => Events[0];

        /// <summary>The first start of a server; one that was found running counts.</summary>
        public TimelineEvent? FirstOf(string role) =>
            Events.FirstOrDefault(e => s_starts.Contains(e.Kind) && e.Field(EventFields.Role) == role);

        private static readonly string[] s_starts = [EventKinds.Of(EventKinds.Server, EventKinds.Started), EventKinds.Of(EventKinds.Server, EventKinds.Adopted)];
    }
}
