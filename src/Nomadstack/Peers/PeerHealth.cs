// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <summary>What this node knows about its contact with a peer.</summary>
/// <param name="LastHeard">When the peer last answered or asked; null if never since this agent's start.</param>
/// <param name="Failures">Failed attempts in a row since then.</param>
/// <param name="LastError">Why the last attempt failed; null after one that worked.</param>
internal sealed record PeerContact(DateTimeOffset? LastHeard, int Failures, Problem? LastError);

/// <summary>Which peers answer. A peer is unreachable after two failed attempts in a row, and reachable again as soon as it is heard.</summary>
internal sealed class PeerHealth(TimeProvider time)
{
    public const string RemovedCode = "peers/removed";

    private const int FailuresToDoubt = 2;

    /// <summary>PATH_MAX of Linux.</summary>
    private const int LongestMount = 4096;

    private readonly ConcurrentDictionary<string, PeerContact> _contacts = new();
    private readonly ConcurrentDictionary<string, DiskSpace> _disks = new();

    /// <summary>This node's disk, which its peers are told.</summary>
    public Func<DiskSpace?> Disk { get; set; } = () => null;

    /// <summary>Raised when more of the peers that answer say that this node was removed than take it for a member. One alone, broken or stolen, removes nobody whom others know.</summary>
    public event Action<Problem>? Removed;

    public bool IsReachable(string nodeId) => Of(nodeId).Failures < FailuresToDoubt;

    public PeerContact Of(string nodeId) => _contacts.GetValueOrDefault(nodeId) ?? new PeerContact(null, 0, null);

    /// <summary>What a peer last said of its disk. Kept when it falls silent: that may be why.</summary>
    public DiskSpace? DiskOf(string nodeId) => _disks.GetValueOrDefault(nodeId);

    /// <summary>What it says is shown to people, so it is bounded.</summary>
    public void Note(string nodeId, DiskSpace? disk)
    {
        if (disk is { Used: >= 0, Available: >= 0, Mount: { Length: > 0 and <= LongestMount } mount } && mount.All(c => !char.IsControl(c))) _disks[nodeId] = disk;
    }

    public void Heard(string nodeId) => _contacts[nodeId] = new PeerContact(time.GetUtcNow(), 0, null);

    /// <summary>The peer answered, and something else went wrong.</summary>
    public void Refused(string nodeId, Problem why)
    {
        _contacts[nodeId] = new PeerContact(time.GetUtcNow(), 0, why);
        if (why.Code != RemovedCode) return;
        var answering = _contacts.Values.Where(c => c is { LastHeard: not null, Failures: 0 }).ToList();
        if (answering.Count(c => c.LastError?.Code == RemovedCode) > answering.Count(c => c.LastError is null)) Removed?.Invoke(why);
    }

    public void Failed(string nodeId, Problem why) =>
        _contacts.AddOrUpdate(nodeId, static (_, why) => new PeerContact(null, 1, why), static (_, was, why) => was with { Failures = was.Failures + 1, LastError = why }, why);
}
