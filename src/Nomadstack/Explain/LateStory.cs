// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Timeline;

namespace Nomadstack.Explain;

/// <summary>What happened lately that may be the reason: a few lines.</summary>
internal static class LateStory
{
    private static readonly TimeSpan s_lately = TimeSpan.FromHours(1);

    private const int Most = 10;

    private static readonly HashSet<string> s_told =
    [
        EventKinds.PeerLost, EventKinds.PeerBack, EventKinds.LeaderLost, EventKinds.LeaderSeen, EventKinds.ClientCured, EventKinds.OperationFailed,
        EventKinds.Join, EventKinds.Removal, EventKinds.DiskLow, EventKinds.DiskShort,
        EventKinds.DiskReserveGiven, EventKinds.AddressChanged, EventKinds.Left, EventKinds.AgentStopped,
        .. new[] { EventKinds.Exited, EventKinds.Killed, EventKinds.Trouble }
            .SelectMany(h => new[] { EventKinds.Of(EventKinds.Server, h), EventKinds.Of(EventKinds.Client, h) }),
    ];

    public static ExplainedPart? Of(ExplainFacts facts)
    {
        var late = facts.Timeline.Events.Where(e => facts.Now - e.At <= s_lately && s_told.Contains(e.Kind)).ToList();
        if (late.Count == 0) return null;
        var shown = late[^Math.Min(Most, late.Count)..];
        var earlier = late.Count - shown.Count;
        var text = earlier > 0 ? $"In the last hour ({Words.Count(earlier, "earlier event is", "earlier events are")} in `nomadstack timeline`):" : "In the last hour:";
        return new("lately", text, [.. shown.Select(e => new ExplainedStep(e.At, Math.Round((e.At - shown[0].At).TotalSeconds, 1), e.Node, e.Text))]);
    }
}
