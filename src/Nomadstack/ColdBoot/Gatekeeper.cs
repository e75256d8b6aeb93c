// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Products;
using Nomadstack.Storage;

namespace Nomadstack.ColdBoot;

/// <summary>Highest raft index this node has seen, so that a blank or older server is told apart from one that only lags.</summary>
internal sealed record SeenIndex : IHasSchema
{
    public int Schema { get; init; } = 1;
    public long Index { get; set; }

    /// <summary>The Nomad client registered with this cluster once.</summary>
    public bool Registered { get; set; }
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SeenIndex))]
internal sealed partial class ColdBootJson : JsonSerializerContext;

/// <summary>Reads what <see cref="Gate"/> decides on, and holds the Nomad client back until it opens.</summary>
internal sealed class Gatekeeper(NodeContext context, ISchedulerProduct scheduler)
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(150);
    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(3);

    private readonly DurableFile<SeenIndex> _file = new(Path.Combine(context.Paths.Data, scheduler.Row.Name, "seen.json"), 1, ColdBootJson.Default.SeenIndex);
    private SeenIndex? _seen;

    /// <summary>The last verdict; null before the first look.</summary>
    public Gate? Last { get; private set; }

    /// <summary>When the gate was last found closed for want of a quorum, for "since when".</summary>
    public DateTimeOffset? NoQuorumSince { get; private set; }

    private SeenIndex Seen => _seen ??= _file.Read() ?? new SeenIndex();

    /// <summary>Waits as long as it takes; <paramref name="say"/> is told for what, whenever that changes.</summary>
    public async Task<Gate.Open> WaitAsync(Action<string> say, CancellationToken cancel)
    {
        while (true)
        {
            switch (await LookAsync(cancel))
            {
                case Gate.Open open:
                    return open;
                case Gate.Closed closed:
                    say(closed.For);
                    break;
            }

            await Task.Delay(s_poll, context.Time, cancel);
        }
    }

    /// <summary>One look at all recorded servers.</summary>
    public async Task<Gate> LookAsync(CancellationToken cancel)
    {
        var servers = KnownServer.Of(context.Membership.Current, scheduler.Row.Name);
        var views = await Task.WhenAll(servers.Select(async s => (Server: s, View: await Api(s).StandingAsync(cancel))));
        long? read = null;
        var known = true;
        if (views.Where(v => v.View is { Leads: true }).OrderByDescending(v => v.View!.AppliedIndex).FirstOrDefault() is { View: not null } leader)
        {
            // The barrier proves that this leader still leads a majority and has applied its whole log.
            if ((await Api(leader.Server).BarrierAsync(s_callDeadline, cancel)).IsOk)
            {
                var nodes = await scheduler.Scheduler(context.Endpoints.Of(scheduler.Row, leader.Server)).NodesAsync(s_callDeadline, cancel);
                if (nodes.Try(out var list))
                {
                    read = nodes.IndexSeen;
                    known = !Seen.Registered || list.Any(n => n.Name == context.Node.Name);
                }
            }
        }

        var gate = Gate.Decide(new GateFacts([.. views.Select(v => Describe(v.Server, v.View))], read, known, Seen.Index));
        NoQuorumSince = gate is Gate.Closed { NoQuorum: true } ? NoQuorumSince ?? context.Time.GetUtcNow() : null;
        return Last = gate;
    }

    /// <summary>Remembers how far the cluster has come. Called rarely; writes only what is worth a disk write.</summary>
    public void Remember(long index, bool registered)
    {
        if (index < Seen.Index + 64 && registered == Seen.Registered) return;
        var next = Seen with { Index = Math.Max(index, Seen.Index), Registered = registered || Seen.Registered };
        if (next == Seen) return;
        _file.Write(next);
        _seen = next;
    }

    private IServerApi Api(KnownServer server) => scheduler.Server(context.Endpoints.Of(scheduler.Row, server));

    private static GateServer Describe(KnownServer server, RaftStanding? view) =>
        new(server.NodeName, server.Rpc, view?.AppliedIndex, view?.LastLogIndex, view is { Leads: true }, view is { HasLeader: true });
}
