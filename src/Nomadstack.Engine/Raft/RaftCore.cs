// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>
/// Raft as a state machine: inputs are method calls, outputs are collected by <see cref="TakeOutput"/> and <see cref="TakeBatch"/>.
/// It does no I/O, knows no thread and no clock but <see cref="Tick"/>, and draws chance only from what it was given, so that the same inputs give the same outputs.
/// </summary>
/// <remarks>
/// The owner calls it from one thread: <see cref="Tick"/> first, then what has come in, then it takes the outputs and acts on them in their order.
/// One batch is under way at a time. What is handed out to be applied counts as applied.
/// </remarks>
internal sealed partial class RaftCore
{
    private readonly RaftOptions _options;
    private readonly Random _random;
    private readonly EntryLog _log;
    private readonly ConfigurationHistory _configurations;
    private readonly Durability _durability;
    private readonly List<RaftMessage> _outbox = [];
    private TimeSpan _now;
    private TimeSpan _electionDue;
    private TimeSpan _leaderContact = TimeSpan.MinValue;
    private SnapshotMeta? _snapshot;
    private SnapshotMeta? _restore;

    public RaftCore(string id, RaftOptions options, Random random, RecoveredState recovered, TimeSpan now)
    {
        (Id, _options, _random, _now) = (id, options, random, now);
        (Term, VotedFor) = (recovered.HardState.Term, recovered.HardState.VotedFor);
        _snapshot = recovered.Snapshot;
        _log = new(recovered.Base, recovered.Entries);
        _configurations = new(_snapshot?.Position.Index ?? 0, _snapshot?.Configuration ?? RaftConfiguration.Empty, recovered.Entries);
        _durability = new(recovered.HardState, _log.Last.Index);
        Commit = Applied = _snapshot?.Position.Index ?? 0;
        ResetElectionTimer();
    }

    public string Id { get; }

    public RaftRole Role { get; private set; }

    public long Term { get; private set; }

    public string? VotedFor { get; private set; }

    /// <summary>The leader of this term, once it is known.</summary>
    public string? LeaderId { get; private set; }

    public long Commit { get; private set; }

    public long Applied { get; private set; }

    public LogPosition Last => _log.Last;

    public EntryLog Log => _log;

    /// <summary>The membership in force: the latest in the log.</summary>
    public RaftConfiguration Configuration => _configurations.Latest;

    public bool IsConfigurationCommitted => _configurations.LatestIndex <= Commit;

    /// <summary>When this server last heard from a leader; null when it never did.</summary>
    public TimeSpan? ContactAt => Role == RaftRole.Leader ? _now : _leaderContact == TimeSpan.MinValue ? null : _leaderContact;

    /// <summary>The snapshot that a restart would begin with.</summary>
    public long SnapshotIndex => _snapshot?.Position.Index ?? 0;

    /// <summary>When <see cref="Tick"/> has something to do next.</summary>
    public TimeSpan NextTick => Role == RaftRole.Leader ? _heartbeatDue : _electionDue;

    /// <summary>Moves the clock. It never goes back.</summary>
    public void Tick(TimeSpan now)
    {
        if (now > _now) _now = now;
        if (Role == RaftRole.Leader) LeaderTick();
        else if (_now >= _electionDue) Campaign();
    }

    /// <summary>A message has come in.</summary>
    public void Receive(RaftMessage message)
    {
        if (message.To != Id || !IsOfThisTerm(message)) return;
        switch (message)
        {
            case VoteRequest m:
                OnVoteRequest(m);
                break;
            case VoteReply m:
                OnVoteReply(m);
                break;
            case AppendRequest m:
                OnAppendRequest(m);
                break;
            case AppendReply m:
                OnAppendReply(m);
                break;
            case SnapshotRequest m:
                OnSnapshotRequest(m);
                break;
            case SnapshotReply m:
                OnSnapshotReply(m);
                break;
            case TimeoutNow m when Configuration.IsVoter(Id) && Role == RaftRole.Follower && m.From == LeaderId:
                StartElection(transfer: true);
                break;
        }
    }

    /// <summary>Appends a command. It is committed when it comes back to be applied under the same index and term.</summary>
    /// <returns>Its place, or null when this server does not lead or is handing leadership over.</returns>
    public LogPosition? Propose(ReadOnlyMemory<byte> command) =>
        Role == RaftRole.Leader && _transfer is null ? AppendOwn(EntryKind.Command, command) : null;

    public RaftOutput TakeOutput()
    {
        if (Role == RaftRole.Leader) FlushLeader();
        IReadOnlyList<LogEntry> apply = [];
        // Not before it is durable here too: a snapshot must not run ahead of the log it stands for.
        var upTo = Math.Min(Commit, _durability.LastIndex);
        if (upTo > Applied)
        {
            apply = _log.Between(Applied + 1, upTo);
            Applied = upTo;
            _bytesSinceSnapshot += apply.Sum(e => (long)e.Payload.Length);
        }

        var output = new RaftOutput([.. _outbox], [.. _piecesToSend], _restore, apply, TakeReads(), [.. _piecesToStore]);
        _outbox.Clear();
        _piecesToSend.Clear();
        _piecesToStore.Clear();
        _restore = null;
        return output;
    }

    /// <summary>What to make durable next; <see cref="Persisted"/> tells when it is. Null when there is nothing, or the last one is still under way.</summary>
    public PersistBatch? TakeBatch() => _durability.Take();

    public void Persisted()
    {
        _durability.Persisted(_outbox);
        switch (Role)
        {
            case RaftRole.Candidate:
                CountVotes();
                break;
            case RaftRole.Leader:
                AdvanceCommit();
                break;
        }
    }

    /// <summary>Takes notice of the message's term. False when the message ends with that.</summary>
    private bool IsOfThisTerm(RaftMessage message)
    {
        if (message.Term > Term)
        {
            switch (message)
            {
                case VoteRequest { PreVote: true } or VoteReply { PreVote: true, Granted: true }:
                    return true;
                case VoteRequest { Transfer: false } when HearsFromLeader:
                    return false;
                default:
                    BecomeFollower(message.Term);
                    return true;
            }
        }

        if (message.Term == Term) return true;
        // The answer is of no use to the sender but for its term: a leader or candidate that lags behind learns that here.
        switch (message)
        {
            case VoteRequest m:
                Send(new VoteReply(Id, m.From, Term, m.PreVote, Granted: false));
                break;
            case AppendRequest m:
                Send(new AppendReply(Id, m.From, Term, Accepted: false, 0, m.Previous.Index, default, 0));
                break;
            case SnapshotRequest m:
                Send(new SnapshotReply(Id, m.From, Term, m.Snapshot, 0, 0));
                break;
        }

        return false;
    }

    private void BecomeFollower(long term)
    {
        if (term > Term)
        {
            (Term, VotedFor) = (term, null);
            _durability.ForgetMessages();
            _durability.Remember(new(Term, VotedFor));
            LeaderId = null;
        }

        if (Role == RaftRole.Follower) return;
        if (Role == RaftRole.Leader) EndLeadership();
        Role = RaftRole.Follower;
        ResetElectionTimer();
    }

    /// <summary>The sender of an append or a piece of a snapshot leads this term.</summary>
    private void FollowLeader(string leader)
    {
        if (Role == RaftRole.Leader) throw new InvalidOperationException($"{leader} and {Id} both lead term {Term}.");
        BecomeFollower(Term);
        LeaderId = leader;
        _leaderContact = _now;
        ResetElectionTimer();
    }

    private LogPosition AppendOwn(EntryKind kind, ReadOnlyMemory<byte> payload)
    {
        Append(new(_log.Last.Index + 1, Term, kind, payload));
        return _log.Last;
    }

    private void Append(LogEntry entry)
    {
        _log.Append(entry);
        _configurations.Append(entry);
        _durability.Append(entry);
    }

    private void Send(RaftMessage message) => _outbox.Add(message);

    private void SendWhenDurable(RaftMessage message) => _durability.SendWhenDurable(message, _outbox);
}
