// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Raft;

namespace Nomadstack.Engine.Tests.Raft.Simulation;

/// <summary>Servers, the network between them and the virtual time they live in. All chance comes from one seed, so a run can be had again.</summary>
internal sealed class SimCluster
{
    private static readonly TimeSpan s_step = TimeSpan.FromTicks(1);
    private readonly PriorityQueue<Action, (TimeSpan At, long Order)> _events = new();
    private readonly Queue<Func<string>>? _trace;
    private readonly HashSet<(string From, string To)> _cuts = [];
    private readonly Random _random;
    private long _order;

    public SimCluster(int seed, int servers, int spares, Mutation mutation, RaftOptions options, bool trace)
    {
        (Mutation, Options, _random) = (mutation, options, new Random(seed));
        _trace = trace ? new() : null;
        var members = Enumerable.Range(1, servers).Select(i => new RaftServer($"s{i}", $"s{i}:4647", Suffrage.Voter)).ToList();
        Servers = [.. Enumerable.Range(1, servers + spares).Select(i => new SimServer($"s{i}", this, new Random(_random.Next())))];
        foreach (var server in Servers.Take(servers)) RaftStorage.Bootstrap(server.Disk, new(members), options);
        foreach (var server in Servers) server.Start();
    }

    public Mutation Mutation { get; }

    public RaftOptions Options { get; }

    public IReadOnlyList<SimServer> Servers { get; }

    public Invariants Invariants { get; } = new();

    public History History { get; } = new();

    public TimeSpan Now { get; private set; }

    public double DropRate { get; set; }

    public double RepeatRate { get; set; }

    public TimeSpan MaxDelay { get; set; } = TimeSpan.FromMilliseconds(5);

    /// <summary>How long a server stays down at most.</summary>
    public TimeSpan MaxDowntime { get; set; } = TimeSpan.FromSeconds(1);

    public long Events { get; private set; }

    public SimServer? Leader => Servers.Where(s => s.Core is { Role: RaftRole.Leader }).MaxBy(s => s.Core!.Term);

    public IEnumerable<string> LastTrace => (_trace ?? []).Select(line => line());

    public SimServer Find(string id) => Servers.First(s => s.Id == id);

    public void Schedule(TimeSpan delay, Action action) => _events.Enqueue(action, (Now + (delay > TimeSpan.Zero ? delay : s_step), _order++));

    public void RunUntil(TimeSpan end, Func<bool>? done = null)
    {
        while (done?.Invoke() != true && _events.TryPeek(out var action, out var due) && due.At <= end)
        {
            _events.Dequeue();
            if (due.At > Now) Now = due.At;
            Events++;
            action();
        }

        if (done is null) Now = end;
    }

    public void Send(RaftMessage message)
    {
        var bytes = RaftCodec.Encode(message).ToArray();
        var copies = _random.NextDouble() < RepeatRate ? 2 : 1;
        for (var i = 0; i < copies; i++)
        {
            if (_random.NextDouble() < DropRate || _cuts.Contains((message.From, message.To))) continue;
            var delay = MaxDelay * _random.NextDouble() * _random.NextDouble();
            Schedule(delay, () => Deliver(RaftCodec.Decode(bytes)));
        }
    }

    public void Cut(string from, string to) => _cuts.Add((from, to));

    public void Heal() => _cuts.Clear();

    public void RestartLater(SimServer server) => Schedule(MaxDowntime * _random.NextDouble(), () =>
    {
        if (!server.IsUp) server.Start();
    });

    public void Trace(FormattableString what)
    {
        if (_trace is null) return;
        var (now, line) = (Now, what.ToString(System.Globalization.CultureInfo.InvariantCulture));
        _trace.Enqueue(() => $"{now.TotalSeconds:f4} {line}");
        if (_trace.Count > 200) _trace.Dequeue();
    }

    private void Deliver(RaftMessage message)
    {
        // A cut that came meanwhile stops what is on its way.
        if (_cuts.Contains((message.From, message.To))) return;
        if (_trace is not null) Trace($"{message.From}→{message.To} {Describe(message)}");
        Find(message.To).Receive(message);
    }

    private static string Describe(RaftMessage message) => message switch
    {
        AppendRequest m => $"append, term {m.Term}, {m.Entries.Count} entries behind {m.Previous.Index}/{m.Previous.Term} [{string.Join(' ', m.Entries.Select(e => $"{e.Index}/{e.Term}{(e.Kind == EntryKind.Configuration ? RaftConfiguration.Decode(e.Payload) : "")}"))}], commit {m.Commit}, round {m.Round}",
        SnapshotRequest m => $"snapshot {m.Snapshot.Index}/{m.Snapshot.Term} from byte {m.Offset}, {m.Bytes.Length} bytes, term {m.Term}",
        _ => message.ToString(),
    };
}
