// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Life;
using Nomadstack.Operations;
using Nomadstack.Products;
using Nomadstack.Timeline;

namespace Nomadstack.Servers;

/// <summary>
/// Keeps this node's server of one product while the agent runs: hands it over when no allocation claims it, releases it if the scheduler has
/// placed it elsewhere, and keeps autopilot's minimum right. Each product has its own keeper, so a stuck hand-over does not delay another product.
/// Every round begins by observing.
/// </summary>
internal sealed class ServerKeeper
{
    public const string Kind = "hand-over";

    /// <summary>
    /// How often to check: during a change, shortly after one (a new node takes seconds to be ready in Nomad), and at rest.
    /// </summary>
    private static readonly TimeSpan s_moving = TimeSpan.FromMilliseconds(500), s_settling = TimeSpan.FromSeconds(2), s_resting = TimeSpan.FromSeconds(10);

    /// <summary>How long a change counts as recent.</summary>
    private static readonly TimeSpan s_recent = TimeSpan.FromSeconds(60);

    /// <summary>The leader's own node keeps the jobs. The others do it at this interval, in case its agent is down.</summary>
    private static readonly TimeSpan s_deputy = TimeSpan.FromSeconds(60);

    /// <summary>A claim counts as gone when the scheduler, with a leader, has not known it for this long (B-8).</summary>
    private static readonly TimeSpan s_orphanGrace = TimeSpan.FromSeconds(30);

    /// <summary>If the peers of a leaving server have no leader for this long, they need its vote.</summary>
    private static readonly TimeSpan s_voteGrace = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(5);

    private readonly NodeContext _context;
    private readonly IProduct _product;
    private readonly ServerHost _host;
    private readonly ServerJobs _jobs;
    private readonly JobKeeper _jobKeeper;
    private readonly OperationLog _operations;
    private readonly ILogger _log;
    private readonly Wake _wake;
    private readonly Graces _graces;
    private long _deputyAt, _changedAt;
    private bool _led;

    /// <param name="jobKeeper">Keeps the jobs of all products. Only the scheduler's keeper calls it.</param>
    public ServerKeeper(NodeContext context, IProduct product, ServerHost host, ServerJobs jobs, JobKeeper jobKeeper, OperationLog operations)
    {
        (_context, _product, _host, _jobs, _jobKeeper, _operations) = (context, product, host, jobs, jobKeeper, operations);
        _log = context.Logs.CreateLogger<ServerKeeper>();
        _wake = new(context.Time);
        _graces = new(context.Time);
        _deputyAt = _changedAt = context.Time.GetTimestamp();
        host.Changed += role =>
        {
            if (role == Role) Tell();
        };
        context.Membership.Changed += Tell;
    }

    /// <summary>The product's name.</summary>
    public string Role => _product.Row.Name;

    public string Title => _product.Row.Title;

    /// <summary>What the lingering server waits for; null if it does not linger.</summary>
    public string? WaitsFor { get; private set; }

    /// <summary>One round and the wait for the next.</summary>
    /// <param name="clientRuns">Whether this node's scheduler client runs. Before that, claims cannot be judged.</param>
    public async Task RoundAndWaitAsync(bool clientRuns, CancellationToken cancel)
    {
        if (await RoundAsync(clientRuns, cancel)) await Task.Delay(s_moving, _context.Time, cancel);
        // A server was released, a node joined.
        else await _wake.WaitAsync(_context.Time.GetElapsedTime(Volatile.Read(ref _changedAt)) < s_recent ? s_settling : s_resting, cancel);
    }

    /// <returns>True while something is under way.</returns>
    public async Task<bool> RoundAsync(bool clientRuns, CancellationToken cancel)
    {
        // A node without servers has nothing to do here: the load on the servers must not grow with the number of nodes.
        if (_host.Server(Role) is not var (record, instance)) return false;
        _host.PublishEntries();
        var api = await _jobs.AnyServerAsync(cancel);
        var moving = await LookAfterAsync(record, instance, api, clientRuns, cancel);
        if (api is null) return moving;
        var leads = await _host.LeadsAsync(Role, cancel);
        if (leads && !_led) _context.Timeline.Tell(EventKinds.LeaderChanged, $"The {Title} server of this node is the leader.", (EventFields.Role, Role));
        _led = leads;
        if (_product.Row.Schedules && (leads || IsDeputysTurn())) moving |= await _jobKeeper.KeepAsync(api, cancel);
        if (leads) moving |= await EvictRemovedAsync(instance, cancel);
        // Done on the leader's own node alone, and only once that many voters are there: autopilot then never shrinks the quorum below it.
        if (leads && await ServerJobs.DesiredAsync(api, _product.Row, cancel) is > 0 and var desired) moving |= await instance.Api.KeepQuorumAsync(desired, s_callDeadline, cancel);
        return moving;
    }

    /// <returns>True while something is under way.</returns>
    private async Task<bool> LookAfterAsync(ServerRecord record, ServerInstance instance, IScheduler? api, bool gated, CancellationToken cancel)
    {
        if (record.Leaving || record.Claim is null) return await LingerAsync(record, instance, api, cancel);
        WaitsFor = null;
        if (gated && api is not null) await ReleaseOrphanAsync(record, api, cancel);
        else _graces.HasLasted("orphan", false, s_orphanGrace);
        if (record.WasVoter) return false;

        if (await instance.ObserveAsync(cancel) is { HasLeader: true } view && view.Member(record.RaftId) is { Voter: true, Healthy: true })
        {
            await _host.MarkVoterAsync(Role, cancel);
            _host.Tell(Role, "The server is a caught-up voter");
        }

        return true;
    }

    private async Task<bool> LingerAsync(ServerRecord record, ServerInstance instance, IScheduler? api, CancellationToken cancel)
    {
        var peers = KnownServer.Of(_context.Membership.Current, Role).Where(s => s.Entry.RaftId != record.RaftId).ToList();
        IReadOnlyList<IServerApi> servers = [.. peers.Select(Reach), instance.Api];
        var view = await RaftView.AskAnyAsync(servers, cancel);
        // A leaving server is already handed over, and without a leader nothing is decided.
        var keys = record.Leaving || view is not { HasLeader: true } ? new HashSet<string>() : await _product.KeysNeededAsync(instance.Site, [.. peers.Where(p => p.IsClaimed).Select(EndpointOf), instance.Endpoint], cancel);
        var voters = peers.Where(p => p.IsClaimed && view?.Member(p.Entry.RaftId) is { Voter: true, Healthy: true }).ToList();
        var successors = voters.Where(p => p.HasKeys(keys)).ToList();
        var facts = new LingerFacts(
            LeaderKnown: view is { HasLeader: true },
            InConfiguration: view?.Member(record.RaftId) is not null,
            Successors: successors.Count,
            Desired: api is null ? null : await WantedAsync(api, cancel),
            record.WasVoter,
            voters.Count - successors.Count,
            // The same order in everybody's eyes. One that has begun goes on, and one that does not answer holds up nobody.
            record.Leaving ? null : peers.Where(p => !p.IsClaimed && view?.Member(p.Entry.RaftId) is { Voter: true, Healthy: true } && string.CompareOrdinal(p.Entry.RaftId, record.RaftId) < 0).Select(p => p.NodeName).FirstOrDefault());
        if (instance.Process.Pid is null && !facts.LeaderKnown && _graces.HasLasted("vote", true, s_voteGrace))
        {
            _log.LogInformation("The {Role} server was leaving when it was stopped, but the others have no leader without its vote. It is started again", Role);
            await _host.StartLeavingAsync(Role, cancel);
            return true;
        }

        if (facts.LeaderKnown) _graces.HasLasted("vote", false, s_voteGrace);
        switch (LingerDecision.Next(facts))
        {
            case LingerDecision.Wait wait:
                WaitsFor = wait.For;
                return true;
            case var _ when !await IsConfirmedAsync(servers.Take(peers.Count), cancel):
                WaitsFor = "a majority to confirm the answer of one server";
                return true;
            default:
                await HandOverAsync(successors, cancel);
                WaitsFor = null;
                return true;
        }
    }

    /// <summary>
    /// What the job asks for, and never fewer than the cluster wants with the nodes it has: a count lowered by hand must not take voters away that are raised again a moment later.
    /// </summary>
    private async Task<int?> WantedAsync(IScheduler api, CancellationToken cancel)
    {
        if (await ServerJobs.DesiredAsync(api, _product.Row, cancel) is not { } count || count == 0) return null;
        if (_context.Membership.Current is not { } cluster || !(await api.NodesAsync(s_callDeadline, cancel)).Try(out var nodes)) return null;
        return Math.Max(count, DesiredServers.For(nodes.Count(n => n.TakesServers), 1, cluster.MaxServers));
    }

    private async Task HandOverAsync(List<KnownServer> successors, CancellationToken cancel)
    {
        var run = _operations.Unfinished(Kind, "role", Role) ?? _operations.Begin(Kind, new Dictionary<string, string> { ["role"] = Role });
        run.Step($"hand the {Role} server over to {string.Join(", ", successors.Select(s => s.NodeName))}");
        try
        {
            if (await _host.HandOverAsync(Role, run.WaitFor, cancel)) run.Finish();
            else run.Finish("an allocation has claimed the server again; nothing was done");
        }
        catch (ProblemException e)
        {
            run.Fail(e.Problem);
            _log.LogError("The hand-over of the {Role} server failed and will be tried again: {Problem}", Role, e.Problem);
        }
    }

    /// <summary>Releases a claim if the scheduler no longer wants its allocation here: after a cold boot, or when the client lost its state.</summary>
    private async Task ReleaseOrphanAsync(ServerRecord record, IScheduler api, CancellationToken cancel)
    {
        var claim = record.Claim!;
        if (!(await api.AllocationsAsync(claim.JobId, s_callDeadline, cancel)).Try(out var allocations))
        {
            // If the answer is unknown, the time starts again.
            _graces.HasLasted("orphan", false, s_orphanGrace);
            return;
        }

        var wanted = allocations.Any(a => a.Id == claim.AllocId && a.DesiredStatus == "run" && !a.ClientTerminal);
        if (!_graces.HasLasted("orphan", !wanted, s_orphanGrace)) return;
        _log.LogWarning("Nomad no longer wants allocation {Allocation} of the {Role} server on this node. The server lingers until a successor runs", claim.AllocId, record.Role);
        await _host.ReleaseAsync(claim.TaskId, cancel);
    }

    /// <summary>
    /// Takes servers of removed nodes out of raft and gossip: one that came back before its agent heard of the removal is alive in gossip, and autopilot makes it a voter that nobody counts.
    /// </summary>
    /// <returns>True when there was one.</returns>
    private async Task<bool> EvictRemovedAsync(ServerInstance instance, CancellationToken cancel)
    {
        if (_context.Membership.Current is not { } cluster) return false;
        var live = cluster.Nodes.Values.Where(n => !n.Removed).Select(n => n.Address).ToHashSet();
        var removed = cluster.Nodes.Values.Where(n => n.Removed && !live.Contains(n.Address)).ToList();
        if (removed.Count == 0 || await instance.ObserveAsync(cancel) is not { Leads: true } view) return false;
        var evicted = false;
        foreach (var node in removed)
        {
            foreach (var member in view.Members.Where(m => IPEndPoint.TryParse(m.Address, out var at) && at.Address.Equals(IPAddress.Parse(node.Address))))
            {
                _log.LogWarning("Node {Node} was removed, but its {Role} server is in the raft configuration again. It is removed from it", node.Name, Role);
                await Fault.AroundAsync($"evict-{Role}", async () =>
                {
                    await instance.Api.RemovePeerAsync(member.RaftId, s_callDeadline, cancel);
                    await instance.Api.ForgetMemberAsync(_product.MemberName(ServerSite.JobName(node.Name)), prune: true, s_callDeadline, cancel);
                });
                evicted = true;
            }
        }

        return evicted;
    }

    private bool IsDeputysTurn()
    {
        if (_context.Time.GetElapsedTime(_deputyAt) < s_deputy) return false;
        _deputyAt = _context.Time.GetTimestamp();
        return true;
    }

    /// <summary>Whether a leader with a majority answers now: an isolated server may still name an old leader and an old configuration.</summary>
    private static async Task<bool> IsConfirmedAsync(IEnumerable<IServerApi> servers, CancellationToken cancel)
    {
        foreach (var server in servers)
        {
            if ((await server.BarrierAsync(s_callDeadline, cancel)).IsOk) return true;
        }

        return false;
    }

    private void Tell()
    {
        Volatile.Write(ref _changedAt, _context.Time.GetTimestamp());
        _wake.Tell();
    }

    private Ground.Http.Endpoint EndpointOf(KnownServer server) => _context.Endpoints.Of(_product.Row, server);

    private IServerApi Reach(KnownServer server) => _product.Server(EndpointOf(server));
}
