// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;
using Nomadstack.Dev;
using Nomadstack.Doctor;
using Nomadstack.Storage;

namespace Nomadstack.Cli.Dev;

/// <param name="Servers">Most servers of a new cluster.</param>
/// <param name="Without">Products that the cluster is made without, by name.</param>
/// <param name="Arguments">What every agent is started with besides.</param>
internal sealed record DevWish(int Servers, IReadOnlyList<string> Without, IReadOnlyList<string> Arguments);

/// <summary>
/// <c>nomadstack up --dev-nodes N</c>: several nodes on this machine, each with an agent, a loopback address and a data folder of its own, as the README has an
/// operator make them. Shows what happens, until Ctrl-C stops everything; the next one is a cold boot of the same cluster.
/// </summary>
internal sealed class DevUp(Surroundings here, DevRoom room, ProgressWriter progress, DevWish wish, string? dataDir)
{
    private static readonly TimeSpan s_startDeadline = TimeSpan.FromSeconds(30), s_healthyDeadline = TimeSpan.FromMinutes(3);

    private string _lastState = "";

    public async Task<int> RunAsync(CancellationToken interrupt)
    {
        await using var agents = new DevAgents(room, here.Self, here.Time);
        try
        {
            await StartAsync(agents, interrupt);
            while (true)
            {
                await ShowStateAsync(interrupt);
                await Task.Delay(Follower.Interval * 4, here.Time, interrupt);
            }
        }
        catch (OperationCanceledException) when (interrupt.IsCancellationRequested)
        {
            progress.Clear();
            await StopAsync(agents);
            return ExitCode.Done;
        }
        catch (ProblemException)
        {
            progress.Clear();
            await StopAsync(agents);
            throw;
        }
    }

    private async Task StartAsync(DevAgents agents, CancellationToken cancel)
    {
        var started = here.Time.GetTimestamp();
        foreach (var node in room.Nodes) node.PlugIn();
        var first = room.Nodes.FirstOrDefault(node => node.IsMember) ?? room.Nodes[0];
        foreach (var node in room.Nodes.Where(node => node == first || node.IsMember)) await agents.StartAsync(node, wish.Arguments, cancel);
        using var agent = Client(first);
        var status = await AnswerAsync(agents, first, agent, cancel);
        foreach (var (product, version) in status.Engine) progress.Note(StatusText.Provider(product, version));
        var scheduler = status.Engine[ProductTable.Known.Scheduler.Name];
        if (Privileges.Missing(here.User, scheduler.Kind, scheduler.Version) is { } missing) progress.Note(missing);
        if (!first.IsMember)
        {
            var without = status.Engine.Where(e => e.Value.Kind == EngineVersion.None).Select(e => e.Key).Union(wish.Without).ToList();
            await new Follower(agent, progress, here.Time).ToEndAsync(await agent.BootstrapAsync(new BootstrapRequest(wish.Servers, without), cancel), cancel);
        }

        await JoinTheRestAsync(agents, first, agent, cancel);
        await HealthyAsync(agents, first, agent, cancel);
        progress.Done("ready", here.Time.GetElapsedTime(started));
        var where = await agent.EndpointsAsync(cancel);
        var folder = dataDir is null ? "" : $" --data-dir {dataDir}";
        if (where.Of(ProductTable.Known.Scheduler.Name).Address is { } address) progress.Note($"{ProductTable.Known.Scheduler.Title} is at {address}");
        progress.Note("Ctrl-C stops everything; the same command brings it back. In another terminal pull one plug, pull all, plug in again, look on:");
        if (here.Alias is { } alias) progress.Command(alias);
        foreach (var command in new[] { "dev kill n2", "dev power-cut", "dev power-on", "status --watch" }) progress.Command($"nomadstack{folder} {command}");
    }

    private async Task<StatusDocument> AnswerAsync(DevAgents agents, DevNode node, AgentClient agent, CancellationToken cancel)
    {
        var started = here.Time.GetTimestamp();
        while (true)
        {
            try
            {
                return await agent.StatusAsync(cancel);
            }
            catch (ProblemException e) when (e.Problem.Code == AgentPresence.ProblemCode && here.Time.GetElapsedTime(started) < s_startDeadline)
            {
                Check(agents, node);
                progress.Waiting($"{node.Name}: start the agent", here.Time.GetElapsedTime(started));
            }

            await Task.Delay(Follower.Interval, here.Time, cancel);
        }
    }

    private async Task JoinTheRestAsync(DevAgents agents, DevNode first, AgentClient agent, CancellationToken cancel)
    {
        var rest = room.Nodes.Where(node => node != first && !node.IsMember).ToList();
        if (rest.Count == 0) return;
        var started = here.Time.GetTimestamp();
        var file = Path.Combine(room.Folder, "token");
        DurableText.Write(file, (await agent.CreateTokenAsync(null, cancel)).Token + "\n");
        foreach (var node in rest) await agents.StartAsync(node, [.. wish.Arguments, "--join", first.Address, "--token-file", file], cancel);
        while (rest.Where(node => !node.IsMember).ToList() is { Count: > 0 } missing)
        {
            foreach (var node in missing) Check(agents, node);
            progress.Waiting($"join {string.Join(", ", missing.Select(node => node.Name))}", here.Time.GetElapsedTime(started));
            await Task.Delay(Follower.Interval, here.Time, cancel);
        }

        progress.Done($"join {string.Join(", ", rest.Select(node => node.Name))}", here.Time.GetElapsedTime(started));
    }

    private async Task HealthyAsync(DevAgents agents, DevNode first, AgentClient agent, CancellationToken cancel)
    {
        var started = here.Time.GetTimestamp();
        while (true)
        {
            var status = await AnswerAsync(agents, first, agent, cancel);
            if (IsWhole(status)) break;
            if (here.Time.GetElapsedTime(started) > s_healthyDeadline)
                throw new ProblemException(new("dev/not-healthy", $"The {room.Nodes.Count} nodes did not become a healthy cluster within {s_healthyDeadline.TotalMinutes:0} minutes.", status.Cluster.InWords(), $"Read the agents' logs in {room.Folder}; the same command goes on from here."));
            progress.Waiting(status.Cluster.InWords(), here.Time.GetElapsedTime(started));
            await Task.Delay(Follower.Interval, here.Time, cancel);
        }

        progress.Done("every node healthy", here.Time.GetElapsedTime(started));
    }

    /// <summary>Healthy is also a cluster of one that is about to grow: this asks for all nodes, and for as many servers as they make possible.</summary>
    private bool IsWhole(StatusDocument status)
    {
        var servers = Math.Min(wish.Servers, room.Nodes.Count);
        return status.Cluster.State == "healthy" && status.Nodes.Count == room.Nodes.Count && status.Cluster.DesiredServers >= servers - (1 - (servers % 2));
    }

    private async Task ShowStateAsync(CancellationToken cancel)
    {
        var state = "no node has power; `nomadstack dev power-on` brings it back";
        if (room.Nodes.FirstOrDefault(node => node.HasPower && node.AgentRuns) is { } alive)
        {
            using var agent = Client(alive);
            try
            {
                state = (await agent.StatusAsync(cancel)).Cluster.InWords();
            }
            catch (ProblemException e) when (e.Problem.Code == AgentPresence.ProblemCode)
            {
                state = $"{alive.Name}: its agent starts";
            }
        }

        if (state != _lastState && _lastState.Length > 0) progress.Note(state);
        _lastState = state;
    }

    private async Task StopAsync(DevAgents agents)
    {
        var started = here.Time.GetTimestamp();
        var stop = agents.StopAsync(
            async node =>
            {
                using var agent = Client(node);
                await agent.StopAsync(here.HardStop);
            },
            here.HardStop);
        try
        {
            while (!stop.IsCompleted)
            {
                progress.Waiting("stop every process of every node (Ctrl-C again to leave them running)", here.Time.GetElapsedTime(started));
                await Task.WhenAny(stop, Task.Delay(Follower.Interval, here.Time, CancellationToken.None));
            }

            await stop;
            progress.Clear();
            progress.Done("everything stopped; the same command brings it back", here.Time.GetElapsedTime(started));
        }
        catch (OperationCanceledException) when (here.HardStop.IsCancellationRequested)
        {
            progress.Clear();
            progress.Note("left running; the next `nomadstack up --dev-nodes` on this folder takes them over");
        }
    }

    /// <exception cref="ProblemException"><c>dev/agent-ended</c>.</exception>
    private static void Check(DevAgents agents, DevNode node)
    {
        if (agents.LastWords(node) is not { } words) return;
        throw new ProblemException(new("dev/agent-ended", $"The agent of {node.Name} ended.", words, $"Its whole log is {agents.LogFile(node)}."));
    }

    private AgentClient Client(DevNode node) => new(node.Paths, here.Time);
}
