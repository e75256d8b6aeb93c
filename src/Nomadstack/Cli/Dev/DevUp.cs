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
internal sealed record DevWish(int Servers, IReadOnlyList<string> Without, IReadOnlyList<string> Arguments)
{
    /// <summary>Whether the cluster is open to everybody who reaches its ports.</summary>
    public bool Insecure { get; init; }
}

/// <summary>
/// <c>nomadstack up --dev-nodes N</c>: runs several nodes on this machine, each with its own agent, loopback address and data folder, made as the README tells an
/// operator to. Shows what happens until Ctrl-C stops everything. The next run is a cold boot of the same cluster.
/// </summary>
internal sealed class DevUp(Surroundings here, DevRoom room, ProgressWriter progress, DevWish wish, string? dataDir)
{
    /// <summary>A room that is not whole by then is shown as it is, and goes on.</summary>
    private static readonly TimeSpan s_joinDeadline = TimeSpan.FromMinutes(3), s_healthyDeadline = TimeSpan.FromMinutes(3);

    /// <summary>Longer than a status takes whose servers do not answer.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private string _lastState = "";

    public async Task<int> RunAsync(CancellationToken interrupt)
    {
        await using var agents = new DevAgents(room, here.Self, here.Time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(interrupt);
        var watch = new DevWatch(room, AskAsync, agents.Kill, agents.Ends, agents.LastWords, here.Time);
        var watching = Task.CompletedTask;
        try
        {
            var started = here.Time.GetTimestamp();
            var first = await StartAsync(agents, interrupt);
            watching = watch.RunAsync(end.Token);
            await JoinTheRestAsync(agents, watch, first, interrupt);
            var ready = await HealthyAsync(watch, interrupt);
            await ShowWhereAsync(ready, here.Time.GetElapsedTime(started), interrupt);
            while (true)
            {
                await ShowStateAsync(watch, interrupt);
                await Task.Delay(Follower.Interval * 4, here.Time, interrupt);
            }
        }
        catch (OperationCanceledException) when (interrupt.IsCancellationRequested)
        {
            progress.Clear();
            await EndWatchAsync();
            await StopAsync(agents);
            return ExitCode.Done;
        }
        catch (ProblemException)
        {
            progress.Clear();
            await EndWatchAsync();
            await StopAsync(agents);
            throw;
        }

        async Task EndWatchAsync()
        {
            await end.CancelAsync();
            await watching;
        }
    }

    /// <summary>The nodes that are members already; in a new room its first node, and a cluster of it. Returns a node that answered.</summary>
    private async Task<DevNode> StartAsync(DevAgents agents, CancellationToken cancel)
    {
        foreach (var node in room.Nodes) node.PlugIn();
        var first = room.Nodes.FirstOrDefault(node => node.IsMember) ?? room.Nodes[0];
        var isNew = !first.IsMember;
        foreach (var node in room.Nodes.Where(node => node == first || node.IsMember)) await agents.StartAsync(node, wish.Arguments, cancel);
        var (answered, status) = await AnswerAsync(() =>
        {
            // There is nobody beside it to go on.
            if (isNew) Check(agents, first);
        }, cancel);
        foreach (var (product, version) in status.Engine) progress.Note(StatusText.Provider(product, version));
        var scheduler = status.Engine[ProductTable.Known.Scheduler.Name];
        if (Privileges.Missing(here.User, scheduler.Kind, scheduler.Version) is { } missing) progress.Note(missing);
        if (!isNew) return answered;
        using var agent = Client(first);
        var without = status.Engine.Where(e => e.Value.Kind == EngineVersion.None).Select(e => e.Key).Union(wish.Without).ToList();
        await new Follower(agent, progress, here.Time).ToEndAsync(await agent.BootstrapAsync(new BootstrapRequest(wish.Servers, without, wish.Insecure), cancel), cancel);
        return first;
    }

    /// <summary>Waits for a node of the room to say how the cluster is.</summary>
    private async Task<(DevNode, StatusDocument)> AnswerAsync(Action check, CancellationToken cancel)
    {
        var started = here.Time.GetTimestamp();
        while (true)
        {
            if (await AnyAsync(cancel) is { } answer) return answer;
            check();
            progress.Waiting("wait for an agent to answer", here.Time.GetElapsedTime(started));
            await Task.Delay(Follower.Interval, here.Time, cancel);
        }
    }

    private async Task JoinTheRestAsync(DevAgents agents, DevWatch watch, DevNode member, CancellationToken cancel)
    {
        var rest = room.Nodes.Where(node => node != member && !node.IsMember).ToList();
        if (rest.Count == 0) return;
        var started = here.Time.GetTimestamp();
        var file = Path.Combine(room.Folder, "token");
        using (var agent = Client(member)) DurableText.Write(file, (await agent.CreateTokenAsync(new(), cancel)).Token + "\n");
        foreach (var node in rest) await agents.StartAsync(node, [.. wish.Arguments, "--join", member.Address, "--token-file", file], cancel);
        while (rest.Where(node => !node.IsMember).ToList() is { Count: > 0 } missing)
        {
            var names = string.Join(", ", missing.Select(node => node.Name));
            foreach (var news in watch.News()) progress.Failed(news);
            if (here.Time.GetElapsedTime(started) > s_joinDeadline)
            {
                progress.Failed($"{names}: not joined within {s_joinDeadline.TotalMinutes:0} minutes; the others go on. Logs are in {room.Folder}");
                return;
            }

            progress.Waiting($"join {names}", here.Time.GetElapsedTime(started));
            await Task.Delay(Follower.Interval, here.Time, cancel);
        }

        progress.Done($"join {string.Join(", ", rest.Select(node => node.Name))}", here.Time.GetElapsedTime(started));
    }

    private async Task<DevNode> HealthyAsync(DevWatch watch, CancellationToken cancel)
    {
        var started = here.Time.GetTimestamp();
        while (true)
        {
            var (node, status) = await AnswerAsync(() => { }, cancel);
            foreach (var news in watch.News()) progress.Failed(news);
            if (IsWhole(status) && await SilentAsync(node, cancel) is { } silent)
            {
                progress.Waiting($"wait for {silent}", here.Time.GetElapsedTime(started));
            }
            else if (IsWhole(status))
            {
                progress.Done("every node healthy", here.Time.GetElapsedTime(started));
                return node;
            }

            if (here.Time.GetElapsedTime(started) > s_healthyDeadline)
            {
                var problem = DevProblems.NotHealthy(room.Nodes.Count, s_healthyDeadline, status.Cluster.InWords(), room.Folder);
                progress.Failed(problem.ToString());
                return node;
            }

            progress.Waiting(status.Cluster.InWords(), here.Time.GetElapsedTime(started));
            await Task.Delay(Follower.Interval, here.Time, cancel);
        }
    }

    private async Task ShowWhereAsync(DevNode node, TimeSpan took, CancellationToken cancel)
    {
        progress.Done("ready", took);
        using var agent = Client(node);
        var where = await agent.EndpointsAsync(cancel);
        var folder = dataDir is null ? "" : $" --data-dir {dataDir}";
        if (where.Of(ProductTable.Known.Scheduler.Name).Address is { } address) progress.Note($"{ProductTable.Known.Scheduler.Title} is at {address}");
        progress.Note("Ctrl-C stops everything; the same command brings it back. In another terminal, cut the power of one node or of all, restore it, and watch:");
        if (here.Alias is { } alias) progress.Command(alias);
        foreach (var command in new[] { "dev kill n2", "dev power-cut", "dev power-on", "status --watch" }) progress.Command($"nomadstack{folder} {command}");
    }

    private async Task<string?> SilentAsync(DevNode node, CancellationToken cancel)
    {
        using var agent = Client(node);
        return await Listening.SilentAsync(here, await agent.EndpointsAsync(cancel), cancel);
    }

    /// <summary>A cluster of one that is about to grow is healthy too. This asks for all nodes, and for as many servers as they allow.</summary>
    private bool IsWhole(StatusDocument status)
    {
        var servers = Math.Min(wish.Servers, room.Nodes.Count);
        return status.Cluster.State == "healthy" && status.Nodes.Count == room.Nodes.Count && status.Cluster.DesiredServers >= servers - (1 - (servers % 2));
    }

    private async Task ShowStateAsync(DevWatch watch, CancellationToken cancel)
    {
        foreach (var news in watch.News()) progress.Failed(news);
        var state = !room.Nodes.Any(node => node.HasPower) ? "no node has power; `nomadstack dev power-on` restores it"
            : await AnyAsync(cancel) is (_, var status) ? status.Cluster.InWords()
            : "no agent answers yet";
        if (state != _lastState && _lastState.Length > 0) progress.Note(state);
        _lastState = state;
    }

    /// <summary>What the first node says that says anything; null when none does.</summary>
    private async Task<(DevNode Node, StatusDocument Status)?> AnyAsync(CancellationToken cancel)
    {
        foreach (var node in room.Nodes.Where(node => node.HasPower && node.AgentRuns))
        {
            using var agent = Client(node);
            // One that is stuck is no reason not to ask the next.
            using var limit = new CancellationTokenSource(s_patience, here.Time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
            try
            {
                return (node, await agent.StatusAsync(both.Token));
            }
            catch (Exception e) when (e is ProblemException or OperationCanceledException && !cancel.IsCancellationRequested)
            {
                continue;
            }
        }

        return null;
    }

    private async Task AskAsync(DevNode node, CancellationToken cancel)
    {
        using var agent = Client(node);
        await agent.OperationsAsync(cancel);
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
        if (agents.Ends(node) == 0 || !node.HasPower) return;
        throw new ProblemException(DevProblems.AgentEnded(node.Name, agents.LastWords(node), agents.LogFile(node)));
    }

    private AgentClient Client(DevNode node) => new(node.Paths, here.Time);
}
