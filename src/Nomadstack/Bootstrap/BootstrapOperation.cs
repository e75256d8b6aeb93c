// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Microsoft.Extensions.Logging;
using Nomadstack.Clients;
using Nomadstack.Cluster;
using Nomadstack.Nomad;
using Nomadstack.Operations;
using Nomadstack.Servers;

namespace Nomadstack.Bootstrap;

/// <summary>
/// Makes the first cluster on this node: temporary servers, clients, jobs, and the pivot onto the servers that are jobs.
/// Observes, decides, acts; killed anywhere it continues from what it observes. A failure before the point of no return is undone.
/// </summary>
internal sealed class BootstrapOperation(
    NodeContext context,
    BootstrapServers bootstrap,
    ServerHost host,
    ServerJobs jobs,
    NodeClients clients,
    Func<ClusterRequest, CancellationToken, Task> mint)
{
    public const string Kind = "bootstrap";

    /// <summary>No single step takes a healthy machine longer than this; slow disks get a factor of five over what was measured.</summary>
    private static readonly TimeSpan s_stepDeadline = TimeSpan.FromSeconds(120);

    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(5);

    private readonly ILogger _log = context.Logs.CreateLogger<BootstrapOperation>();

    /// <summary>Runs to the end: done, or undone and failed. Cancellation leaves it running on disk, for the next agent to continue.</summary>
    public async Task RunAsync(OperationRun run, CancellationToken cancel)
    {
        var request = ClusterRequest.From(run.Request);
        try
        {
            if (!run.Undoing)
            {
                await ForwardAsync(run, request, cancel);
                run.Finish();
                _log.LogInformation("Bootstrap done: cluster {Cluster}", context.Membership.Current!.ClusterId);
                return;
            }
        }
        catch (ProblemException e) when (!PastTheCommitPoint())
        {
            _log.LogWarning("Bootstrap failed and is undone: {Problem}", e.Problem);
            run.IntendUndo();
            await UndoAsync(run, cancel);
            run.Fail(e.Problem);
            return;
        }

        await UndoAsync(run, cancel);
        run.Fail(new Problem("bootstrap/undone", "The bootstrap had failed and was undone.", "The agent was stopped while it was undoing it; that is finished now.", "Look at the agent's log for the cause, then run `nomadstack bootstrap` again."));
    }

    private async Task ForwardAsync(OperationRun run, ClusterRequest request, CancellationToken cancel)
    {
        var current = (BootstrapStep?)null;
        var entered = context.Time.GetTimestamp();
        while (true)
        {
            var facts = await ObserveAsync(request, run.WaitFor, cancel);
            var step = BootstrapDecision.Next(facts);
            if (step == BootstrapStep.Done) return;
            if (step != current)
            {
                (current, entered) = (step, context.Time.GetTimestamp());
                run.Step(BootstrapDecision.Describe(step));
            }
            else if (context.Time.GetElapsedTime(entered) > s_stepDeadline)
            {
                throw new ProblemException(new("bootstrap/too-slow", $"The bootstrap did not get past \"{BootstrapDecision.Describe(step)}\" in {s_stepDeadline.TotalSeconds:0} s.", run.Current.Reason.Length > 0 ? $"It was waiting for {run.Current.Reason}." : "The step did not have the effect it should have.", $"Read the logs in {context.Paths.Log}, then run `nomadstack bootstrap` again: it starts from a clean state."));
            }

            await ActAsync(step, request, run, cancel);
            await Task.Delay(s_poll, context.Time, cancel);
        }
    }

    private async Task ActAsync(BootstrapStep step, ClusterRequest request, OperationRun run, CancellationToken cancel)
    {
        switch (step)
        {
            case BootstrapStep.MintCluster:
                run.WaitFor("agents of a cluster that takes this machine for one of its nodes");
                await Fault.AroundAsync("mint-cluster", () => mint(request, cancel));
                break;
            case BootstrapStep.StartConsulBootstrap:
                await bootstrap.StartAsync(Role.Consul, cancel);
                break;
            case BootstrapStep.StartNomadBootstrap:
                await bootstrap.StartAsync(Role.Nomad, cancel);
                break;
            case BootstrapStep.StartConsulClient:
                await clients.Consul.StartAsync(cancel);
                break;
            case BootstrapStep.StartNomadClient:
                var starting = clients.Nomad.EnableAsync();
                if (starting.IsCompleted) await starting;
                run.WaitFor(clients.Nomad.WaitsFor);
                break;
            case BootstrapStep.RegisterConsulJob:
                await RegisterAsync(Role.Consul, cancel);
                break;
            case BootstrapStep.RegisterNomadJob:
                await RegisterAsync(Role.Nomad, cancel);
                break;
            case BootstrapStep.RemoveConsulBootstrap:
                await RemoveAsync(Role.Consul, run, cancel);
                break;
            case BootstrapStep.RemoveNomadBootstrap:
                await RemoveAsync(Role.Nomad, run, cancel);
                break;
            case BootstrapStep.RemoveTraces:
                await RemoveTracesAsync(cancel);
                break;
            case BootstrapStep.AwaitNomadLeader or BootstrapStep.AwaitNodeReady or BootstrapStep.AwaitJobServers or BootstrapStep.Done:
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(step));
        }
    }

    private async Task<BootstrapFacts> ObserveAsync(ClusterRequest request, Action<string> say, CancellationToken cancel)
    {
        var minted = context.Membership.Current is not null;
        if (!minted) return new(false, Nothing(), request.Consul ? Nothing() : null, false, false, false, false);
        var api = await jobs.AnyServerAsync(cancel);
        var nomad = await ObserveAsync(Role.Nomad, api, say, cancel);
        var consul = request.Consul ? await ObserveAsync(Role.Consul, api, say, cancel) : null;
        var ready = api is not null && (await api.NodesAsync(s_callDeadline, cancel)).Try(out var nodes)
            && nodes.Any(n => n.Name == context.Node.Name && n.TakesServers);
        if (api is not null && clients.Nomad.Runs && !ready) say("this node's Nomad client to register and find its task driver healthy");
        var pivoted = nomad.BootstrapGone && consul is not { BootstrapGone: false };
        return new(true, nomad, consul, clients.Consul.Runs, clients.Nomad.Runs, ready, pivoted && await TracesGoneAsync(request, cancel));

        static RoleFacts Nothing() => new(false, false, false, false, false, false);
    }

    private async Task<RoleFacts> ObserveAsync(string role, NomadApi? api, Action<string> say, CancellationToken cancel)
    {
        var temporary = bootstrap.Instance(role);
        var job = host.Servers.FirstOrDefault(s => s.Record.Role == role);
        var view = job.Instance is null ? null : await job.Instance.ObserveAsync(cancel);
        if (view is not { HasLeader: true } && temporary is not null) view = await temporary.ObserveAsync(cancel) ?? view;
        var registered = api is not null && await ServerJobs.DesiredAsync(api, role, cancel) is > 0;
        var caughtUp = false;
        if (job.Instance is { } instance && view is not null)
        {
            caughtUp = job.Record.WasVoter || await CaughtUpAsync(instance, temporary, view, cancel);
            if (caughtUp) await host.MarkVoterAsync(role, cancel);
            else if (registered) say($"the {role} job server to become a voter that has caught up (autopilot looks every 10 s)");
        }
        else if (registered)
        {
            say($"Nomad to place the job {Role.JobId(role)} on this node");
        }

        return new(temporary?.Process.Pid is not null, view is { HasLeader: true }, registered, caughtUp, bootstrap.IsLeaving(role),
            BootstrapGone: temporary is null && job.Record is { WasVoter: true });
    }

    /// <summary>A healthy voter that has applied all the bootstrap server had when it was asked, and has copied the keys that are not in raft.</summary>
    private static async Task<bool> CaughtUpAsync(ServerInstance job, ServerInstance? temporary, RaftView view, CancellationToken cancel)
    {
        if (view.Member(job.Site.RaftId) is not { Voter: true, Healthy: true }) return false;
        if (temporary is null) return view.HasLeader;
        var before = await temporary.ObserveAsync(cancel);
        var own = await job.ObserveAsync(cancel);
        return before is not null && own is not null && own.AppliedIndex >= before.AppliedIndex
            && temporary.Product.KeysOnDisk(temporary.Site).IsSubsetOf(job.Product.KeysOnDisk(job.Site));
    }

    private async Task RegisterAsync(string role, CancellationToken cancel)
    {
        if (await jobs.AnyServerAsync(cancel) is not { } api) return;
        await Fault.AroundAsync($"register-{role}-job", () => jobs.RegisterAsync(api, role, 1, cancel));
    }

    private async Task RemoveAsync(string role, OperationRun run, CancellationToken cancel)
    {
        if (!bootstrap.IsLeaving(role)) await bootstrap.IntendLeaveAsync(role);
        // The Nomad client must know the job server before the bootstrap server is gone: it keeps its list in memory alone.
        if (role == Role.Nomad) await clients.PointAtJobServersAsync(cancel);
        await bootstrap.RemoveAsync(role, run.WaitFor, cancel);
    }

    /// <summary>
    /// Writes the permanent configurations and clears gossip of the bootstrap servers. Before Nomad 1.6.3 gossip forgets a member that left only
    /// after a day; there the job server is started anew once, which is also the proof that it comes up alone from its own disk.
    /// </summary>
    private async Task RemoveTracesAsync(CancellationToken cancel)
    {
        await host.RefreshConfigurationsAsync(cancel);
        clients.Refresh();
        await clients.PointAtJobServersAsync(cancel);
        foreach (var (record, instance) in host.Servers)
        {
            if (!await GossipNamesBootstrapAsync(instance, cancel)) continue;
            await instance.Api.ForceLeaveAsync(instance.Product.MemberName(context.Node.Name + "-bootstrap"), prune: true, s_callDeadline, cancel);
            if (!await GossipNamesBootstrapAsync(instance, cancel)) continue;
            _log.LogInformation("Starting the {Role} job server anew: it comes up from its own disk, and gossip forgets the bootstrap server", record.Role);
            await Fault.AroundAsync($"rehearse-{record.Role}", async () =>
            {
                await instance.StopAsync(cancel);
                await instance.StartAsync([], 1, record.Version, cancel);
            });
        }
    }

    private async Task<bool> TracesGoneAsync(ClusterRequest request, CancellationToken cancel)
    {
        foreach (var (record, instance) in host.Servers)
        {
            if (await instance.ObserveAsync(cancel) is not { HasLeader: true } view) return false;
            if (view.Members.Any(m => m.RaftId != record.RaftId && m.Address == instance.Site.Address)) return false;
            if (await GossipNamesBootstrapAsync(instance, cancel)) return false;
        }

        return host.Servers.Count == (request.Consul ? 2 : 1) && await clients.NameNoBootstrapAsync(cancel);
    }

    private async Task<bool> GossipNamesBootstrapAsync(ServerInstance instance, CancellationToken cancel) =>
        !(await instance.Api.MembersAsync(s_callDeadline, cancel)).Try(out var members)
        || members.Any(m => m.Name == instance.Product.MemberName(context.Node.Name + "-bootstrap"));

    private bool PastTheCommitPoint() =>
        bootstrap.IsLeaving(Role.Nomad) || bootstrap.IsLeaving(Role.Consul) || (!bootstrap.Exists(Role.Nomad) && host.Servers.Any(s => s.Record is { Role: Role.Nomad, WasVoter: true }));

    /// <summary>Stops all this bootstrap started and moves aside all it made. Ends with a node that has no cluster.</summary>
    private async Task UndoAsync(OperationRun run, CancellationToken cancel)
    {
        run.Step("undo what was begun");
        await clients.StopAsync(cancel);
        await host.DropAllAsync(cancel);
        foreach (var role in Role.All) await bootstrap.DropAsync(role, cancel);
        clients.Retire();
        await Fault.AroundAsync("forget-cluster", () => context.Membership.ForgetAsync());
    }
}

/// <summary>What the operator asked the first cluster to be.</summary>
internal sealed record ClusterRequest(int Servers, bool Consul)
{
    public IReadOnlyDictionary<string, string> ToRequest() => new Dictionary<string, string>
    {
        ["servers"] = Servers.ToString(CultureInfo.InvariantCulture),
        ["consul"] = Consul ? "true" : "false",
    };

    public static ClusterRequest From(IReadOnlyDictionary<string, string> request) =>
        new(int.Parse(request.GetValueOrDefault("servers", "3"), CultureInfo.InvariantCulture), request.GetValueOrDefault("consul", "true") == "true");
}
