// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>
/// Until when each node has to report again. After an election everybody gets the long grace, since nobody knows when they reported last: a cluster
/// whose servers were all down must not lose its allocations for that.
/// </summary>
/// <remarks>Not for two threads at once. The leader's alone: empty anywhere else.</remarks>
/// <param name="failoverTtl">The grace after an election; <c>failover_heartbeat_ttl</c>.</param>
internal sealed class Heartbeats(Random random, TimeSpan? failoverTtl = null)
{
    public static readonly TimeSpan MinTtl = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan DefaultFailoverTtl = TimeSpan.FromMinutes(5);
    private const double MaxPerSecond = 50;

    private readonly Dictionary<string, DateTimeOffset> _expires = new(StringComparer.Ordinal);

    public int Count => _expires.Count;

    /// <summary>When the first is overdue, if it does not report until then.</summary>
    public DateTimeOffset? NextDue => _expires.Count > 0 ? _expires.Values.Min() : null;

    /// <summary>This server has become the leader.</summary>
    public void Start(IEnumerable<Node> nodes, DateTimeOffset now)
    {
        _expires.Clear();
        foreach (var node in nodes.Where(n => !n.IsDown)) _expires[node.ID] = now + (failoverTtl ?? DefaultFailoverTtl);
    }

    /// <summary>A node has reported. The answer is in how long it should again: later in a large cluster, and not all at once.</summary>
    public TimeSpan Beat(string nodeId, DateTimeOffset now)
    {
        var scaled = TimeSpan.FromSeconds(_expires.Count / MaxPerSecond);
        var ttl = scaled > MinTtl ? scaled : MinTtl;
        ttl += ttl * random.NextDouble();
        _expires[nodeId] = now + ttl + Grace;
        return ttl;
    }

    public void Forget(string nodeId) => _expires.Remove(nodeId);

    /// <summary>Nodes that have not reported in time. Each is told once.</summary>
    public IReadOnlyList<string> TakeMissed(DateTimeOffset now)
    {
        var missed = _expires.Where(e => e.Value <= now).Select(e => e.Key).Order(StringComparer.Ordinal).ToList();
        missed.ForEach(id => _expires.Remove(id));
        return missed;
    }

    /// <summary>What follows for the cluster.</summary>
    public static UpdateNodeStatus MarkDown(StateSnapshot state, string nodeId, DateTimeOffset now, Func<string> newId) => new(
        nodeId, NodeStatus.Down, now, NodeEvent.Of(NodeEvent.Cluster, "Node heartbeat missed", now), NodeEvaluations.For(state, nodeId, EvalTrigger.NodeUpdate, now, newId));
}
