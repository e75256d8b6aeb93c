// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>
/// Evaluations that wait for capacity, at most one for each job. Whatever frees capacity wakes them all: Nomad keeps back those whose class of nodes
/// is known not to fit, which pays only for clusters larger than ours.
/// </summary>
/// <remarks>Not for two threads at once.</remarks>
internal sealed class BlockedEvaluations
{
    private readonly SortedDictionary<JobKey, (Evaluation Evaluation, string Token)> _blocked = [];
    private readonly List<Evaluation> _duplicates = [];
    private long _lastUnblock;

    public int Count => _blocked.Count;

    /// <summary>Some are to be cancelled; see <see cref="TakeDuplicates"/>.</summary>
    public bool HasDuplicates => _duplicates.Count > 0;

    /// <summary>Keeps an evaluation until capacity comes. True when capacity came while it was processed, so that it should be queued again at once.</summary>
    /// <param name="token">Of its delivery when it is being worked on.</param>
    public bool Block(Evaluation evaluation, string token = "")
    {
        if (_blocked.TryGetValue(evaluation.JobKey, out var existing) && existing.Evaluation.ID != evaluation.ID)
        {
            var newer = Latest(evaluation) >= Latest(existing.Evaluation);
            _duplicates.Add(newer ? existing.Evaluation : evaluation);
            if (!newer) return false;
            _blocked.Remove(evaluation.JobKey);
        }

        if (evaluation.SnapshotIndex < _lastUnblock) return true;
        _blocked[evaluation.JobKey] = (evaluation, token);
        return false;
    }

    /// <summary>Capacity came at this index: those to be queued again, with the tokens they were blocked with.</summary>
    public IReadOnlyList<(Evaluation Evaluation, string Token)> Unblock(long index)
    {
        _lastUnblock = Math.Max(_lastUnblock, index);
        var woken = _blocked.Values.ToList();
        _blocked.Clear();
        return woken;
    }

    /// <summary>Those that only had bad luck with others' plans; they need no new capacity.</summary>
    public IReadOnlyList<(Evaluation Evaluation, string Token)> UnblockFailed()
    {
        var woken = _blocked.Values.Where(b => b.Evaluation.TriggeredBy == EvalTrigger.MaxPlanAttempts).ToList();
        foreach (var (evaluation, _) in woken) _blocked.Remove(evaluation.JobKey);
        return woken;
    }

    /// <summary>The job has everything it wants, or is gone.</summary>
    public void Untrack(JobKey job) => _blocked.Remove(job);

    /// <summary>Those that another one has replaced, to be cancelled in the state. Each is told once.</summary>
    public IReadOnlyList<Evaluation> TakeDuplicates()
    {
        var taken = _duplicates.Select(e => e with { Status = EvalStatus.Canceled, StatusDescription = "existing blocked evaluation exists for job" }).ToList();
        _duplicates.Clear();
        return taken;
    }

    /// <summary>Whether a command frees or brings capacity, or takes away what held it back.</summary>
    public static bool FreesCapacity(Command command, StateSnapshot after) => command switch
    {
        RegisterNode c => after.Node(c.Node.ID) is { Ready: true },
        UpdateNodeStatus { Status: NodeStatus.Ready } => true,
        UpdateNodeEligibility { Eligibility: NodeEligibility.Eligible } => true,
        UpdateNodeDrain { Drain: null, MarkEligible: true } => true,
        UpdateAllocations c => c.Updates.Any(u => u.ClientStatus is ClientStatus.Complete or ClientStatus.Failed or ClientStatus.Lost),
        // The lost give their place back without a client's word.
        ApplyPlan c => c.Stopped.Any(s => s.ClientStatus == ClientStatus.Lost),
        Reap c => c.AllocationIDs.Count > 0,
        _ => false,
    };

    private static long Latest(Evaluation evaluation) => Math.Max(evaluation.CreateIndex, evaluation.SnapshotIndex);
}
