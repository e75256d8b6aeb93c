// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Raft;

namespace Nomadstack.Engine.Server;

/// <param name="StableSince">When <paramref name="Healthy"/> last changed.</param>
internal sealed record ServerHealth(RaftServer Server, MemberView? Member, bool Leader, bool Healthy, DateTimeOffset StableSince);

/// <summary>
/// Keeps the raft in step with the servers there are, on the leader: takes in who joined, gives a vote to who has been stable, removes who left, and who
/// failed as long as a quorum does not suffer.
/// </summary>
internal sealed class Autopilot(RaftHost raft, Membership members, Func<AutopilotSettings> settings, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_changeDeadline = TimeSpan.FromSeconds(10);

    /// <summary>A single late word is no illness on a busy machine.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    /// <summary>Nomad looks once in so long for servers that live and are not in the raft.</summary>
    private static readonly TimeSpan s_staysRemoved = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, DateTimeOffset> _removed = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (bool Healthy, DateTimeOffset Since, DateTimeOffset WellAt)> _health = new(StringComparer.Ordinal);

    /// <summary>While this server leads.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        // What an earlier term has seen is old news.
        lock (_gate)
        {
            _health.Clear();
            _removed.Clear();
        }

        using var timer = new PeriodicTimer(s_interval, time);
        do
        {
            foreach (var (what, change) in Changes(Observe())) await TryAsync(what, change, stop);
        }
        while (await timer.WaitForNextTickAsync(stop));
    }

    /// <summary>An operator has removed a server. One that lives comes back, but not at once.</summary>
    public void Removed(string id)
    {
        lock (_gate) _removed[id] = time.GetUtcNow();
    }

    /// <summary>Every server of the raft, by id.</summary>
    public IReadOnlyList<ServerHealth> Observe()
    {
        if (raft.Node is not { } node) return [];
        var (status, now, all, set) = (node.Status, time.GetUtcNow(), members.All, settings());
        lock (_gate)
        {
            foreach (var gone in _health.Keys.Where(id => status.Configuration.Find(id) is null).ToList()) _health.Remove(gone);
            return [.. status.Configuration.Servers.Select(server =>
            {
                var member = all.FirstOrDefault(m => m.Member.ID == server.Id);
                var before = _health.GetValueOrDefault(server.Id, (Healthy: false, Since: now, WellAt: DateTimeOffset.MinValue));
                var well = server.Id == node.Id || (member?.Status == MemberStatus.Alive && IsWell(member.Raft, status, set));
                var wellAt = well ? now : before.WellAt;
                var healthy = member?.Status is null or MemberStatus.Alive && now - wellAt <= s_patience;
                _health[server.Id] = (healthy, healthy == before.Healthy ? before.Since : now, wellAt);
                return new ServerHealth(server, member, server.Id == status.Leader, healthy, _health[server.Id].Since);
            })];
        }
    }

    private static bool IsWell(RaftReport? report, RaftStatus leader, AutopilotSettings set) =>
        report is { LastContact: { } contact } && report.Term == leader.Term && contact <= set.LastContactThreshold && leader.Last - report.LastIndex <= set.MaxTrailingLogs;

    /// <summary>In the order in which they are safe: first who is gone for good, then who is new, then votes, then the dead.</summary>
    private IEnumerable<(string What, Func<RaftNode, CancellationToken, Task<RaftOutcome>> Change)> Changes(IReadOnlyList<ServerHealth> servers)
    {
        var set = settings();
        foreach (var server in servers.Where(s => !s.Leader && s.Member is { Status: MemberStatus.Left } or { Member.Leaving: true }))
            yield return ($"{Name(server)} has left", (node, cancel) => node.RemoveAsync(server.Server.Id, cancel));

        foreach (var member in members.All.Where(m => m.Status == MemberStatus.Alive).Select(m => m.Member))
        {
            var known = servers.FirstOrDefault(s => s.Server.Id == member.ID)?.Server;
            if (known?.Address == member.Rpc || WasRemoved(member.ID)) continue;
            if (servers.FirstOrDefault(s => s.Server.Address == member.Rpc) is { } squatter && squatter.Server.Id != member.ID)
                yield return ($"{Name(squatter)} has lost its address to {member.Name}", (node, cancel) => node.RemoveAsync(squatter.Server.Id, cancel));
            yield return ($"{member.Name} joins at {member.Rpc}", (node, cancel) => node.AddNonVoterAsync(member.ID, member.Rpc, cancel));
        }

        foreach (var server in servers.Where(s => s.Server.Suffrage == Suffrage.NonVoter && s.Healthy && time.GetUtcNow() - s.StableSince >= set.ServerStabilizationTime))
            yield return ($"{Name(server)} is stable and becomes a voter", (node, cancel) => node.AddVoterAsync(server.Server.Id, server.Server.Address, cancel));

        if (!set.CleanupDeadServers) yield break;
        var dead = servers.Where(s => !s.Leader && s.Member is null or { Status: MemberStatus.Failed } && time.GetUtcNow() - s.StableSince >= MemberTable.FailsAfter).ToList();
        foreach (var server in dead.Where(s => s.Server.Suffrage != Suffrage.Voter))
            yield return ($"{Name(server)} has failed", (node, cancel) => node.RemoveAsync(server.Server.Id, cancel));
        var voters = servers.Count(s => s.Server.Suffrage == Suffrage.Voter);
        var deadVoters = dead.Where(s => s.Server.Suffrage == Suffrage.Voter).ToList();
        if (deadVoters.Count > (voters - 1) / 2 || voters - deadVoters.Count < set.MinQuorum) yield break;
        foreach (var server in deadVoters)
            yield return ($"{Name(server)} has failed", (node, cancel) => node.RemoveAsync(server.Server.Id, cancel));
    }

    private bool WasRemoved(string id)
    {
        lock (_gate) return _removed.TryGetValue(id, out var at) && time.GetUtcNow() - at < s_staysRemoved;
    }

    private static string Name(ServerHealth server) => server.Member?.Member.Name ?? server.Server.Id;

    private async Task TryAsync(string what, Func<RaftNode, CancellationToken, Task<RaftOutcome>> change, CancellationToken stop)
    {
        using var late = new CancellationTokenSource(s_changeDeadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(late.Token, stop);
        try
        {
            var outcome = await change(raft.Node!, both.Token);
            if (outcome is RaftOutcome.Done) log.LogInformation("{What}", what);
            else log.LogInformation("Raft could not make a change yet: {What}: {Outcome}", what, outcome);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            log.LogInformation("Raft did not make a change within {Seconds} s: {What}", s_changeDeadline.TotalSeconds, what);
        }
    }
}
