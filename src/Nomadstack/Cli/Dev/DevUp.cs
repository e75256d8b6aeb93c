// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;
using Nomadstack.Dev;
using Nomadstack.Doctor;
using Nomadstack.Storage;

namespace Nomadstack.Cli.Dev;

/// <param name="Servers">How many servers a new cluster may have.</param>
/// <param name="Without">Names of the products that the cluster leaves out.</param>
/// <param name="Arguments">Further arguments of every agent.</param>
internal sealed record DevWish(int Servers, IReadOnlyList<string> Without, IReadOnlyList<string> Arguments);

/// <summary>
/// <c>nomadstack up --dev-nodes N</c>: runs several nodes on this machine, each with its own agent, loopback address and data folder, made as the README tells an
/// operator to. Shows what happens until Ctrl-C stops everything. The next run is a cold boot of the same cluster.
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
        progress.Note("Ctrl-C stops everything; the same command brings it back. In another terminal, cut the power of one node or of all, restore it, and watch:");
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
                throw new ProblemException(DevProblems.NotHealthy(room.Nodes.Count, s_healthyDeadline, status.Cluster.InWords(), room.Folder));
            progress.Waiting(status.Cluster.InWords(), here.Time.GetElapsedTime(started));
            await Task.Delay(Follower.Interval, here.Time, cancel);
        }

        progress.Done("every node healthy", here.Time.GetElapsedTime(started));
    }

    /// <summary>A cluster of one that is about to grow is healthy too. This asks for all nodes, and for as many servers as they allow.</summary>
    private bool IsWhole(StatusDocument status)
    {
        var servers = Math.Min(wish.Servers, room.Nodes.Count);
        return status.Cluster.State == "healthy" && status.Nodes.Count == room.Nodes.Count && status.Cluster.DesiredServers >= servers - (1 - (servers % 2));
    }

    private async Task ShowStateAsync(CancellationToken cancel)
    {
        var state = "no node has power; `nomadstack dev power-on` restores it";
        if (room.Nodes.FirstOrDefault(node => node.HasPower && node.AgentRuns) is { } alive)
        {
            using var agent = Client(alive);
            try
            {
                state = (await agent.StatusAsync(cancel)).Cluster.InWords();
            }
            catch (ProblemException e) when (e.Problem.Code == AgentPresence.ProblemCode)
            {
                state = $"{alive.Name}: the agent is starting";
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
                progress.Waiting("stop every process of every node (Ctrl-C again leaves them running)", here.Time.GetElapsedTime(started));
                await Task.WhenAny(stop, Task.Delay(Follower.Interval, here.Time, CancellationToken.None));
            }

            await stop;
            progress.Clear();
            progress.Done("everything stopped; the same command brings it back", here.Time.GetElapsedTime(started));
        }
        catch (OperationCanceledException) when (here.HardStop.IsCancellationRequested)
        {
            progress.Clear();
            progress.Note("processes left running; the next `nomadstack up --dev-nodes` on this data folder adopts them");
        }
    }

    /// <exception cref="ProblemException"><c>dev/agent-ended</c>.</exception>
    private static void Check(DevAgents agents, DevNode node)
    {
        if (agents.LastWords(node) is not { } words) return;
        throw new ProblemException(DevProblems.AgentEnded(node.Name, words, agents.LogFile(node)));
    }

    private AgentClient Client(DevNode node) => new(node.Paths, here.Time);
}
