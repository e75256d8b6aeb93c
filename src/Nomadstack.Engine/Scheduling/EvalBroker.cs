// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>An evaluation given to a worker, who answers with its token.</summary>
internal sealed record Delivery(Evaluation Evaluation, string Token);

/// <summary>
/// The leader's queue of evaluations: the most important first, one at a time for each job, each delivered until somebody says that it is done.
/// Has no clock of its own: whoever uses it tells the time, and calls <see cref="Advance"/> when <see cref="NextDue"/> comes.
/// </summary>
/// <remarks>Not for two threads at once.</remarks>
internal sealed class EvalBroker(Func<string> newToken)
{
    /// <summary>How long a worker may be silent before its evaluation goes to another.</summary>
    public static readonly TimeSpan NackTimeout = TimeSpan.FromSeconds(60);

    /// <summary>After so many deliveries an evaluation is given up, and a new one made for later.</summary>
    public const int DeliveryLimit = 3;

    private static readonly TimeSpan FirstNackDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LaterNackDelay = TimeSpan.FromSeconds(20);

    private readonly Dictionary<string, int> _deliveries = new(StringComparer.Ordinal);
    private readonly Dictionary<JobKey, string> _turnOf = [];
    private readonly Dictionary<JobKey, EvaluationQueue> _behind = [];
    private readonly Dictionary<string, EvaluationQueue> _ready = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Outstanding> _outstanding = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (Evaluation Evaluation, DateTimeOffset Due)> _waiting = new(StringComparer.Ordinal);
    private readonly EvaluationQueue _failed = new();

    private sealed record Outstanding(Evaluation Evaluation, string Token, DateTimeOffset Expires)
    {
        /// <summary>Its own next form, to be queued once this delivery is acknowledged.</summary>
        public Evaluation? Again { get; init; }
    }

    public int ReadyCount => _ready.Values.Sum(q => q.Count);

    public int OutstandingCount => _outstanding.Count;

    public int WaitingCount => _waiting.Count;

    public int BehindCount => _behind.Values.Sum(q => q.Count);

    /// <summary>When something happens by itself; null when nothing will.</summary>
    public DateTimeOffset? NextDue => _waiting.Values.Select(w => w.Due).Concat(_outstanding.Values.Select(o => o.Expires)).Select(t => (DateTimeOffset?)t).Min();

    /// <summary>Queues an evaluation. One that is queued already stays as it is; one that is being worked on comes again only with that worker's token.</summary>
    public void Enqueue(Evaluation evaluation, DateTimeOffset now, string token = "")
    {
        if (_deliveries.ContainsKey(evaluation.ID))
        {
            if (token.Length > 0 && _outstanding.TryGetValue(evaluation.ID, out var outstanding) && outstanding.Token == token)
                _outstanding[evaluation.ID] = outstanding with { Again = evaluation };
            return;
        }

        _deliveries[evaluation.ID] = 0;
        var due = evaluation.WaitUntil ?? now + evaluation.Wait;
        if (due > now) _waiting[evaluation.ID] = (evaluation, due);
        else MakeReady(evaluation);
    }

    /// <summary>The most important evaluation that one of these schedulers can process; the oldest of several.</summary>
    public Delivery? Dequeue(IEnumerable<string> schedulers, DateTimeOffset now)
    {
        var best = schedulers.Select(s => _ready.GetValueOrDefault(s)).OfType<EvaluationQueue>().Where(q => q.Count > 0).MinBy(q => q.First, EvaluationQueue.Order);
        return best is null ? null : Deliver(best.Take(), now);
    }

    /// <summary>One that was delivered too often, for the leader to give up.</summary>
    public Delivery? DequeueFailed(DateTimeOffset now) => _failed.Count > 0 ? Deliver(_failed.Take(), now) : null;

    /// <summary>The worker is alive and still at it. False when the evaluation is not its any more.</summary>
    public bool Extend(string evalId, string token, DateTimeOffset now)
    {
        if (!IsHeldBy(evalId, token)) return false;
        _outstanding[evalId] = _outstanding[evalId] with { Expires = now + NackTimeout };
        return true;
    }

    /// <summary>Done: the job's next evaluation has its turn. False when the evaluation is not this worker's any more.</summary>
    public bool Ack(string evalId, string token, DateTimeOffset now)
    {
        if (!IsHeldBy(evalId, token)) return false;
        var done = Forget(evalId);
        _deliveries.Remove(evalId);
        var job = done.Evaluation.JobKey;
        _turnOf.Remove(job);
        if (_behind.TryGetValue(job, out var queue))
        {
            var next = queue.Take();
            if (queue.Count == 0) _behind.Remove(job);
            MakeReady(next);
        }

        if (done.Again is { } again) Enqueue(again, now);
        return true;
    }

    /// <summary>Not done: it comes again, later each time. False when the evaluation is not this worker's any more.</summary>
    public bool Nack(string evalId, string token, DateTimeOffset now)
    {
        if (!IsHeldBy(evalId, token)) return false;
        var evaluation = Forget(evalId).Evaluation;
        var deliveries = _deliveries[evalId];
        if (deliveries >= DeliveryLimit) _failed.Add(evaluation);
        else _waiting[evalId] = (evaluation, now + (deliveries <= 1 ? FirstNackDelay : (deliveries - 1) * LaterNackDelay));
        return true;
    }

    /// <summary>Does what is due: waits that are over, deliveries that nobody answered.</summary>
    public void Advance(DateTimeOffset now)
    {
        foreach (var (id, waiting) in _waiting.Where(w => w.Value.Due <= now).OrderBy(w => w.Value.Due).ThenBy(w => w.Key, StringComparer.Ordinal).ToList())
        {
            _waiting.Remove(id);
            MakeReady(waiting.Evaluation);
        }

        foreach (var (id, outstanding) in _outstanding.Where(o => o.Value.Expires <= now).OrderBy(o => o.Key, StringComparer.Ordinal).ToList()) Nack(id, outstanding.Token, now);
    }

    private void MakeReady(Evaluation evaluation)
    {
        var job = evaluation.JobKey;
        if (_turnOf.TryGetValue(job, out var turn) && turn != evaluation.ID)
        {
            if (!_behind.TryGetValue(job, out var behind)) _behind[job] = behind = new();
            behind.Add(evaluation);
            return;
        }

        _turnOf[job] = evaluation.ID;
        if (!_ready.TryGetValue(evaluation.Type, out var queue)) _ready[evaluation.Type] = queue = new();
        queue.Add(evaluation);
    }

    private Delivery Deliver(Evaluation evaluation, DateTimeOffset now)
    {
        var token = newToken();
        _deliveries[evaluation.ID]++;
        _outstanding[evaluation.ID] = new(evaluation, token, now + NackTimeout);
        return new(evaluation, token);
    }

    private bool IsHeldBy(string evalId, string token) => _outstanding.TryGetValue(evalId, out var outstanding) && outstanding.Token == token;

    private Outstanding Forget(string evalId)
    {
        _outstanding.Remove(evalId, out var outstanding);
        return outstanding!;
    }
}

/// <summary>Evaluations by priority, then by age.</summary>
internal sealed class EvaluationQueue
{
    public static readonly IComparer<Evaluation> Order = Comparer<Evaluation>.Create((left, right) =>
        right.Priority.CompareTo(left.Priority) is var byPriority && byPriority != 0 ? byPriority
        : left.CreateIndex.CompareTo(right.CreateIndex) is var byAge && byAge != 0 ? byAge
        : string.CompareOrdinal(left.ID, right.ID));

    private readonly SortedSet<Evaluation> _evaluations = new(Order);

    public int Count => _evaluations.Count;

    public Evaluation First => _evaluations.Min!;

    public void Add(Evaluation evaluation) => _evaluations.Add(evaluation);

    public Evaluation Take()
    {
        var first = First;
        _evaluations.Remove(first);
        return first;
    }
}
