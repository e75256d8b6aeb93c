// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Products;
using Nomadstack.Storage;

namespace Nomadstack.ColdBoot;

/// <summary>The highest raft index that this node has seen. It distinguishes a blank or older server from one that only lags.</summary>
internal sealed record SeenIndex : IHasSchema
{
    public int Schema { get; init; } = 1;
    public long Index { get; set; }

    /// <summary>The Nomad client has registered with this cluster.</summary>
    public bool Registered { get; set; }
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SeenIndex))]
internal sealed partial class ColdBootJson : JsonSerializerContext;

/// <summary>Reads the facts for <see cref="Gate"/>, and holds the Nomad client back until the gate opens.</summary>
internal sealed class Gatekeeper(NodeContext context, ISchedulerProduct scheduler)
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(150);
    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(3);

    private readonly DurableFile<SeenIndex> _file = new(Path.Combine(context.Paths.Data, scheduler.Row.Name, "seen.json"), 1, ColdBootJson.Default.SeenIndex);
    private SeenIndex? _seen;

    /// <summary>The last decision; null before the first check.</summary>
    public Gate? Last { get; private set; }

    /// <summary>Since when the gate is closed because there is no quorum.</summary>
    public DateTimeOffset? NoQuorumSince { get; private set; }

    private SeenIndex Seen => _seen ??= _file.Read() ?? new SeenIndex();

    /// <summary>Waits without a deadline. <paramref name="say"/> is called with the reason whenever it changes.</summary>
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

    /// <summary>One check of all recorded servers.</summary>
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

    /// <summary>Records the cluster's raft index. Called rarely; writes only if that is worth a disk write.</summary>
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
