// SPDX-License-Identifier: MPL-2.0
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Nomadstack.Engine.Raft;

/// <summary>
/// Runs one server: a single loop feeds the core with messages, requests and time, and does what the core wants. Writing to the disk goes on beside the loop,
/// while entries are already on their way to followers; what may only be said once it is durable, the core holds back.
/// </summary>
/// <remarks>
/// When the disk or the state machine fails the node stops and says nothing more, <see cref="Completion"/> tells why, and what is waiting gets
/// <see cref="RaftOutcome.Unknown"/>: a server that cannot remember must not vote.
/// </remarks>
internal sealed partial class RaftNode : IAsyncDisposable
{
    /// <summary>Inputs taken together before anything is sent or written, so that many proposals share an append and an fsync, and a flood does not delay a heartbeat.</summary>
    private const int InputsPerStep = 1024;

    private readonly Channel<Action<RaftCore>> _inputs = Channel.CreateUnbounded<Action<RaftCore>>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Dictionary<long, (long Term, TaskCompletionSource<RaftOutcome> Answer)> _proposals = [];
    private readonly Dictionary<long, TaskCompletionSource<RaftOutcome>> _reads = [];
    private readonly List<(Func<RaftStatus, bool> Until, TaskCompletionSource<RaftStatus> Answer)> _watchers = [];
    private readonly RaftStorage _storage;
    private readonly RaftOptions _options;
    private readonly IStateMachine _machine;
    private readonly IRaftTransport _transport;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly RaftCore _core;
    private readonly long _startedAt;
    private Task _persisting = Task.CompletedTask;
    private Task _saving = Task.CompletedTask;
    private TaskCompletionSource<RaftOutcome>? _snapshot;
    private long _readId;

    private RaftNode(string id, RaftStorage storage, RecoveredState recovered, RaftOptions options, IStateMachine machine, IRaftTransport transport, TimeProvider time, ILogger log)
    {
        (_storage, _options, _machine, _transport, _time, _log) = (storage, options, machine, transport, time, log);
        _startedAt = time.GetTimestamp();
        _core = new(id, options, new Random(), recovered, TimeSpan.Zero);
        Status = StatusOf(_core);
    }

    public string Id => _core.Id;

    /// <summary>How this server stands.</summary>
    public RaftStatus Status { get; private set; }

    /// <summary>The role, the term or the leader has changed. Called on the node's loop: whoever listens must neither block nor throw.</summary>
    public event Action<RaftStatus>? LeadershipChanged;

    /// <summary>Ends when the node does; faulted when something broke.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>For reads that may be stale: how long ago a leader was heard from. Zero on the leader, null when none ever was.</summary>
    public TimeSpan? LastContact => Status is { Leads: false } status ? Now - status.ContactAt : TimeSpan.Zero;

    private TimeSpan Now => _time.GetElapsedTime(_startedAt);

    /// <summary>Opens the storage, restores the state machine and starts. The node owns the transport and disposes it.</summary>
    /// <exception cref="RaftDamageException">The storage lacks something that had been acknowledged.</exception>
    public static RaftNode Start(string id, IRaftFiles files, RaftOptions options, IStateMachine machine, IRaftTransport transport, TimeProvider time, ILogger log)
    {
        var storage = RaftStorage.Open(files, options, out var recovered);
        if (storage.Log.TornBytes > 0) log.LogWarning("The raft log ended with {Bytes} bytes of an unfinished write; they were removed", storage.Log.TornBytes);
        if (recovered.Snapshot is { } snapshot) Restore(machine, storage, snapshot);
        var node = new RaftNode(id, storage, recovered, options, machine, transport, time, log);
        node.Completion = Task.Run(node.RunAsync);
        transport.Start(message => node._inputs.Writer.TryWrite(core => core.Receive(message)));
        return node;
    }

    /// <summary>Stops without ceremony: to give leadership away first is the caller's choice.</summary>
    public async ValueTask DisposeAsync()
    {
        _inputs.Writer.TryComplete();
        // Why it failed, if it did, Completion has told and keeps telling.
        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _transport.DisposeAsync();
    }

    private async Task RunAsync()
    {
        var (due, rang) = (TimeSpan.Zero, false);
        using var timer = _time.CreateTimer(_ => _inputs.Writer.TryWrite(_ => rang = true), null, TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        try
        {
            while (await _inputs.Reader.WaitToReadAsync())
            {
                _core.Tick(Now);
                for (var i = 0; i < InputsPerStep && _inputs.Reader.TryRead(out var input); i++) input(_core);
                Act();
                Publish();
                // What comes later than the timer rings waits for the ring: a follower's time is put off with every heartbeat.
                if (!rang && _core.NextTick >= due) continue;
                (due, rang) = (_core.NextTick, false);
                timer.Change(WholeMilliseconds(due - Now), Timeout.InfiniteTimeSpan);
            }
        }
        catch (Exception e)
        {
            _log.LogCritical(e, "Raft stopped on {Server}: its disk or its state failed", Id);
            throw;
        }
        finally
        {
            _inputs.Writer.TryComplete();
            await EndAsync();
        }
    }

    /// <summary>Rounded up. A timer cuts off what is less than a millisecond, and would ring again and again until the time has really come.</summary>
    private static TimeSpan WholeMilliseconds(TimeSpan wait) => wait > TimeSpan.Zero ? TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds)) : TimeSpan.Zero;

    /// <summary>Does what the core wants, in its order.</summary>
    private void Act()
    {
        while (_core.TakeOutput() is { IsEmpty: false } output)
        {
            foreach (var message in output.Messages) Send(message);
            foreach (var piece in output.PiecesToSend)
                if (_storage.Snapshots.Fill(piece, _options.SnapshotChunkBytes) is { } filled) Send(filled);
            if (output.Restore is { } snapshot) Restore(snapshot);
            foreach (var entry in output.Apply) Apply(entry);
            foreach (var read in output.Reads) Answer(read);
            // Synced on the loop: a server that is being sent a snapshot has nothing better to do.
            foreach (var piece in output.PiecesToStore)
            {
                var received = _storage.Snapshots.Receive(piece);
                if (!piece.Last) continue;
                if (received is null) _log.LogWarning("The snapshot from {Leader} arrived damaged; this server requests it again", piece.From);
                _core.SnapshotReceived(received);
            }
        }

        if (_core.TakeBatch() is { } batch) _persisting = Beside(() => _storage.Log.Append(batch), core => core.Persisted());
        if (_core.WantsSnapshot) _ = BeginSnapshot();
        if (_core.Role != RaftRole.Leader && _proposals.Count > 0) GiveUpProposals(above: _core.Commit, "This server lost leadership before the entry was known to be committed.");
    }

    /// <summary>Runs something slow beside the loop, and then goes on in it. What it throws ends the node.</summary>
    private Task Beside(Action work, Action<RaftCore> then)
    {
        var task = Task.Run(work);
        void Go(RaftCore core)
        {
            task.GetAwaiter().GetResult();
            then(core);
        }

        task.ContinueWith(_ => _inputs.Writer.TryWrite(Go), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return task;
    }

    private void Send(RaftMessage message) => _transport.Send(message, _core.Configuration.Find(message.To)?.Address);

    private static void Restore(IStateMachine machine, RaftStorage storage, SnapshotMeta snapshot)
    {
        using var state = storage.Snapshots.Load(snapshot);
        machine.Restore(state);
    }

    private void Restore(SnapshotMeta snapshot)
    {
        _log.LogInformation("{Server} installs the leader's snapshot at index {Index}", Id, snapshot.Position.Index);
        Restore(_machine, _storage, snapshot);
        foreach (var index in _proposals.Keys.Where(i => i <= snapshot.Position.Index).ToList())
            if (_proposals.Remove(index, out var proposal)) proposal.Answer.TrySetResult(new RaftOutcome.Unknown("A snapshot from the leader replaced the entry before its result was known."));
    }

    private void Apply(LogEntry entry)
    {
        var result = entry.Kind == EntryKind.Command ? _machine.Apply(entry.Index, entry.Term, entry.Payload) : null;
        if (!_proposals.Remove(entry.Index, out var proposal)) return;
        proposal.Answer.TrySetResult(proposal.Term == entry.Term ? new RaftOutcome.Done(entry.Index, result) : NotLeader(_core));
    }

    private void Answer(ReadResult read)
    {
        if (_reads.Remove(read.ReadId, out var answer)) answer.TrySetResult(read.Granted ? new RaftOutcome.Done(read.Index) : NotLeader(_core));
    }

    private Task<RaftOutcome> BeginSnapshot()
    {
        if (_snapshot is { Task.IsCompleted: false } underWay) return underWay.Task;
        if (_core.Applied == 0) return Task.FromResult<RaftOutcome>(new RaftOutcome.Refused("Nothing has been applied yet."));
        var answer = _snapshot = NewAnswer<RaftOutcome>();
        var (meta, write, bytes) = (_core.AppliedState, _machine.Snapshot(), 0L);
        _saving = Beside(Save, core =>
        {
            core.SnapshotSaved(meta, bytes);
            answer.TrySetResult(new RaftOutcome.Done(meta.Position.Index));
        });
        return answer.Task;

        void Save() => bytes = _storage.Snapshots.Save(meta, write);
    }

    private void GiveUpProposals(long above, string why)
    {
        foreach (var index in _proposals.Keys.Where(i => i > above).ToList())
            if (_proposals.Remove(index, out var proposal)) proposal.Answer.TrySetResult(new RaftOutcome.Unknown(why));
    }

    /// <summary>Nobody is left waiting, and nothing is left writing.</summary>
    private async Task EndAsync()
    {
        var stopped = new RaftOutcome.Unknown("This server was stopped.");
        GiveUpProposals(above: 0, stopped.Why);
        foreach (var read in _reads.Values) read.TrySetResult(stopped);
        _snapshot?.TrySetResult(stopped);
        foreach (var watcher in _watchers) watcher.Answer.TrySetCanceled();
        var writes = Task.WhenAll(_persisting, _saving);
        await writes.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // Nobody was told that it was durable.
        if (writes.Exception is { } e) _log.LogError(e.InnerException, "The last write of {Server} failed", Id);
        _storage.Dispose();
    }
}
