// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Timeline;

/// <summary>Which events are asked for.</summary>
/// <param name="Since">Not before this time, by the clock of the node that wrote them; null for all.</param>
/// <param name="Kind">How the kind begins: <c>gate</c>, <c>server.st</c>; null for all.</param>
/// <param name="Node">The node's name; null for all nodes.</param>
internal sealed record TimelineQuery(DateTimeOffset? Since = null, string? Kind = null, string? Node = null)
{
    /// <summary>Most events of one answer, and their bytes as lines; a peer's message may have four times as many (<c>SyncLimits.BodyBytes</c>).</summary>
    public const int MostEvents = 5000, MostBytes = 1024 * 1024;

    /// <summary>The newest are kept when there are more.</summary>
    public int Most { get; set; } = MostEvents;

    public bool Matches(TimelineEvent e) =>
        !(e.At < Since) && (Kind is null || e.Kind.StartsWith(Kind, StringComparison.Ordinal)) && (Node is null || e.Node == Node);
}

/// <summary>One node's events.</summary>
/// <param name="Cut">There were more, older ones.</param>
internal sealed record TimelinePart(IReadOnlyList<TimelineEvent> Events, bool Cut);

/// <summary>A node whose events are not there.</summary>
internal sealed record MissingTimeline(string Node, string Why);

/// <summary>The events of all nodes that answered.</summary>
/// <param name="Cut">There were more, older ones.</param>
/// <param name="Clocks">Which clocks are wrong, in words: their events are not where they belong. Empty where none is.</param>
internal sealed record TimelineDocument(int Schema, IReadOnlyList<TimelineEvent> Events, IReadOnlyList<MissingTimeline> Missing, bool Cut, string Clocks)
{
    public const int CurrentSchema = 1;

    /// <summary>
    /// Pure. Puts the events of several nodes in one order: by time, then by node, then as the node counted them. Each part counts as the events of the node that gave it,
    /// whatever they say.
    /// </summary>
    public static TimelineDocument Merge(IEnumerable<(string Node, TimelinePart Part)> parts, IEnumerable<MissingTimeline> missing, string clocks, int most)
    {
        var all = parts.ToList();
        var events = all.SelectMany(p => p.Part.Events.Select(e => e.Node == p.Node ? e : e with { Node = p.Node }))
            .OrderBy(e => e.At).ThenBy(e => e.Node, StringComparer.Ordinal).ThenBy(e => e.Number).ToList();
        var over = Math.Max(0, events.Count - most);
        return new(CurrentSchema, events[over..], [.. missing.OrderBy(m => m.Node, StringComparer.Ordinal)], over > 0 || all.Any(p => p.Part.Cut), clocks);
    }
}
