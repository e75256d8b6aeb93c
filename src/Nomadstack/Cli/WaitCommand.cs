// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack wait</c>: returns as soon as the cluster has the wanted state. After the timeout it prints the last reason why it has not.</summary>
internal sealed class WaitCommand : Command
{
    private static readonly TimeSpan s_defaultTimeout = TimeSpan.FromSeconds(120);

    private readonly Surroundings _here;
    private readonly GlobalOptions _global;
    private readonly Option<string> _for;
    private readonly Option<TimeSpan?> _timeout;
    private readonly Option<int?> _servers, _nodes;

    public WaitCommand(Surroundings here, GlobalOptions global)
        : base("wait", "Wait for a state of the cluster: healthy, quorum or gone")
    {
        _here = here;
        _global = global;
        _for = Setting.OneOf(here, "--for", "healthy: all servers and nodes are as they should be; quorum: writes are possible; gone: the agent and its processes have ended", "", "healthy", "quorum", "gone");
        _timeout = Setting.Span(here, "--timeout", "How long to wait (default: 120s); exit code 3 when the time is over");
        // No variables: NOMADSTACK_SERVERS is the size that the cluster may grow to, and one node would wait for it without end.
        _servers = new Option<int?>("--servers") { HelpName = "N", Description = "With --for healthy: the least number of voters of each product" };
        _nodes = new Option<int?>("--nodes") { HelpName = "N", Description = "With --for healthy: the least number of nodes" };
        Options.Add(_for);
        Options.Add(_servers);
        Options.Add(_nodes);
        Options.Add(_timeout);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancel)
    {
        var goal = parse.GetValue(_for)!;
        // The parser cannot check this: it does not know the environment.
        if (goal.Length == 0) throw ExitCode.WrongUsage("No state to wait for was named.", "Add --for healthy, --for quorum or --for gone.");
        var size = new Size(parse.GetValue(_servers) ?? 0, parse.GetValue(_nodes) ?? 0);
        if (size != default && goal != "healthy") throw ExitCode.WrongUsage("--servers and --nodes need --for healthy.", "Add --for healthy, or remove them.");
        var timeout = parse.GetValue(_timeout) ?? s_defaultTimeout;
        var paths = _global.Paths(parse);
        using var agent = _global.Client(parse);
        var progress = new ProgressWriter(_here);
        var started = _here.Time.GetTimestamp();
        // A status call that hangs must not outlive the timeout either.
        using var deadline = new CancellationTokenSource(timeout, _here.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, deadline.Token);
        var missing = "the agent has not answered yet";
        StatusDocument? status = null;
        try
        {
            while (true)
            {
                (status, missing) = await LookAsync(agent, paths, goal, size, either.Token);
                if (missing.Length == 0) break;
                progress.Waiting($"wait for {goal}: {missing}", _here.Time.GetElapsedTime(started));
                await Task.Delay(Follower.Interval, _here.Time, either.Token);
            }
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new ProblemException(CliProblems.NotReached(goal, Duration.Show(timeout), missing), e);
        }
        finally
        {
            progress.Clear();
        }

        if (parse.GetValue(_global.Json) && status is not null) Answer.Json(_here, status, ApiJson.Readable.StatusDocument);
        else if (!parse.GetValue(_global.Json)) progress.Done(goal, _here.Time.GetElapsedTime(started));
        return ExitCode.Done;
    }

    /// <summary>The status, and what is still missing; empty when the goal is reached.</summary>
    private static async Task<(StatusDocument? Status, string Missing)> LookAsync(AgentClient agent, NodePaths paths, string goal, Size size, CancellationToken cancel)
    {
        StatusDocument status;
        try
        {
            status = await agent.StatusAsync(cancel);
        }
        catch (ProblemException e) when (e.Problem.Code == AgentPresence.ProblemCode)
        {
            return (null, goal != "gone" ? e.Problem.Why : StillThere(paths));
        }

        return (status, goal switch
        {
            "healthy" => status.Cluster.State == "healthy" ? size.Missing(status) : status.Cluster.InWords(),
            "quorum" => HasQuorum(status) ? "" : status.Cluster.InWords(),
            _ => "the agent still answers",
        });
    }

    /// <summary>The least that the cluster must have.</summary>
    private readonly record struct Size(int Servers, int Nodes)
    {
        public string Missing(StatusDocument status)
        {
            var come = status.Nodes.Count(n => n.Agent != MemberStatus.JoiningAgent);
            if (come < Nodes) return $"it is healthy with {come} of {Nodes} nodes";
            var servers = Servers;
            return status.Servers.Where(s => s.Voter).GroupBy(s => s.Role).FirstOrDefault(role => role.Count() < servers) is { } few ? $"it is healthy with {few.Count()} of {Servers} {few.Key} servers" : "";
        }
    }

    private static string StillThere(NodePaths paths)
    {
        if (AgentPresence.HolderOf(paths) is { } pid) return $"the agent (pid {pid}) still runs";
        var left = AgentPresence.ProcessesOf(paths);
        return left.Count == 0 ? "" : "still running: " + string.Join(", ", left.Select(p => $"{p.Name} (pid {p.Pid})"));
    }

    /// <summary>Every role that has servers has a leader now.</summary>
    private static bool HasQuorum(StatusDocument status) =>
        status.Cluster.State is not ("none" or "no-quorum")
        && status.Servers.Any(s => s.Role == ProductTable.Known.Scheduler.Name)
        && status.Servers.GroupBy(s => s.Role).All(role => role.Any(s => s.Leader && s.State is ("running" or "lingering")));
}
