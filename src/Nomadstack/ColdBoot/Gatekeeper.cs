// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Storage;
using Nomadstack.Timeline;

namespace Nomadstack.ColdBoot;

/// <summary>What this node knows of the cluster's past, so that a leader that has lost some of it is told apart from one that only lags.</summary>
internal sealed record Memory : IHasSchema
{
    public int Schema { get; init; } = 1;

    /// <summary>Highest raft index seen.</summary>
    public long Index { get; init; }

    /// <summary>The client registered with this cluster once.</summary>
    public bool Registered { get; init; }

    /// <summary>The id under which it did; empty as long as only an older release wrote this file.</summary>
    public string NodeId { get; init; } = "";

    /// <summary>The cluster's <see cref="History"/>, as text.</summary>
    public string Marks { get; init; } = "";

    /// <summary>Ids of the allocations that ran here at the last look.</summary>
    public IReadOnlyList<string> Allocations { get; init => field = value ?? []; } = [];

    /// <summary>Their names, by id; none for those that an older release wrote down.</summary>
    public IReadOnlyDictionary<string, string> Names { get; init => field = value ?? new Dictionary<string, string>(); } = new Dictionary<string, string>();

    /// <summary>When that was, by the wall clock: nothing else counts on through a power cut.</summary>
    public DateTimeOffset? LookedAt { get; init; }
}

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Memory))]
internal sealed partial class ColdBootJson : JsonSerializerContext;

/// <summary>Reads the facts for <see cref="Gate"/>, and holds the Nomad client back until the gate opens.</summary>
internal sealed class Gatekeeper(NodeContext context, ISchedulerProduct scheduler)
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(150);

    /// <summary>A closed gate writes nothing; what proves an open one is a write, and is not repeated faster than this.</summary>
    private static readonly TimeSpan s_betweenProofs = TimeSpan.FromMilliseconds(300);

    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(3);

    /// <summary>
    /// Nomad forgets an ended allocation an hour after it ended at the earliest (nomad/structs/config, EvalGCThreshold); what this node remembers may be five minutes old.
    /// </summary>
    private static readonly TimeSpan s_awayLong = TimeSpan.FromMinutes(50);

    private readonly DurableFile<Memory> _file = new(Path.Combine(context.Paths.Data, scheduler.Row.Name, "seen.json"), 1, ColdBootJson.Default.Memory);
    private readonly ILogger _log = context.Logs.CreateLogger<Gatekeeper>();
    private readonly Lock _lock = new();
    private Memory? _memory;
    private long? _provedAt;

    /// <summary>The last decision; null before the first check.</summary>
    public Gate? Last { get; private set; }

    /// <summary>Ids of the allocations that ran here and that the leader did not know at the last look: accepting its state stops them.</summary>
    private IReadOnlyList<string> _unknown = [];

    /// <summary>How a client node, which may not write, learns whether the server of a node leads; null where the write is done here.</summary>
    public Func<string, CancellationToken, Task<bool>>? ProvedElsewhere { get; set; }

    /// <summary>Since when the gate is closed because there is no quorum.</summary>
    public DateTimeOffset? NoQuorumSince { get; private set; }

    /// <summary>What this node remembers.</summary>
    public Memory Memory
    {
        get
        {
            lock (_lock) return _memory ??= _file.Read() ?? new Memory();
        }
    }

    /// <summary>Waits without a deadline. <paramref name="say"/> is called with the reason whenever it changes.</summary>
    public async Task<Gate.Open> WaitAsync(Action<string> say, CancellationToken cancel)
    {
        var told = "";
        var began = context.Time.GetTimestamp();
        while (true)
        {
            switch (await LookAsync(cancel))
            {
                case Gate.Open open:
                    var seconds = context.Time.GetElapsedTime(began).TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
                    context.Timeline.Tell(EventKinds.GateOpened, $"The gate is open after {seconds} s: the {scheduler.Row.Title} client may start.", (EventFields.Seconds, seconds));
                    return open;
                case Gate.Closed closed:
                    say(closed.For);
                    // An index that counts up is no other reason.
                    var reason = string.Concat(closed.For.Where(c => !char.IsAsciiDigit(c)));
                    if (reason != told && closed.StateLost) _log.LogWarning("The {Product} client waits at the gate for {What}", scheduler.Row.Title, closed.For);
                    if (reason != told) context.Timeline.Tell(EventKinds.GateClosed, $"The gate waits for {closed.For}.", (EventFields.Reason, closed.For));
                    told = reason;
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
        var facts = new GateFacts([.. views.Select(v => Describe(v.Server, v.View))], null, true, Memory.Index);
        var leader = views.Where(v => v.View is { Leads: true }).OrderByDescending(v => v.View!.AppliedIndex).FirstOrDefault();
        if (leader is { View: not null }) facts = await AskAsync(facts, scheduler.Scheduler(context.Endpoints.Of(scheduler.Row, leader.Server)), cancel);
        var gate = Gate.Decide(facts);
        if (gate is Gate.Open && !await IsProvedAsync(leader.Server, cancel)) gate = new Gate.Closed($"a majority behind the leader on {leader.Server.NodeName}", NoQuorum: false);
        NoQuorumSince = gate is Gate.Closed { NoQuorum: true } ? NoQuorumSince ?? context.Time.GetUtcNow() : null;
        return Last = gate;
    }

    /// <summary>Remembers what the cluster's past is and what runs here. Called about once a minute; writes only what changed.</summary>
    public void Remember(Func<Memory, Memory> change)
    {
        lock (_lock)
        {
            var next = change(Memory);
            if (next == _memory) return;
            _file.Write(next);
            _memory = next;
        }
    }

    /// <summary>What <see cref="Accept"/> would do now.</summary>
    /// <returns>What the gate waits for, and the allocations that would be stopped: id, and name where it is known.</returns>
    /// <exception cref="ProblemException"><c>recover/nothing-to-accept</c>.</exception>
    public (string WaitsFor, IReadOnlyList<(string Id, string Name)> Stopped) Acceptable()
    {
        if (Last is not Gate.Closed { StateLost: true } lost) throw new ProblemException(ColdBootProblems.NothingToAccept(Last is Gate.Closed closed ? closed.For : null));
        return (lost.For, [.. _unknown.Select(id => (id, Memory.Names.GetValueOrDefault(id, ""))).OrderBy(a => a.Item2, StringComparer.Ordinal).ThenBy(a => a.id, StringComparer.Ordinal)]);
    }

    /// <summary>
    /// Takes the state that the servers have for the right one, whatever this node remembers: the gate opens, and this node's tasks become what that state says.
    /// </summary>
    /// <param name="seen">Ids of the allocations that a person agreed to lose; null for whatever is lost.</param>
    /// <exception cref="ProblemException"><c>recover/nothing-to-accept</c>, <c>recover/other-loss</c>.</exception>
    public void Accept(IReadOnlyList<string>? seen = null)
    {
        if (Acceptable().Stopped.FirstOrDefault(a => seen?.Contains(a.Id) == false) is { Id: { } unseen, Name: var name }) throw new ProblemException(ColdBootProblems.OtherLoss(name.Length > 0 ? name : unseen));
        context.Timeline.Tell(EventKinds.GateOverridden, "A person has accepted the state that the servers have: the gate opens.");
        Remember(_ => new Memory());
    }

    /// <summary>What the leader knows of this node and of the past. Reads alone.</summary>
    private async Task<GateFacts> AskAsync(GateFacts facts, IScheduler leader, CancellationToken cancel)
    {
        var memory = Memory;
        var (asked, noted) = (leader.NodesAsync(s_callDeadline, cancel), leader.ReadNoteAsync(s_callDeadline, cancel));
        if (!(await asked).Try(out var nodes) || !(await noted).Try(out var note)) return facts;
        var self = nodes.FirstOrDefault(n => memory.NodeId.Length > 0 ? n.ID == memory.NodeId : n.Name == context.Node.Name);
        IReadOnlyList<string> missing = [];
        // A leader that does not know the node knows none of its allocations.
        _unknown = memory.Allocations;
        if (self is not null && memory.Allocations.Count > 0)
        {
            if (!(await leader.AllocationsOnAsync(self.ID, s_callDeadline, cancel)).Try(out var known)) return facts;
            _unknown = missing = [.. memory.Allocations.Except(known.Select(a => a.Id))];
        }

        var (remembered, held) = (History.Parse(memory.Marks), History.Parse(note.Text));
        // What ran here and is not in the state that an operator has restored since was given up with consent.
        if (held.IsRestoredSince(remembered, context.Membership.Settings?.Text(SettingNames.Restored))) missing = [];
        var away = context.Time.GetUtcNow() - memory.LookedAt;
        return facts with
        {
            ReadIndex = (await asked).IndexSeen,
            LeaderKnowsNode = !memory.Registered || self is not null,
            Past = History.Compare(remembered, held),
            Missing = missing.Count,
            AwayLong = away > s_awayLong,
        };
    }

    /// <summary>Whether the leader still leads a majority and has applied its whole log. A write, hence the last thing that is asked.</summary>
    private async Task<bool> IsProvedAsync(KnownServer leader, CancellationToken cancel)
    {
        if (_provedAt is { } at && context.Time.GetElapsedTime(at) < s_betweenProofs) return false;
        _provedAt = context.Time.GetTimestamp();
        if (context.Trust is { IsGiven: true, IsSecure: true } && ProvedElsewhere is { } prove) return await prove(leader.NodeId, cancel);
        return (await Api(leader).BarrierAsync(s_callDeadline, cancel)).IsOk;
    }

    private IServerApi Api(KnownServer server) => scheduler.Server(context.Endpoints.Of(scheduler.Row, server));

    private static GateServer Describe(KnownServer server, RaftStanding? view) =>
        new(server.NodeName, server.Rpc, view?.AppliedIndex, view?.LastLogIndex, view is { Leads: true }, view is { HasLeader: true });
}
