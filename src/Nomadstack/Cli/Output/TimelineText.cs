// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Timeline;

namespace Nomadstack.Cli.Output;

/// <summary>The timeline for people: one event a line, which <c>grep</c> finds. What is missing is told apart, on standard error.</summary>
internal static class TimelineText
{
    /// <summary>As wide as most: a longer name moves its line's text and no other's.</summary>
    private const int NodeWidth = 10, KindWidth = 18;

    public static void Write(Surroundings here, TimelineDocument timeline)
    {
        foreach (var e in timeline.Events) here.Out.WriteLine(Line(e));
        here.Out.Flush();
        var progress = new ProgressWriter(here);
        if (timeline.Events.Count == 0) progress.Note("nothing is known of that time");
        if (timeline.Cut) progress.Note("there is more, and older, than one answer may have: ask with --node or --kind");
        if (Missing(timeline) is { Length: > 0 } missing) progress.Note(missing);
        if (timeline.Clocks.Length > 0) progress.Note($"the order is by each node's own clock, and {timeline.Clocks}");
    }

    public static string Line(TimelineEvent e) =>
        $"{Milliseconds.Show(e.At)}  {Prose.OneLine(e.Node),-NodeWidth}  {Prose.OneLine(e.Kind),-KindWidth}  {Prose.OneLine(e.Text)}";

    /// <summary>Whose events are not there; empty where all are.</summary>
    public static string Missing(TimelineDocument timeline) =>
        timeline.Missing.Count == 0 ? ""
        : "missing: " + string.Join("; ", timeline.Missing.GroupBy(m => m.Why).Select(g => $"{string.Join(", ", g.Select(m => m.Node))} ({g.Key.TrimEnd('.')})"));
}
