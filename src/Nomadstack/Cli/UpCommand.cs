// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using System.Globalization;
using Nomadstack.Api;
using Nomadstack.Cli.Dev;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;
using Nomadstack.Dev;

namespace Nomadstack.Cli;

/// <summary>
/// <c>nomadstack up</c>: the daemon in the foreground, and a cluster. Follows its operations through the API, as any other command does.
/// Ctrl-C stops every process in order; the same folder brings the same cluster back.
/// </summary>
internal sealed class UpCommand : Command
{
    private readonly Surroundings _here;
    private readonly GlobalOptions _global;

    public UpCommand(Surroundings here, GlobalOptions global)
        : base("up", "Start this node in the foreground and make, join or rejoin its cluster; Ctrl-C stops everything")
    {
        _here = here;
        _global = global;
        var cluster = new ClusterOptions(this, here);
        var node = new NodeOptions(this, here, global);
        var devNodes = Setting.NumberOf(here, "--dev-nodes", "Run this many nodes on this machine, to try out hand-over and power cuts (see `nomadstack dev`)", 0, 1, 2, 3, 4, 5, 6, 7);
        Options.Add(devNodes);
        SetAction((parse, interrupt) =>
        {
            var options = node.Read(parse, cluster.Servers(parse), cluster.Without(parse)) with { Insecure = cluster.Insecure(parse) };
            return parse.GetValue(devNodes) is > 0 and var count ? RunDevAsync(parse, options, count, interrupt) : RunAsync(parse, options, interrupt);
        });
    }

    private async Task<int> RunAsync(ParseResult parse, Nomadstack.Node.AgentOptions options, CancellationToken interrupt)
    {
        using var agent = new AgentClient(_global.FolderPaths(parse), _here.Time);
        using var killDaemon = CancellationTokenSource.CreateLinkedTokenSource(_here.HardStop);
        // Do not show the answers of an agent that already runs. Ours refuses to start beside it and says why.
        if (await IsAnsweredAsync(agent, interrupt)) return await _here.Daemon(options, true, killDaemon.Token);
        var progress = new ProgressWriter(_here);
        var view = new UpView(_here, agent, progress, options.DataDir, parse.GetValue(_global.Json));
        // Its own thread of work: a daemon that fails at once must not throw here, and one that is slow to start must not hold us up.
        var daemon = Task.Run(() => _here.Daemon(options with { Fetching = view.Fetching, Waiting = view.Waiting }, true, killDaemon.Token), CancellationToken.None);
        var end = ExitCode.Done;
        try
        {
            await view.ShowUntilAsync(daemon, interrupt);
        }
        catch (OperationCanceledException) when (interrupt.IsCancellationRequested)
        {
            progress.Clear();
        }
        catch (ProblemException e)
        {
            progress.Clear();
            end = Answer.Problem(_here, e.Problem, parse.GetValue(_global.Json));
        }

        if (!daemon.IsCompleted) await StopAsync(agent, view, daemon, killDaemon, progress);
        try
        {
            var code = await daemon;
            return end != ExitCode.Done ? end : code;
        }
        catch (OperationCanceledException) when (killDaemon.IsCancellationRequested)
        {
            return end;
        }
    }

    private async Task<int> RunDevAsync(ParseResult parse, Nomadstack.Node.AgentOptions options, int count, CancellationToken interrupt)
    {
        if (options.Bind is not null || options.Name is not null || options.Join is not null || options.Ports.Count > 0)
            throw ExitCode.WrongUsage("--dev-nodes chooses names, addresses and ports itself.", "Remove --bind, --name, --join and --port.");
        var paths = _global.FolderPaths(parse);
        if (File.Exists(paths.NodeFile))
            throw new ProblemException(DevProblems.IsANode(paths.Data));
        // Otherwise every node would download its own copy.
        var arguments = new List<string> { "--engine", options.Engine, "--fetch-from", Nomadstack.Node.ProgramDownload.Never };
        arguments.AddRange(["--max-kill-timeout", string.Create(CultureInfo.InvariantCulture, $"{options.LongestKillTimeout.TotalMilliseconds:0}ms")]);
        foreach (var (product, program) in options.Programs) arguments.AddRange([$"--{product}-program", program]);
        return await new DevUp(_here, DevRoom.Make(paths, count), new ProgressWriter(_here), new(options.Servers, options.Without, arguments) { Insecure = options.Insecure }, parse.GetValue(_global.DataDir)).RunAsync(interrupt);
    }

    private static async Task<bool> IsAnsweredAsync(AgentClient agent, CancellationToken cancel)
    {
        try
        {
            await agent.OperationsAsync(cancel);
            return true;
        }
        catch (ProblemException e) when (e.Problem.Code == AgentPresence.ProblemCode)
        {
            return false;
        }
    }

    private async Task StopAsync(AgentClient agent, UpView view, Task daemon, CancellationTokenSource killDaemon, ProgressWriter progress)
    {
        var started = _here.Time.GetTimestamp();
        // The second Ctrl-C is the daemon's: it waits for no task any longer, and goes on with the rest. Before it was asked to stop it would leave all running.
        var stop = agent.StopAsync(CancellationToken.None);
        while (!daemon.IsCompleted && !stop.IsCompleted)
        {
            progress.Waiting(view.WaitsFor is { Length: > 0 } tasks ? tasks : "stop every process of this node, clients first, servers last", _here.Time.GetElapsedTime(started));
            await Task.WhenAny(daemon, stop, Task.Delay(Follower.Interval, _here.Time, CancellationToken.None));
        }

        progress.Clear();
        try
        {
            await stop;
            progress.Done("everything stopped; the same command brings it back", _here.Time.GetElapsedTime(started));
        }
        catch (ProblemException e)
        {
            // The API was not up yet, or it refused. The agent ends, with what it has started; what an earlier one left is adopted by the next.
            if (e.Problem.Code == AgentPresence.ProblemCode) progress.Note("stopped before the agent answered; the same command goes on from there");
            else if (!daemon.IsCompleted) Answer.Problem(_here, e.Problem, json: false);
        }

        await killDaemon.CancelAsync();
    }
}
