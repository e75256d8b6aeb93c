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
    /// <summary>A clock that was wrong an hour ago may be right now.</summary>
    private static readonly TimeSpan ClockKept = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<string, DiskSpace> _disks = new();
    private readonly ConcurrentDictionary<string, (DateTimeOffset Clock, long At)> _clocks = new();

    /// <summary>This node's disk, which its peers are told.</summary>
    public Func<DiskSpace?> Disk { get; set; } = () => null;

    /// <summary>Raised when more of the peers that answer say that this node was removed than take it for a member. One alone, broken or stolen, removes nobody whom others know.</summary>
    public event Action<Problem>? Removed;

    /// <summary>Raised with the node's id when a peer has become unreachable, with the reason, and when it is heard again, with none. Handlers must be quick.</summary>
    public event Action<string, Problem?>? Changed;

    public bool IsReachable(string nodeId) => Of(nodeId).Failures < FailuresToDoubt;

    public PeerContact Of(string nodeId) => _contacts.GetValueOrDefault(nodeId) ?? new PeerContact(null, 0, null);

    /// <summary>What a peer last said of its disk. Kept when it falls silent: that may be why.</summary>
    public DiskSpace? DiskOf(string nodeId) => _disks.GetValueOrDefault(nodeId);

    /// <summary>What it says is shown to people, so it is bounded.</summary>
    public void Note(string nodeId, DiskSpace? disk)
    {
        if (disk is { Used: >= 0, Available: >= 0, Mount: { Length: > 0 and <= LongestMount } mount } && mount.All(c => !char.IsControl(c))) _disks[nodeId] = disk;
    }

    /// <summary>The time that a peer says it is.</summary>
    public void NoteClock(string nodeId, DateTimeOffset? clock)
    {
        if (clock is { } theirs) _clocks[nodeId] = (theirs, time.GetTimestamp());
    }

    /// <summary>How the clocks of these nodes and this one lie to each other. Counts the time since they were heard by the monotonic clock, so that a step of this node's clock shows at once.</summary>
    public PeerClocks Clocks(IEnumerable<NodeEntry> others)
    {
        Dictionary<string, TimeSpan> offsets = [];
        foreach (var node in others)
        {
            if (_clocks.TryGetValue(node.Id, out var seen) && time.GetElapsedTime(seen.At) is var age && age < ClockKept) offsets[node.Name] = seen.Clock + age - time.GetUtcNow();
        }

        return PeerClocks.Judge(offsets);
    }

    public void Heard(string nodeId) => Answered(nodeId, null);

    /// <summary>The peer answered, and something else went wrong.</summary>
    public void Refused(string nodeId, Problem why)
    {
        Answered(nodeId, why);
        if (why.Code != RemovedCode) return;
        var answering = _contacts.Values.Where(c => c is { LastHeard: not null, Failures: 0 }).ToList();
        if (answering.Count(c => c.LastError?.Code == RemovedCode) > answering.Count(c => c.LastError is null)) Removed?.Invoke(why);
    }

    public void Failed(string nodeId, Problem why)
    {
        var contact = _contacts.AddOrUpdate(nodeId, static (_, why) => new PeerContact(null, 1, why), static (_, was, why) => was with { Failures = was.Failures + 1, LastError = was.LastError?.Code == PeerProblems.LargePacketsLostCode ? was.LastError : why }, why);
        if (contact.Failures == FailuresToDoubt) Changed?.Invoke(nodeId, why);
    }

    private void Answered(string nodeId, Problem? why)
    {
        var gone = !IsReachable(nodeId);
        _contacts[nodeId] = new PeerContact(time.GetUtcNow(), 0, why);
        if (gone) Changed?.Invoke(nodeId, null);
    }

    /// <summary>Whether it has just become unreachable, so that it is worth finding out why.</summary>
    public bool HasJustGone(string nodeId) => Of(nodeId).Failures == FailuresToDoubt;

    /// <summary>Why it cannot be reached, better than its failures tell. Stays until it is heard.</summary>
    public void Explain(string nodeId, Problem why) =>
        _contacts.AddOrUpdate(nodeId, static (_, why) => new PeerContact(null, 1, why), static (_, was, why) => was.Failures == 0 ? was : was with { LastError = why }, why);
}
