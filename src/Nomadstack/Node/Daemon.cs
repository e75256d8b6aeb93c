// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Api;
using Nomadstack.Bootstrap;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;
using Nomadstack.Operations;
using Nomadstack.Processes;
using Nomadstack.Servers;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>
/// The life of the agent, from its start to its end: continue what was begun, start what is recorded, wait at the gate, then look after it all.
/// Holds no decisions; each is in the folder of its flow.
/// </summary>
internal sealed class Daemon(DaemonParts parts, AgentOptions options, bool up)
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_maintenance = TimeSpan.FromSeconds(15);

    /// <summary>A node without a server asks for the index every five minutes: 500 of them are two questions a second.</summary>
    private const int RoundsBetweenAsking = 20;

    /// <summary>The first minute is not yet a rest.</summary>
    private const int RoundsBetweenReleases = 20, FirstRelease = 4;

    private readonly ILogger _log = parts.Context.Logs.CreateLogger<Daemon>();
    private TaskCompletionSource<OperationRun> _bootstrapAsked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();

    private NodeContext Context => parts.Context;

    /// <summary>A member whose servers, if it has any, start whatever else happens: neither making a cluster nor joining one is under way.</summary>
    public bool IsReturning => Context.Membership.Current is not null && parts.Operations.Unfinished(BootstrapOperation.Kind) is null;

    /// <summary>The bootstrap that runs or is done, or a new one. Refused where a cluster exists or joining was asked for.</summary>
    public Operation Bootstrap(BootstrapRequest request)
    {
        lock (_lock)
        {
            if (parts.Operations.Unfinished(BootstrapOperation.Kind) is { } running) return running.Current;
            if (Context.Membership.Current is { } cluster)
            {
                return parts.Operations.All.FirstOrDefault(o => o is { Kind: BootstrapOperation.Kind, State: Operation.Finished })
                    ?? throw new ProblemException(new("bootstrap/exists", $"This node is a member of cluster {cluster.ClusterId} already.", "Bootstrap makes the first cluster, and never a second one.", "See it with `nomadstack status`. For a new cluster use an empty data folder.") { Unsafe = true });
            }

            if (options.Join is { } host)
                throw new ProblemException(new("bootstrap/joining", $"This agent is joining the cluster of {host}.", "It was started with --join.", "Start the agent without --join to make a cluster of its own.") { Unsafe = true });
            if (request.Servers is not (1 or 3 or 5))
                throw new ProblemException(new("bootstrap/servers", $"A cluster cannot have {request.Servers} servers.", "A quorum of an even number tolerates no more failures than one server less.", "Ask for 1, 3 or 5."));
            if (request.Consul) parts.Programs.For(Role.Consul, null);
            var run = parts.Operations.Begin(BootstrapOperation.Kind, new ClusterRequest(request.Servers, request.Consul).ToRequest());
            _bootstrapAsked.TrySetResult(run);
            return run.Current;
        }
    }

    /// <summary>Runs until cancelled, or until a part fails in a way the agent cannot mend.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        List<Task> tasks = [LiveAsync(both.Token), MaintainAsync(both.Token)];
        // Whichever ends first ends all: none of them ends without a reason.
        var first = await Task.WhenAny(tasks);
        await both.CancelAsync();
        try
        {
            await Task.WhenAll(tasks);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested && first.IsCanceled)
        {
            // Told to end.
        }
    }

    private async Task LiveAsync(CancellationToken cancel)
    {
        Settle();
        var interrupted = parts.Operations.Unfinished(BootstrapOperation.Kind);
        if (interrupted is not null)
        {
            await ResumeAsync(cancel);
            await BootstrapAsync(interrupted, cancel);
        }
        else if (Context.Membership.Current is null && options.Join is { } host)
        {
            await JoinAsync(host, cancel);
        }

        var booted = Context.Membership.Current is not null && interrupted is not null;
        while (Context.Membership.Current is null)
        {
            if (up) Bootstrap(new BootstrapRequest(options.Servers, options.Consul && parts.Programs.Find(Role.Consul) is not null));
            var asked = await _bootstrapAsked.Task.WaitAsync(cancel);
            _bootstrapAsked = new(TaskCreationOptions.RunContinuationsAsynchronously);
            await BootstrapAsync(asked, cancel);
            booted = true;
        }

        if (!booted)
        {
            await BootAsync(cancel);
        }

        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        List<Task> tasks = [parts.Keeper.RunAsync(() => parts.Clients.Nomad.Runs, both.Token), parts.Clients.Servers.RunAsync(both.Token), parts.Peers.RunAsync(both.Token)];
        await Task.WhenAny(tasks);
        await both.CancelAsync();
        await Task.WhenAll(tasks);
    }

    /// <summary>Ends operations whose agent was killed between their last effect and their end, or while it only followed.</summary>
    private void Settle()
    {
        if (Context.Membership.Current is not null) parts.Operations.Unfinished("join")?.Finish();
        while (parts.Operations.Unfinished(DrainOperation.Kind) is { } drain) drain.Finish("the agent was started anew while it followed this drain; the drain itself went on");
        while (parts.Operations.Unfinished(ServerKeeper.Kind) is { } moved && !parts.Host.Servers.Any(s => s.Record.Role == moved.Request.GetValueOrDefault("role") && s.Record.Leaving)) moved.Finish();
    }

    /// <summary>Brings up what an interrupted bootstrap had made, before it goes on.</summary>
    private async Task ResumeAsync(CancellationToken cancel)
    {
        if (Context.Membership.Current is null) return;
        await parts.Peers.StartAsync(cancel);
        await parts.Host.StartRecordedAsync(cancel);
        await parts.Temporary.StartRecordedAsync(cancel);
    }

    /// <summary>A failed bootstrap was undone: the daemon waits for the next, while <c>up</c> has nobody to wait for.</summary>
    private async Task BootstrapAsync(OperationRun run, CancellationToken cancel)
    {
        await parts.Bootstrap.RunAsync(run, cancel);
        if (run.Current.Problem is not { } problem) return;
        await parts.Peers.StopAsync();
        if (up) throw new ProblemException(problem);
    }

    private async Task JoinAsync(string host, CancellationToken cancel)
    {
        var run = parts.Operations.Unfinished("join") ?? parts.Operations.Begin("join", new Dictionary<string, string> { ["host"] = host });
        try
        {
            run.Step($"ask {host} to let this node in");
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

    /// <summary>Cold boot, or the agent's own restart: whatever runs is adopted, whatever does not is started, the client only through the gate.</summary>
    private async Task BootAsync(CancellationToken cancel)
    {
        var run = parts.Operations.Unfinished("cold-boot") ?? parts.Operations.Begin("cold-boot");
        run.Step("start the recorded servers");
        // At once and side by side: peers that are silent must not hold up a server that others may be waiting for.
        await Task.WhenAll(parts.Host.StartRecordedAsync(cancel), parts.Peers.StartAsync(cancel));
        if (Context.Membership.Current!.Consul)
        {
            run.Step("start the Consul client");
            await parts.Clients.Consul.StartAsync(cancel);
        }

        run.Step("start the Nomad client");
        var starting = parts.Clients.Nomad.EnableAsync();
        while (!starting.IsCompleted)
        {
            run.WaitFor(parts.Clients.Nomad.WaitsFor);
            // The servers need their keeper while the client waits: one that was leaving may be needed for its vote.
            await parts.Keeper.RoundAsync(clientRuns: false, cancel);
            await Task.WhenAny(starting, Task.Delay(s_poll, Context.Time, cancel));
            cancel.ThrowIfCancellationRequested();
        }

        await starting;
        run.Finish();
    }

    /// <summary>What wants to be done now and then. None of it is worth the agent's life: what fails is logged when it is new, and tried again.</summary>
    private async Task MaintainAsync(CancellationToken cancel)
    {
        var rotation = new LogRotation();
        var known = Context.Membership.Current;
        var trouble = "";
        for (var round = 0; ; round++)
        {
            await Task.Delay(s_maintenance, Context.Time, cancel);
            try
            {
                foreach (var file in Directory.EnumerateFiles(Context.Paths.Log, "*.log")) rotation.RotateIfNeeded(file);
                if (Context.Membership.Current is null || parts.Operations.Unfinished(BootstrapOperation.Kind) is not null) continue;
                if (!ReferenceEquals(known, Context.Membership.Current))
                {
                    known = Context.Membership.Current;
                    await parts.Host.RefreshConfigurationsAsync(cancel);
                    parts.Clients.Refresh();
                }

                if (parts.Clients.Nomad.Runs) await RememberIndexAsync(round, cancel);
                if (round % RoundsBetweenReleases == FirstRelease)
                {
                    foreach (var folder in Retirement.RemoveOld(Context.Paths, Context.Time.GetUtcNow())) _log.LogInformation("{Folder} was retired more than {Days} days ago and is removed", folder, Retirement.Kept.TotalDays);
                    MemoryAtRest.Release();
                }

                trouble = "";
            }
            catch (Exception e) when (e is ProblemException or IOException)
            {
                if (trouble != e.Message) _log.LogWarning("Maintenance failed and is tried again: {Trouble}", e.Message);
                trouble = e.Message;
            }
        }
    }

    /// <summary>How far the cluster has come, for the gate of the next boot: from this node's own server, or now and then from another's.</summary>
    private async Task RememberIndexAsync(int round, CancellationToken cancel)
    {
        var own = parts.Host.Servers.FirstOrDefault(s => s.Record.Role == Role.Nomad).Instance;
        if (own is null && round % RoundsBetweenAsking != 0) return;
        var server = own?.Http ?? KnownServer.Of(Context.Membership.Current, Role.Nomad).Where(s => s.IsClaimed).MinBy(_ => Random.Shared.Next())?.Http;
        if (server is not null && await RaftStanding.AskAsync(parts.Host.Product(Role.Nomad).Api(server), cancel) is { HasLeader: true } standing)
            parts.Gate.Remember(standing.AppliedIndex, registered: true);
    }
}
