// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Api;
using Nomadstack.Bootstrap;
using Nomadstack.Clients;
using Nomadstack.Cluster;
using Nomadstack.Life;
using Nomadstack.Operations;
using Nomadstack.Products;
using Nomadstack.Recovery;
using Nomadstack.Securing;
using Nomadstack.Security;
using Nomadstack.Servers;
using Nomadstack.Snapshots;
using Nomadstack.Storage;
using Nomadstack.Timeline;

namespace Nomadstack.Node;

/// <summary>
/// The life of the agent, from start to end: continue unfinished operations, start the recorded servers, wait at the gate, then keep everything running.
/// Makes no decisions; each is in the folder of its flow.
/// </summary>
internal sealed class Daemon(DaemonParts parts, AgentOptions options, bool up) : IDisposable
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(250), s_longestPause = TimeSpan.FromSeconds(30);

    private readonly ILogger _log = parts.Context.Logs.CreateLogger<Daemon>();
    private TaskCompletionSource<OperationRun> _bootstrapAsked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _restoring = new(1, 1);

    private NodeContext Context => parts.Context;

    /// <summary>True for a member while no bootstrap and no join is under way: its servers, if any, start in any case.</summary>
    public bool IsReturning => Context.Membership.Self is { Removed: false } && parts.Operations.Unfinished(BootstrapOperation.Kind) is null;

    /// <summary>The bootstrap that runs or is done, or a new one. Refused if a cluster exists or a join was requested.</summary>
    public Operation Bootstrap(BootstrapRequest request)
    {
        lock (_lock)
        {
            if (parts.Operations.Unfinished(BootstrapOperation.Kind) is { } running) return running.Current;
            if (Context.Membership.Current is { } cluster)
            {
                return parts.Operations.All.FirstOrDefault(o => o is { Kind: BootstrapOperation.Kind, State: Operation.Finished })
                    ?? throw new ProblemException(BootstrapProblems.Exists(cluster.ClusterId));
            }

            if (options.Join is { } host)
                throw new ProblemException(BootstrapProblems.Joining(host));
            if (request.Servers is not (1 or 3 or 5))
                throw new ProblemException(new("bootstrap/servers", $"A cluster cannot have {request.Servers} servers.", "An even number of servers tolerates no more failures than one server fewer.", "Use 1, 3 or 5."));
            var products = Context.Table.Stack.Where(p => p.Schedules || !(request.Without ?? []).Contains(p.Name)).ToList();
            foreach (var product in products) parts.Programs.For(product, null);
            var run = parts.Operations.Begin(BootstrapOperation.Kind, new ClusterRequest(request.Servers, [.. products.Select(p => p.Name)], !request.Insecure).ToRequest());
            _bootstrapAsked.TrySetResult(run);
            return run.Current;
        }
    }

    /// <summary>The bootstrap that runs or is done, or one that makes the cluster of an archive anew. Refused if this node belongs to a cluster or was asked to join one.</summary>
    /// <param name="key">The text of the recovery key.</param>
    /// <exception cref="ProblemException"><c>archive/*</c>, <c>restore/*</c>, <c>bootstrap/*</c>.</exception>
    public async Task<Operation> RestoreAsync(string archive, string key, CancellationToken cancel)
    {
        if (parts.Operations.Unfinished(BootstrapOperation.Kind) is { } running) return running.Current;
        if (Context.Membership.Current is { } own) throw new ProblemException(BootstrapProblems.Exists(own.ClusterId));
        if (options.Join is { } host) throw new ProblemException(BootstrapProblems.Joining(host));
        if (!Path.IsPathRooted(archive) || !File.Exists(archive)) throw new ProblemException(RestoreProblems.WrongPath(archive));
        var keyFile = Restoration.KeyFileOf(Context.Paths);
        // One after the other: the key of one must not become the other's.
        await _restoring.WaitAsync(cancel);
        try
        {
            if (parts.Operations.Unfinished(BootstrapOperation.Kind) is { } earlier) return earlier.Current;
            DurableText.Write(keyFile, key.Trim() + "\n");
            var cluster = await new Restoration(Context, parts.Programs, archive, keyFile).CheckAsync(cancel);
            foreach (var product in cluster.Products.Select(p => Context.Table[p])) parts.Programs.For(product, null);
            lock (_lock)
            {
                if (parts.Operations.Unfinished(BootstrapOperation.Kind) is { } begun) return begun.Current;
                var request = new Dictionary<string, string>(new ClusterRequest(cluster.MaxServers, cluster.Products, Secure: true).ToRequest()) { [Restoration.ArchiveKey] = archive, [Restoration.KeyFileKey] = keyFile };
                var run = parts.Operations.Begin(BootstrapOperation.Kind, request);
                _bootstrapAsked.TrySetResult(run);
                return run.Current;
            }
        }
        catch
        {
            // Whatever ends it, also a caller that goes away: the key is for an operation that has begun.
            if (parts.Operations.Unfinished(BootstrapOperation.Kind) is null) File.Delete(keyFile);
            throw;
        }
        finally
        {
            _restoring.Release();
        }
    }

    public void Dispose() => _restoring.Dispose();

    /// <summary>Runs until the lifetime ends, the agent is asked to stop everything, or a part fails in a way that the agent cannot repair.</summary>
    public async Task RunAsync(Lifetime life, Task stopAsked)
    {
        var live = life.Begin("the agent's start", ending => LiveAsync(life, ending));
        var maintenance = new Maintenance(parts);
        _ = life.Loop("maintenance", maintenance.RoundAsync);
        _ = life.Loop("the disk", parts.Disk.RoundAsync);
        _ = life.Begin("what is left of a drill", _ => parts.Drills.SettleAsync());
        var told = Task.Delay(Timeout.InfiniteTimeSpan, Context.Time, life.Ending);
        // The start ends when all loops run; that it failed ends the agent.
        await Task.WhenAny(live, stopAsked, told, parts.Peers.Removed);
        if (live.IsFaulted) await live;
        if (await Task.WhenAny(stopAsked, told, parts.Peers.Removed) != parts.Peers.Removed) return;
        // Durable before the first act: the next start finds it, wherever this one is killed.
        Context.Membership.AcceptRemoval();
        Context.Timeline.Tell(EventKinds.Removal, "This node was removed from its cluster: most of its peers say so.");
        throw new ProblemException(NodeProblems.Removed(Context.Node.Name));
    }

    private async Task LiveAsync(Lifetime life, CancellationToken cancel)
    {
        Settle();
        var interrupted = parts.Operations.Unfinished(BootstrapOperation.Kind);
        // Of a restore that was checked and never begun.
        if (interrupted is null) File.Delete(Restoration.KeyFileOf(Context.Paths));
        if (interrupted is not null)
        {
            await ResumeAsync(cancel);
            await BootstrapAsync(interrupted, cancel);
        }
        else if (Context.Membership.Self is null or { Removed: true } && options.Join is { } host)
        {
            await JoinAsync(host, cancel);
        }

        var booted = Context.Membership.Current is not null && interrupted is not null;
        while (Context.Membership.Current is null)
        {
            if (up) Bootstrap(new BootstrapRequest(options.Servers, [.. Context.Table.Stack.Where(p => options.Without.Contains(p.Name) || parts.Programs.Find(p) is null).Select(p => p.Name)], options.Insecure));
            var asked = await _bootstrapAsked.Task.WaitAsync(cancel);
            _bootstrapAsked = new(TaskCreationOptions.RunContinuationsAsynchronously);
            await BootstrapAsync(asked, cancel);
            booted = true;
        }

        if (!booted) await BootAsync(life, cancel);
        else
        {
            LookAfterRaft(life);
            KeepServers(life);
        }

        foreach (var run in new[] { DrainOperation.Kind, RotateOperation.Kind, SecureOperation.Kind, RecoverOperation.Kind, SnapshotDesk.SaveKind, SnapshotDesk.VerifyKind, RestoreOperation.Kind }.SelectMany(parts.Operations.AllUnfinished)) Follow(life, run);
        _ = life.Loop("the cluster's history", parts.History.RoundAndWaitAsync);
        _ = life.Loop("the client as the leader sees it", parts.Cure.RoundAsync);
        _ = life.Loop("the node's certificates", parts.Credentials.RoundAndWaitAsync);
        if (Context.Membership.IsClientNode) _ = life.Loop("the node's credentials from server nodes", parts.Given.RoundAndWaitAsync);
        else _ = life.Loop("the cluster's snapshots", parts.Snapshots.RoundAndWaitAsync);
        if (!Context.Membership.IsClientNode) _ = life.Loop("the copies of snapshots outside the cluster", parts.Exports.RoundAndWaitAsync);
        if (!Context.Membership.IsClientNode) _ = life.Loop("the tokens of removed client nodes", parts.NodeTokens.RoundAndWaitAsync);
        _ = life.Loop("the client's list of servers", parts.Clients.Servers.RoundAsync);
        _ = life.Loop("the exchange with peers", parts.Peers.RunAsync);
    }

    /// <summary>Follows an operation beside everything else. An agent that is stopped meanwhile follows on at its next start.</summary>
    public void Follow(Lifetime life, OperationRun run) => _ = run.Current.Kind switch
    {
        SecureOperation.Kind => life.Begin("the closing of the cluster", ending => parts.Secure.FollowAsync(run, ending)),
        RecoverOperation.Kind => life.Begin("the recovery", ending => parts.Recover.FollowAsync(run, ending)),
        SnapshotDesk.SaveKind or SnapshotDesk.VerifyKind => life.Begin("a snapshot", ending => parts.SnapshotDesk.FollowAsync(run, ending)),
        RestoreOperation.Kind => life.Begin("the restore of a snapshot", ending => parts.SnapshotDesk.Restore.FollowAsync(run, ending)),
        RotateOperation.Kind => life.Begin("the rotation", ending => parts.Rotate.FollowAsync(run, ending)),
        _ => life.Begin($"the drain of {run.Request.GetValueOrDefault("node")}", ending => parts.Drain.FollowAsync(run, ending)),
    };

    /// <summary>What makes a raft go on that cannot by itself: addresses that changed, a majority that was given up.</summary>
    private void LookAfterRaft(Lifetime life)
    {
        _ = life.Loop("the addresses of this node's servers", parts.Addresses.RoundAndWaitAsync);
        _ = life.Loop("the epoch of this node's raft data", parts.Recovery.RoundAndWaitAsync);
    }

    /// <summary>One keeper for each product, none of which waits for another. A cluster may have been closed while this node was away: then no client starts before its servers are.</summary>
    private void KeepServers(Lifetime life)
    {
        _ = life.Loop("the closing of this node's agents", parts.Closing.RoundAndWaitAsync);
        foreach (var keeper in parts.Keepers) _ = life.Loop($"the keeper of the {keeper.Title} servers", ending => keeper.RoundAndWaitAsync(parts.Clients.Scheduler.Runs, ending));
    }

    /// <summary>Ends operations whose agent was killed between their last effect and their end.</summary>
    private void Settle()
    {
        if (Context.Membership.Current is not null) parts.Operations.Unfinished("join")?.Finish();
        while (parts.Operations.Unfinished(ServerKeeper.Kind) is { } moved && !parts.Host.Servers.Any(s => s.Record.Role == moved.Request.GetValueOrDefault("role") && s.Record.Leaving)) moved.Finish();
    }

    /// <summary>Starts the processes of an interrupted bootstrap before it continues.</summary>
    private async Task ResumeAsync(CancellationToken cancel)
    {
        if (Context.Membership.Current is null) return;
        await parts.Peers.StartAsync(cancel);
        await parts.Host.StartRecordedAsync(cancel);
        await parts.Temporary.StartRecordedAsync(cancel);
    }

    /// <summary>A failed bootstrap was undone. The daemon waits for the next one; <c>up</c> ends.</summary>
    private async Task BootstrapAsync(OperationRun run, CancellationToken cancel)
    {
        await parts.Bootstrap.MakeAsync(run, cancel);
        if (run.Current.Problem is not { } problem)
        {
            _log.LogInformation("Bootstrap done: cluster {Cluster}", Context.Membership.Current!.ClusterId);
            return;
        }

        await parts.Peers.StopAsync();
        if (up) throw new ProblemException(problem);
    }

    private async Task JoinAsync(string host, CancellationToken cancel)
    {
        var run = parts.Operations.Unfinished("join") ?? parts.Operations.Begin("join", new Dictionary<string, string> { ["host"] = host });
        try
        {
            run.Step($"ask {host} to admit this node");
            await Fault.AroundAsync("join", () => parts.Peers.JoinAsync(host, options.TokenFile!, cancel));
            parts.Programs.RequireClusters();
            run.Finish();
        }
        catch (ProblemException e)
        {
            run.Fail(e.Problem);
            throw;
        }
    }

    /// <summary>Cold boot, or a restart of the agent alone: running processes are adopted and the others are started, a fenced client only through the gate.</summary>
    private async Task BootAsync(Lifetime life, CancellationToken cancel)
    {
        var run = parts.Operations.Unfinished("cold-boot") ?? parts.Operations.Begin("cold-boot");
        run.Step("start the recorded servers");
        // At once and in parallel: silent peers must not delay a server for which others may be waiting.
        await Task.WhenAll(parts.Host.StartRecordedAsync(cancel), parts.Peers.StartAsync(cancel));
        LookAfterRaft(life);
        await AwaitCredentialsAsync(run, cancel);
        // The servers need their keepers while a client waits: a server that was leaving may be needed for its vote.
        KeepServers(life);
        foreach (var client in parts.Clients.OfCluster)
        {
            run.Step($"start the {client.Product.Title} client");
            await StartAsync(client, run, cancel);
        }

        run.Finish();
    }

    /// <summary>A node that has just joined gets the secrets with its first exchanges. A client node asks for what it may have, also when that ended while it was off.</summary>
    private async Task AwaitCredentialsAsync(OperationRun run, CancellationToken cancel)
    {
        while (Context.Trust.Lacks() is { } product)
        {
            var why = SecurityProblems.NoCredentials(product);
            if (Context.Membership.IsClientNode && (why = await parts.Given.AskAsync(cancel)) is null) continue;
            run.WaitFor(why.ToString());
            await Task.Delay(Context.Membership.IsClientNode ? ClientCredentials.BetweenRequests : s_poll, Context.Time, cancel);
        }
    }

    /// <summary>Waits until the client runs, however often its start fails, and says what is wrong.</summary>
    private async Task StartAsync(ClientKeeper client, OperationRun run, CancellationToken cancel)
    {
        for (var pause = s_poll; ; pause = pause < s_longestPause ? pause * 2 : pause)
        {
            var starting = client.EnableAsync();
            while (!starting.IsCompleted)
            {
                run.WaitFor(client.WaitsFor);
                await Task.WhenAny(starting, Task.Delay(s_poll, Context.Time, cancel));
                cancel.ThrowIfCancellationRequested();
            }

            try
            {
                await starting;
                return;
            }
            catch (ProblemException e) when (!e.Problem.Lasting)
            {
                run.WaitFor(e.Problem.ToString());
                _log.LogError("The {Product} client could not be started. Next try in {Pause} s. {Problem}", client.Product.Title, pause.TotalSeconds, e.Problem);
            }

            await Task.Delay(pause, Context.Time, cancel);
        }
    }
}
