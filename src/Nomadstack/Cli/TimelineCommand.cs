// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using System.Text.Json;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;
using Nomadstack.Explain;
using Nomadstack.Storage;
using Nomadstack.Timeline;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack timeline</c>: what happened, on all nodes that answer. Without an agent: what this node's disk knows.</summary>
internal sealed class TimelineCommand : Command
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    /// <summary>How far an event may come late: the clocks of two nodes differ, and a node that did not answer answers again.</summary>
    private static readonly TimeSpan s_late = TimeSpan.FromSeconds(60);

    private readonly Surroundings _here;
    private readonly GlobalOptions _global;
    private readonly Option<TimeSpan?> _since;
    private readonly Option<string?> _node, _kind;
    private readonly Option<bool> _follow;

    public TimelineCommand(Surroundings here, GlobalOptions global)
        : base("timeline", "Show what happened on the nodes, in the order of time")
    {
        (_here, _global) = (here, global);
        _since = Setting.Span(here, "--since", "Only what happened in this time until now, such as 1h (default: all that is kept)");
        // No variables: they would be NOMADSTACK_NODE and NOMADSTACK_KIND, which say something of a machine and not of a question.
        _node = new Option<string?>("--node") { HelpName = "NODE", Description = "Only what happened on this node" };
        _kind = new Option<string?>("--kind") { HelpName = "PREFIX", Description = "Only events whose kind begins like this, such as gate or server.started" };
        _follow = Setting.Flag(here, "--follow", "Show what comes too, until Ctrl-C (with --json: one event a line)");
        _follow.Aliases.Add("-f");
        foreach (var option in (Option[])[_since, _node, _kind, _follow]) Options.Add(option);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancel)
    {
        var (json, paths) = (parse.GetValue(_global.Json), _global.Paths(parse));
        var query = new TimelineQuery(_here.Time.GetUtcNow() - parse.GetValue(_since), parse.GetValue(_kind), parse.GetValue(_node));
        using var agent = _global.Client(parse);
        var timeline = await ReadAsync(agent, paths, query, cancel);
        if (parse.GetValue(_follow)) return await FollowAsync(agent, paths, query, timeline, json, cancel);
        if (json) Answer.Json(_here, timeline, TimelineJson.Readable.TimelineDocument);
        else TimelineText.Write(_here, timeline);
        return ExitCode.Done;
    }

    /// <summary>From the agent, or from the disk where none answers.</summary>
    internal static async Task<TimelineDocument> ReadAsync(AgentClient agent, NodePaths paths, TimelineQuery query, CancellationToken cancel)
    {
        try
        {
            return await agent.TimelineAsync(query, cancel);
        }
        catch (ProblemException e) when (e.Problem.Code == AgentPresence.ProblemCode && File.Exists(paths.NodeFile))
        {
            return NodeRecords.Read(paths, ProductTable.Known).OwnTimeline(paths, query);
        }
    }

    private async Task<int> FollowAsync(AgentClient agent, NodePaths paths, TimelineQuery query, TimelineDocument timeline, bool json, CancellationToken cancel)
    {
        var shown = new HashSet<(string Node, long Number)>();
        var told = "";
        try
        {
            while (true)
            {
                foreach (var e in timeline.Events)
                {
                    if (!shown.Add((e.Node, e.Number))) continue;
                    _here.Out.WriteLine(json ? JsonSerializer.Serialize(e, TimelineJson.Default.TimelineEvent) : TimelineText.Line(e));
                }

                _here.Out.Flush();
                var missing = TimelineText.Missing(timeline);
                if (missing != told && missing.Length > 0) new ProgressWriter(_here).Note(missing);
                told = missing;
                if (_here.OutIsGone) return ExitCode.Done;
                await Task.Delay(s_interval, _here.Time, cancel);
                var from = timeline.Events.Count > 0 ? timeline.Events[^1].At - s_late : query.Since;
                timeline = await ReadAsync(agent, paths, query with { Since = from < query.Since ? query.Since : from }, cancel);
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return ExitCode.Done;
        }
    }
}
