// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Timeline;

namespace Nomadstack.Explain;

/// <summary>What a disk tells while its agent does not run.</summary>
internal static class AgentStory
{
    public static List<ExplainedPart?> Of(ExplainFacts facts)
    {
        var records = facts.Records;
        if (records.Node.Length == 0)
            return [Story.Part("agent", "No agent ever ran on this data folder."), Story.Next("Start one: `nomadstack up`, or name another folder with --data-dir.")];
        List<ExplainedPart?> parts = [Story.Part("agent", Agent(facts))];
        if (records.ClusterId.Length == 0)
        {
            const string Start = "Start the agent with `nomadstack up`, or let it join a cluster: `nomadstack agent --join HOST --token-file FILE`.";
            return [.. parts, Story.Part("servers", $"{records.Node} is not a member of a cluster."), Story.Next(Start)];
        }

        parts.AddRange(records.Servers.Select(s => s.Role).Distinct().Select(role => Story.Part("servers", Servers(records, role))));
        if (records.Servers.Count == 0) parts.Add(Story.Part("servers", "No server is recorded, here or elsewhere."));
        parts.Add(ColdBootStory.Of(facts));
        parts.Add(Story.Next(records.Own.Count > 0
            ? $"Start the agent. It first starts the servers that are recorded here, and the {Words.Title(records.Scheduler)} client as soon as a leader has this node's past."
            : $"Start the agent. It starts the {Words.Title(records.Scheduler)} client as soon as a leader has this node's past."));
        return parts;
    }

    private static string Agent(ExplainFacts facts)
    {
        var records = facts.Records;
        var last = facts.Timeline.Events.LastOrDefault(e => e.Node == records.Node);
        var ofAgent = facts.Timeline.Events.LastOrDefault(e => e.Node == records.Node && e.Kind is EventKinds.AgentStarted or EventKinds.AgentStopped);
        var when = (ofAgent, last) switch
        {
            ({ Kind: EventKinds.AgentStopped } stopped, _) => $"It was stopped at {Words.Time(stopped.At, facts.Now)}, {Words.Span(facts.Now - stopped.At)} ago.",
            (_, { } word) => "It ended without a word: it was killed, or the machine lost its power. "
                + $"The last that is known is from {Words.Time(word.At, facts.Now)}, {Words.Span(facts.Now - word.At)} ago: {Words.Sentence(word.Text)}",
            _ => "When it ended is not known.",
        };
        var running = records.Running.Count > 0
            ? $"Running without it: {Words.List(records.Running)}. That is as it should be; the next agent adopts them."
            : "Nothing that it ran runs now.";
        return $"The agent of {records.Node} does not run, so this is told from its disk alone. {when} {running}";
    }

    private static string Servers(NodeRecords records, string role)
    {
        var all = records.Servers.Where(s => s.Role == role).ToList();
        var text = QuorumStory.Recorded(Words.Title(role), [.. all.Select(s => $"{s.Node} ({s.Address})")]);
        return records.Own.FirstOrDefault(o => o.Role == role) switch
        {
            null => $"{text} This node has none.",
            { Leaving: true } => $"{text} This node's was leaving: it is started again only if the others need its vote.",
            { Pid: { } pid } => $"{text} This node's runs, as pid {pid}.",
            { WasVoter: false } => $"{text} This node's does not run, and never was a caught-up voter.",
            _ => $"{text} This node's does not run; its data is on this disk.",
        };
    }
}
