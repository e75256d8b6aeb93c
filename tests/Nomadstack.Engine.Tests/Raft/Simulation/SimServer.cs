// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Raft;

namespace Nomadstack.Engine.Tests.Raft.Simulation;

/// <summary>One server: the core and the storage of the product, a list for its state, and around them what the runner does, in virtual time and with a crash wherever a file is touched.</summary>
internal sealed class SimServer(string id, SimCluster cluster, Random random)
{
    private readonly Dictionary<long, (long Term, History.Operation Write)> _writes = [];
    private readonly Dictionary<long, History.Operation> _reads = [];
    private RaftStorage? _storage;
    private long _life;
    private long _reading;
    private bool _saving;
    private TimeSpan _clockSetAt, _clock = TimeSpan.FromSeconds(random.NextDouble() * 100);
    private double _rate = 1;
    private TimeSpan? _tickAt;
    private TimeSpan _persistedAt;

    public string Id => id;

    public SimDisk Disk { get; } = new(random) { LiesAboutFiles = cluster.Mutation == Mutation.DiskLies, LiesAboutNames = cluster.Mutation == Mutation.ForgetsToSyncTheFolder };

    public RaftCore? Core { get; private set; }

    public ListMachine Machine { get; private set; } = new();

    public bool IsUp => Core is not null;

    /// <summary>How long this server's disk takes for a batch at most.</summary>
    public TimeSpan DiskLatency { get; set; } = TimeSpan.FromMilliseconds(2);

    public long SeenCommit { get; set; }

    public long SeenTerm { get; set; }

    public long SeenApplied { get; set; }

    public LogPosition? LedUpTo { get; set; }

    private TimeSpan Clock => _clock + ((cluster.Now - _clockSetAt) * _rate);

    public void SetClockRate(double rate)
    {
        (_clock, _clockSetAt, _rate) = (Clock, cluster.Now, rate);
        if (IsUp) ScheduleTick();
    }

    /// <summary>As when a machine was paused: everything that is due by then is due now.</summary>
    public void JumpClock(TimeSpan ahead)
    {
        (_clock, _clockSetAt) = (Clock + ahead, cluster.Now);
        if (IsUp) ScheduleTick();
    }

    public void Start()
    {
        _life++;
        try
        {
            _storage = RaftStorage.Open(Disk, cluster.Options, out var recovered);
            Machine = new();
            SeenApplied = recovered.Snapshot?.Position.Index ?? 0;
            (SeenCommit, SeenTerm, LedUpTo) = (SeenApplied, recovered.HardState.Term, null);
            if (recovered.Snapshot is { } snapshot) Machine.Restore(_storage.Snapshots.Bytes(snapshot));
            if (cluster.Mutation == Mutation.AppliesTwice && Machine.Count > 0) Machine.Append(Machine.Values[^1]);
            Core = new(id, cluster.Options, new Random(random.Next()), recovered, Clock);
            cluster.Trace($"{id} starts in term {recovered.HardState.Term} with a log from {recovered.Base.Index} to {Core.Last.Index}");
            if (recovered.Snapshot is { } restored) cluster.Invariants.Restored(this, restored);
            ScheduleTick();
        }
        catch (CrashException)
        {
            Die(powerLoss: random.Next(2) == 0);
        }
    }

    public void Die(bool powerLoss)
    {
        cluster.Trace($"{id} {(powerLoss ? "loses power" : "is killed")}");
        if (powerLoss) Disk.LosePower();
        else Disk.KillProcess();
        _life++;
        (Core, _storage, _saving, _tickAt) = (null, null, false, null);
        _writes.Clear();
        _reads.Clear();
        cluster.RestartLater(this);
    }

    /// <summary>Gives the core an input and does what it wants done. A crash point on the way ends the server.</summary>
    public void Do(Action<RaftCore> input)
    {
        if (Core is not { } core) return;
        try
        {
            core.Tick(Clock);
            input(core);
            Pump(core);
        }
        catch (CrashException)
        {
            Die(powerLoss: random.Next(2) == 0);
        }
    }

    public void Write(History.Operation write) => Do(core =>
    {
        if (core.Propose(ListMachine.Encode(write.Id)) is not { } position)
        {
            write.Refuse();
            return;
        }

        _writes[position.Index] = (position.Term, write);
    });

    public void Read(History.Operation read) => Do(core =>
    {
        if (cluster.Mutation == Mutation.ReadsWithoutRound && core.Role == RaftRole.Leader)
        {
            read.Complete(Machine.Count, Machine.Hash, cluster.Now);
            return;
        }

        _reads[++_reading] = read;
        core.Read(_reading);
    });

    public void Receive(RaftMessage message) => Do(core =>
    {
        if (cluster.Mutation == Mutation.VotesForAnyLog && message is VoteRequest vote) message = vote with { Last = new(long.MaxValue, long.MaxValue) };
        core.Receive(message);
    });

    public void TakeSnapshot() => Do(BeginSnapshot);

    private void BeginSnapshot(RaftCore core)
    {
        if (_saving || core.Applied == 0 || core.Applied == core.Log.Base.Index) return;
        _saving = true;
        var (meta, state) = (core.AppliedState, Machine.Snapshot());
        if (cluster.Mutation == Mutation.CompactsBeforeTheSnapshotIsDurable) core.SnapshotSaved(meta, bytes: 0);
        Later(DiskLatency * (2 * random.NextDouble()), now =>
        {
            _storage!.Snapshots.Save(meta, state);
            _saving = false;
            // As if the state were small: that snapshots are frequent is what makes this a trial of them.
            now.SnapshotSaved(meta, bytes: 0);
        });
    }

    private void Pump(RaftCore core)
    {
        if (cluster.Mutation == Mutation.SkipsPreVote && core.Role == RaftRole.PreCandidate)
            foreach (var voter in core.Configuration.Voters.ToList()) core.Receive(new VoteReply(voter.Id, id, core.Term + 1, PreVote: true, Granted: true));
        while (core.TakeOutput() is { IsEmpty: false } output)
        {
            cluster.Invariants.Stepped(this);
            foreach (var message in output.Messages) Send(message, core);
            foreach (var piece in output.PiecesToSend)
                if (_storage!.Snapshots.Fill(piece, cluster.Options.SnapshotChunkBytes) is { } filled) Send(filled, core);
            if (output.Restore is { } snapshot) Restore(snapshot);
            foreach (var entry in output.Apply) Apply(entry);
            Answer(output.Reads);
            foreach (var piece in output.PiecesToStore)
            {
                var received = _storage!.Snapshots.Receive(piece);
                if (piece.Last) core.SnapshotReceived(received);
            }
        }

        cluster.Invariants.Stepped(this);
        Persist(core);
        if (core.WantsSnapshot) BeginSnapshot(core);
        ScheduleTick();
    }

    private void Persist(RaftCore core)
    {
        while (core.TakeBatch() is { } batch)
        {
            cluster.Invariants.Written(id, core, batch);
            if (cluster.Mutation == Mutation.ForgetsItsVote && batch.HardState is { } hardState) batch = batch with { HardState = hardState with { VotedFor = null } };
            var early = cluster.Mutation == Mutation.AcknowledgesBeforeFsync;
            var storage = _storage!;
            _persistedAt = Max(cluster.Now, _persistedAt) + (DiskLatency * random.NextDouble());
            Later(_persistedAt - cluster.Now, now =>
            {
                storage.Log.Append(batch);
                if (!early) now.Persisted();
            });
            if (!early) return;
            core.Persisted();
            Pump(core);
        }
    }

    private void Send(RaftMessage message, RaftCore core)
    {
        if (cluster.Mutation == Mutation.CommitsEarlierTermsByCounting && message is AppendRequest append && core.Role == RaftRole.Leader)
        {
            var counted = core.Configuration.ReachedByMajority(voter => voter == id ? core.Last.Index : Math.Min(core.Last.Index, core.Followers.GetValueOrDefault(voter)?.Match ?? 0));
            message = append with { Commit = Math.Max(append.Commit, counted) };
        }

        cluster.Send(message);
    }

    private void Apply(LogEntry entry)
    {
        if (entry.Kind == EntryKind.Command) Machine.Append(ListMachine.Decode(entry.Payload));
        cluster.Invariants.Applied(this, entry);
        if (!_writes.Remove(entry.Index, out var waiting)) return;
        if (waiting.Term == entry.Term) waiting.Write.Complete(Machine.Count, 0, cluster.Now);
        else waiting.Write.Refuse();
    }

    private void Restore(SnapshotMeta snapshot)
    {
        Machine.Restore(_storage!.Snapshots.Bytes(snapshot));
        cluster.Invariants.Restored(this, snapshot);
        // What became of the writes below it nobody knows.
        foreach (var index in _writes.Keys.Where(i => i <= snapshot.Position.Index).ToList()) _writes.Remove(index);
    }

    private void Answer(IReadOnlyList<ReadResult> results)
    {
        foreach (var result in results)
            if (_reads.Remove(result.ReadId, out var read) && result.Granted) read.Complete(Machine.Count, Machine.Hash, cluster.Now);
    }

    /// <summary>Something that is under way while the process lives, such as a write to its disk.</summary>
    private void Later(TimeSpan delay, Action<RaftCore> then)
    {
        var life = _life;
        cluster.Schedule(delay, () =>
        {
            if (life == _life) Do(then);
        });
    }

    private void ScheduleTick()
    {
        var due = cluster.Now + Max((Core!.NextTick - Clock) / _rate, TimeSpan.FromTicks(1));
        if (_tickAt is { } at && at >= cluster.Now && at <= due) return;
        _tickAt = due;
        var life = _life;
        cluster.Schedule(due - cluster.Now, () =>
        {
            if (life != _life || _tickAt != due) return;
            _tickAt = null;
            Do(_ => { });
        });
    }

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;
}
