// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Nomad;
using Nomadstack.Operations;

namespace Nomadstack.Servers;

/// <summary>
/// Looks after the servers of this node for as long as the agent runs: hands over those no allocation claims, releases those Nomad has
/// placed elsewhere, and keeps the jobs and autopilot at what the cluster wants. Every round starts from what it observes.
/// </summary>
internal sealed class ServerKeeper(NodeContext context, ServerHost host, ServerJobs jobs, OperationLog operations, IReadOnlyDictionary<string, IServerProduct> products)
{
    public const string Kind = "hand-over";

    /// <summary>
    /// How often to look: while something moves, while a change of the membership is recent (a new node takes seconds to be ready in Nomad), and at rest.
    /// </summary>
    private static readonly TimeSpan s_moving = TimeSpan.FromMilliseconds(500), s_settling = TimeSpan.FromSeconds(2), s_resting = TimeSpan.FromSeconds(10);

    /// <summary>How long a change of the membership is recent.</summary>
    private static readonly TimeSpan s_recent = TimeSpan.FromSeconds(60);

    /// <summary>The leader's own node keeps the jobs. The others do so as rarely as this, should its agent be down.</summary>
    private static readonly TimeSpan s_deputy = TimeSpan.FromSeconds(60);

    /// <summary>A claim must be unknown to Nomad for this long, with a leader answering all the while, before it is believed gone (B-8).</summary>
    private static readonly TimeSpan s_orphanGrace = TimeSpan.FromSeconds(30);

    /// <summary>A job that was stopped or purged is registered again after this: without it no server would ever be replaced.</summary>
    private static readonly TimeSpan s_jobGrace = TimeSpan.FromSeconds(60);

    /// <summary>A leaving server whose peers have no leader for this long is needed for its vote.</summary>
    private static readonly TimeSpan s_voteGrace = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(5);

    private readonly ILogger _log = context.Logs.CreateLogger<ServerKeeper>();
    private readonly Dictionary<string, DateTimeOffset> _since = [];
    private readonly Dictionary<string, string> _waits = [];
    private Problem? _trouble;
    private long _deputyAt = context.Time.GetTimestamp();

    /// <summary>What a lingering server of this role waits for; null when none lingers.</summary>
    public string? WaitsFor(string role) => _waits.GetValueOrDefault(role);

    /// <summary>Runs until cancelled. <paramref name="clientRuns"/> tells whether this node's Nomad client runs, before which claims cannot be judged.</summary>
    public async Task RunAsync(Func<bool> clientRuns, CancellationToken cancel)
    {
        var changedAt = context.Time.GetUtcNow();
        while (true)
        {
            var seen = context.Membership.Current;
            if (await RoundAsync(clientRuns(), cancel)) await Task.Delay(s_moving, context.Time, cancel);
            // A server was released, a node joined.
            else if (await context.Membership.ChangedSinceAsync(seen, context.Time.GetUtcNow() - changedAt < s_recent ? s_settling : s_resting, cancel)) changedAt = context.Time.GetUtcNow();
        }
    }

    /// <summary>One round. A problem is logged when it is new, and the next round tries again: nothing here is given up.</summary>
    /// <returns>True while something is under way.</returns>
    public async Task<bool> RoundAsync(bool clientRuns, CancellationToken cancel)
    {
        try
        {
            // A node without servers has nothing to look after: what a cluster costs its servers must not grow with its nodes.
            var servers = host.Servers;
            if (servers.Count == 0) return false;
            host.PublishEntries();
            var moving = false;
            var api = await jobs.AnyServerAsync(cancel);
            foreach (var (record, instance) in servers)
            {
                moving |= await LookAfterAsync(record, instance, api, clientRuns, cancel);
                if (api is null) continue;
                var leads = await LeadsAsync(instance, cancel);
                if (record.Role == Role.Nomad && (leads || IsDeputysTurn())) moving |= await KeepJobsAsync(api, cancel);
                if (leads) moving |= await KeepMinQuorumAsync(instance, api, cancel);
            }

            _trouble = null;
            return moving;
        }
        catch (ProblemException e)
        {
            if (_trouble != e.Problem) _log.LogError("Looking after the servers failed and is tried again: {Problem}", e.Problem);
            _trouble = e.Problem;
            return true;
        }
    }

    /// <returns>True while something is under way.</returns>
    private async Task<bool> LookAfterAsync(ServerRecord record, ServerInstance instance, NomadApi? api, bool gated, CancellationToken cancel)
    {
        var role = record.Role;
        if (record.Leaving || record.Claim is null) return await LingerAsync(record, instance, api, cancel);
        _waits.Remove(role);
        if (gated && api is not null) await ReleaseOrphanAsync(record, api, cancel);
        if (record.WasVoter) return false;

        if (await instance.ObserveAsync(cancel) is { HasLeader: true } view && view.Member(record.RaftId) is { Voter: true, Healthy: true })
        {
            await host.MarkVoterAsync(role, cancel);
            host.Tell(role, "The server is a voter and has caught up");
        }

        return true;
    }

    private async Task<bool> LingerAsync(ServerRecord record, ServerInstance instance, NomadApi? api, CancellationToken cancel)
    {
        var role = record.Role;
        var peers = KnownServer.Of(context.Membership.Current, role).Where(s => s.Entry.RaftId != record.RaftId).ToList();
        var view = await RaftView.AskAnyAsync(products[role], [.. peers.Select(p => p.Http), instance.Http], cancel);
        // What it has promised to leave it has handed over already, and without a leader nothing is decided.
        var keys = record.Leaving || view is not { HasLeader: true } ? new HashSet<string>() : await products[role].KeysNeededAsync(instance.Site, [.. peers.Where(p => p.IsClaimed).Select(p => p.Http), instance.Http], cancel);
        var voters = peers.Where(p => p.IsClaimed && view?.Member(p.Entry.RaftId) is { Voter: true, Healthy: true }).ToList();
        var successors = voters.Where(p => p.HasKeys(keys)).ToList();
        var facts = new LingerFacts(
            LeaderKnown: view is { HasLeader: true },
            InConfiguration: view?.Member(record.RaftId) is not null,
            Successors: successors.Count,
            Desired: api is null ? null : await ServerJobs.DesiredAsync(api, role, cancel) is > 0 and var count ? count : null,
            record.WasVoter,
            voters.Count - successors.Count);
        if (instance.Process.Pid is null && !facts.LeaderKnown && HasLastedFor(role + "/vote", true, s_voteGrace))
        {
            _log.LogInformation("The {Role} server had begun to leave when it was stopped, and the others have no leader: it is started for its vote", role);
            await host.StartLeavingAsync(role, cancel);
            return true;
        }

        if (facts.LeaderKnown) HasLastedFor(role + "/vote", false, s_voteGrace);
        switch (LingerDecision.Next(facts))
        {
            case LingerDecision.Wait wait:
                _waits[role] = wait.For;
                return true;
            case var _ when !await IsConfirmedAsync(role, [.. peers.Select(p => p.Http)], cancel):
                _waits[role] = "a majority to confirm what one server says";
                return true;
            default:
                await HandOverAsync(role, successors, cancel);
                _waits.Remove(role);
                return true;
        }
    }

    private async Task HandOverAsync(string role, List<KnownServer> successors, CancellationToken cancel)
    {
        var run = operations.Unfinished(Kind) is { } begun && begun.Request.GetValueOrDefault("role") == role ? begun : operations.Begin(Kind, new Dictionary<string, string> { ["role"] = role });
        run.Step($"hand the {role} server over to {string.Join(", ", successors.Select(s => s.NodeName))}");
        try
        {
            if (await host.HandOverAsync(role, run.WaitFor, cancel)) run.Finish();
            else run.Finish("an allocation claimed the server again: nothing was done");
        }
        catch (ProblemException e)
        {
            run.Fail(e.Problem);
            _log.LogError("Hand-over of the {Role} server failed and is tried again: {Problem}", role, e.Problem);
        }
    }

    /// <summary>Releases a claim whose allocation Nomad no longer wants here: after a cold boot, or when the client lost its state.</summary>
    private async Task ReleaseOrphanAsync(ServerRecord record, NomadApi api, CancellationToken cancel)
    {
        var claim = record.Claim!;
        var key = record.Role + "/orphan";
        if (!(await api.AllocationsAsync(claim.JobId, s_callDeadline, cancel)).Try(out var allocations)) return;
        var wanted = allocations.Any(a => a.Id == claim.AllocId && a.DesiredStatus == "run" && !a.ClientTerminal);
        if (!HasLastedFor(key, !wanted, s_orphanGrace)) return;
        _log.LogWarning("Nomad no longer wants allocation {Allocation} of the {Role} server here: it lingers until its successor is there", claim.AllocId, record.Role);
        await host.ReleaseAsync(claim.TaskId, cancel);
    }

    /// <summary>Keeps both jobs registered and the desired count raised. Any agent may; compare-and-set lets one win.</summary>
    private async Task<bool> KeepJobsAsync(NomadApi api, CancellationToken cancel)
    {
        if (context.Membership.Current is not { } cluster || operations.Unfinished("bootstrap") is not null) return false;
        if (!(await api.NodesAsync(s_callDeadline, cancel)).Try(out var nodes)) return false;
        var eligible = nodes.Count(n => n.TakesServers);
        var moving = false;
        // The cluster's roles, not what this node happens to have a program for.
        foreach (var role in products.Keys.Where(role => role != Role.Consul || cluster.Consul))
        {
            if (await ServerJobs.DesiredAsync(api, role, cancel) is not { } desired) continue;
            if (HasLastedFor(role + "/job", desired == 0, s_jobGrace))
            {
                _log.LogWarning("The job {Job} is gone or stopped, and with it every replacement of a server: it is registered again", Role.JobId(role));
                await jobs.RegisterAsync(api, role, DesiredServers.For(eligible, 1, cluster.MaxServers), cancel);
            }

            var target = DesiredServers.For(eligible, desired, cluster.MaxServers);
            if (desired == 0 || target == desired) continue;
            moving = true;
            await Fault.AroundAsync("raise-" + role, async () =>
            {
                if (await ServerJobs.RaiseAsync(api, role, target, cancel))
                    _log.LogInformation("{Eligible} nodes can run servers: {Job} is raised from {From} to {To}", eligible, Role.JobId(role), desired, target);
            });
        }

        return moving;
    }

    /// <summary>Done on the leader's own node alone, and only once that many voters are there: autopilot then never shrinks the quorum below it.</summary>
    private static async Task<bool> KeepMinQuorumAsync(ServerInstance instance, NomadApi api, CancellationToken cancel)
    {
        if (await ServerJobs.DesiredAsync(api, instance.Site.Role, cancel) is not (> 0 and var desired)) return false;
        if (!(await instance.Api.RaftConfigurationAsync(stale: false, s_callDeadline, cancel)).Try(out var raft) || raft.Voters.Count() < desired) return true;
        if (!(await instance.Api.GetAutopilotConfigurationAsync(s_callDeadline, cancel)).Try(out var autopilot) || autopilot.MinQuorum == desired) return false;
        await instance.Api.PutAutopilotConfigurationAsync(autopilot.With(minQuorum: desired), s_callDeadline, cancel);
        return false;
    }

    /// <summary>Whether this very server is the leader, by its own word: the cheapest of all questions.</summary>
    private static async Task<bool> LeadsAsync(ServerInstance instance, CancellationToken cancel) =>
        await instance.Api.LeaderAsync(stale: true, s_callDeadline, cancel) == HostPort.Join(instance.Site.Address, instance.Site.Rpc);

    private bool IsDeputysTurn()
    {
        if (context.Time.GetElapsedTime(_deputyAt) < s_deputy) return false;
        _deputyAt = context.Time.GetTimestamp();
        return true;
    }

    /// <summary>Whether a leader with a majority behind it answers now: a server that was cut off may believe in a leader and a configuration of yesterday.</summary>
    private async Task<bool> IsConfirmedAsync(string role, IReadOnlyList<Uri> servers, CancellationToken cancel)
    {
        foreach (var server in servers)
        {
            if ((await products[role].Api(server).BarrierAsync(s_callDeadline, cancel)).IsOk) return true;
        }

        return false;
    }

    private bool HasLastedFor(string key, bool condition, TimeSpan grace)
    {
        if (!condition)
        {
            _since.Remove(key);
            return false;
        }

        var now = context.Time.GetUtcNow();
        if (!_since.TryGetValue(key, out var since)) _since[key] = since = now;
        return now - since >= grace;
    }
}
