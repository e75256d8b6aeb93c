// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Timeline;

namespace Nomadstack.Explain;

/// <summary>Tells from facts why a cluster is in its state, step by step. Pure and total: what is not known is said to be not known.</summary>
internal static class Story
{
    public static Explanation Of(ExplainFacts facts)
    {
        var state = facts.Status?.Cluster.State ?? Explanation.Stopped;
        List<ExplainedPart?> parts = facts.Status is null ? AgentStory.Of(facts) : OfState(facts, facts.Status);
        // Before what is to be done.
        if (facts.Status is not { Cluster.State: "none" } && facts.Records.Node.Length > 0) parts.InsertRange(parts.Count - 1, [LateStory.Of(facts), NotKnown(facts)]);
        return new(Explanation.CurrentSchema, facts.Status?.Node.Name ?? facts.Records.Node, state, [.. parts.OfType<ExplainedPart>()]);
    }

    private static List<ExplainedPart?> OfState(ExplainFacts facts, StatusDocument status) => status.Cluster.State switch
    {
        "none" =>
        [
            Part("state", $"{status.Node.Name} is not a member of a cluster."),
            Failed(facts),
            Next("Make a cluster with `nomadstack bootstrap`, or join one: `nomadstack agent --join HOST --token-file FILE`."),
        ],
        "bootstrapping" =>
        [
            Part("state", "The cluster is being made."),
            .. Operations(status, facts.Now),
            Next("It goes on by itself, also after a restart of the agent. `nomadstack status --watch` shows it."),
        ],
        "no-quorum" =>
        [
            Part("state", Words.Begin(Words.Sentence(status.Cluster.Reason))),
            .. QuorumStory.Of(facts, status),
            ColdBootStory.Of(facts),
            .. Operations(status, facts.Now),
            QuorumStory.Next(status),
        ],
        "healthy" => [Part("state", Healthy(status)), ColdBootStory.Of(facts), .. Operations(status, facts.Now), Next("Nothing is to be done.")],
        _ =>
        [
            Part("state", $"The cluster works, and something is not as it should be: {Words.Sentence(status.Cluster.Reason)}"),
            ColdBootStory.Of(facts),
            .. Operations(status, facts.Now),
            Next(AfterDegraded(status)),
        ],
    };

    private static string Healthy(StatusDocument status)
    {
        var roles = status.Servers.Where(s => s.Voter).GroupBy(s => s.Role).Select(r =>
            $"{Words.Count(r.Count(), $"{Words.Title(r.Key)} server")} on {Words.List(r.Select(s => s.Node))}, led by {r.FirstOrDefault(s => s.Leader)?.Node ?? "nobody known"}");
        return $"The cluster is healthy: {string.Join("; ", roles)}. {Words.Count(status.Nodes.Count, "node is", "nodes are")} ready.";
    }

    private static string AfterDegraded(StatusDocument status)
    {
        var silent = status.Nodes.Where(n => n.Agent == "unreachable").Select(n => n.Name).ToList();
        return silent.Count > 0
            ? $"Bring {Words.List(silent)} back: power, network, agent. What was there starts by itself. For a node that never returns: `nomadstack node remove NODE`."
            : "Most of this mends itself. If it stays: `nomadstack doctor` on the node that is named, and docs/troubleshooting.md.";
    }

    /// <summary>What ended badly last, for a node that is in no cluster.</summary>
    private static ExplainedPart? Failed(ExplainFacts facts) =>
        facts.Timeline.Events.LastOrDefault(e => e.Kind == EventKinds.OperationFailed) is { } failed
            ? Part("operation", $"At {Words.Time(failed.At, facts.Now)}: {Words.Sentence(failed.Text)}")
            : null;

    private static IEnumerable<ExplainedPart> Operations(StatusDocument status, DateTimeOffset now) =>
        status.Operations.Where(o => o.State == Operation.Running).Select(o =>
        {
            var waits = o.Reason.Length > 0 ? $" It waits for {Words.Sentence(o.Reason)}" : "";
            var step = now - (o.StepStartedAt == default ? o.StartedAt : o.StepStartedAt);
            var runs = $"The {o.Kind.Replace('-', ' ')} has run for {Words.Span(now - o.StartedAt)}";
            return Part("operation", $"{runs} and is at this step for {Words.Span(step)}: {Words.Sentence(o.Step)}{waits}");
        });

    /// <summary>Whose story is missing, and whose clock tells wrong times.</summary>
    private static ExplainedPart? NotKnown(ExplainFacts facts)
    {
        List<string> unknown = [];
        foreach (var why in facts.Timeline.Missing.GroupBy(m => m.Why))
            unknown.Add($"What happened on {Words.List(why.Select(m => m.Node))} is not known: {Words.Sentence(why.Key)}");
        if (facts.Timeline.Clocks.Length > 0) unknown.Add($"Times are those of each node's own clock, and {Words.Sentence(facts.Timeline.Clocks)}");
        return unknown.Count > 0 ? Part("not-known", string.Join(" ", unknown)) : null;
    }

    public static ExplainedPart Part(string topic, string text) => new(topic, text, []);

    public static ExplainedPart Next(string text) => Part("next", text);
}
