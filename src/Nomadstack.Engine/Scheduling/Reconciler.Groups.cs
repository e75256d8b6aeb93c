// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

internal sealed partial class Reconciler
{
    // One snapshot has each allocation once; comparing all that is in them would take longer than everything else.
    private static readonly IEqualityComparer<Allocation> Same = ReferenceEqualityComparer.Instance;

    /// <summary>Whether, as far as this group goes, the deployment is done.</summary>
    private bool ComputeGroup(TaskGroup group, List<Allocation> all)
    {
        // A state of before there was a limit may hold a job that asks for thousands of millions.
        if (group.Count > JobValidation.MaxCount) group = group with { Count = JobValidation.MaxCount };
        var desired = new DesiredUpdates();
        var inDeployment = _deployment?.TaskGroups.ContainsKey(group.Name) ?? false;
        if (Batch)
        {
            // What an older version has finished does not stand for this one's work.
            var old = all.Where(a => a.Terminal && (a.Job.Version < job!.Version || a.Job.CreateIndex < job.CreateIndex)).ToList();
            all = [.. all.Except(old, Same)];
            desired = desired with { Ignore = old.Count };
        }

        var migrate = all.Where(MustMigrate).ToList();
        var lost = all.Where(IsLost).ToList();
        var (untainted, rescheduleNow, rescheduleLater) = SplitByRescheduling(all.Except(migrate, Same).Except(lost, Same));
        AnnounceLater(rescheduleLater, group);

        var names = new NameIndex(evaluation.JobID, group.Name, group.Count, untainted.Concat(migrate).Concat(rescheduleNow).Concat(lost));
        foreach (var allocation in lost) _result.Stop.Add(new(allocation, StopReason.Lost, ClientStatus.Lost));
        var surplus = Surplus(group, names, untainted, migrate);
        foreach (var allocation in surplus) _result.Stop.Add(new(allocation, StopReason.NotNeeded));
        untainted = [.. untainted.Except(surplus, Same)];
        migrate = [.. migrate.Except(surplus, Same)];

        var (unchanged, inPlace, destructive) = SplitByChange(group, untainted);
        var place = Missing(group, names, untainted, migrate, rescheduleNow, lost);
        var total = place.Count + inPlace.Count + destructive.Count;
        var limit = Limit(group, untainted, destructive.Count + migrate.Count);
        desired = desired with { Ignore = desired.Ignore + unchanged.Count, InPlaceUpdate = inPlace.Count, Stop = lost.Count + surplus.Count, Migrate = migrate.Count };

        var replaced = 0;
        if (!Paused && !Failed)
        {
            _result.Place.AddRange(place);
            foreach (var allocation in rescheduleNow) _result.Stop.Add(new(allocation, StopReason.Rescheduled));
            replaced = Math.Min(destructive.Count, Math.Max(0, limit - place.Count));
            foreach (var allocation in destructive.Take(replaced)) _result.Replace.Add(new Placing(group, allocation.Name, allocation));
            desired = desired with { Place = place.Count, Stop = desired.Stop + rescheduleNow.Count, DestructiveUpdate = replaced };
        }
        else
        {
            // Nothing new while a deployment is paused or failed; but what was there is kept up.
            var kept = place.Where(p => p.Reschedules ? !(Failed && p.Previous!.DeploymentID == _deployment!.ID) : p.Previous is not null).ToList();
            _result.Place.AddRange(kept);
            foreach (var placing in kept.Where(p => p.Reschedules)) _result.Stop.Add(new(placing.Previous!, StopReason.Rescheduled));
            desired = desired with { Place = kept.Count, Stop = desired.Stop + kept.Count(p => p.Reschedules) };
        }

        foreach (var allocation in migrate)
        {
            _result.Stop.Add(new(allocation, StopReason.Migrating));
            _result.Place.Add(new Placing(group, allocation.Name, allocation));
        }

        _result.Desired[group.Name] = desired with { Ignore = desired.Ignore + destructive.Count - replaced };
        StartDeployment(group, all, inDeployment, total, updating: inPlace.Count + destructive.Count > 0);

        var quiet = destructive.Count + inPlace.Count + place.Count + migrate.Count + rescheduleNow.Count + rescheduleLater.Count == 0;
        return quiet && (_deployment is null || !_deployment.TaskGroups.TryGetValue(group.Name, out var state) || state.HealthyAllocs >= state.DesiredTotal);
    }

    /// <summary>A first version, or a changed one, is watched until it is healthy.</summary>
    private void StartDeployment(TaskGroup group, List<Allocation> all, bool inDeployment, int total, bool updating)
    {
        var hadThisVersion = all.Any(a => a.Job.Version == job!.Version && a.Job.CreateIndex == job.CreateIndex);
        if (Batch || inDeployment || group.Update is null || group.Update.IsEmpty() || total == 0 || (hadThisVersion && !updating)) return;
        _deployment = (_deployment ?? Deployment.For(job!, newId())).With(group.Name, new DeploymentState { ProgressDeadline = group.Update.ProgressDeadline, DesiredTotal = total });
    }

    /// <summary>How many may be in motion: max_parallel, less those that are not healthy yet; none as long as one is unhealthy.</summary>
    private int Limit(TaskGroup group, List<Allocation> untainted, int changing)
    {
        if (group.Update is null || group.Update.IsEmpty() || changing == 0) return group.Count;
        if (Paused || Failed) return 0;
        var limit = group.Update.MaxParallel;
        foreach (var allocation in untainted.Where(a => _deployment is not null && a.DeploymentID == _deployment.ID))
        {
            if (allocation.DeploymentStatus?.Healthy == false) return 0;
            if (allocation.DeploymentStatus?.Healthy is null) limit--;
        }

        return Math.Max(0, limit);
    }

    /// <summary>What is more than the count: those that move anyway first, then the highest numbers.</summary>
    private static List<Allocation> Surplus(TaskGroup group, NameIndex names, List<Allocation> untainted, List<Allocation> migrate)
    {
        var remove = untainted.Count + migrate.Count - group.Count;
        var surplus = new List<Allocation>();
        if (remove <= 0) return surplus;
        foreach (var allocation in migrate.OrderByDescending(a => a.Number).Take(remove))
        {
            surplus.Add(allocation);
            names.Free(allocation.Number);
        }

        var running = untainted.Where(a => !a.Terminal).ToList();
        var highest = names.Highest(Math.Max(0, remove - surplus.Count));
        surplus.AddRange(running.Where(a => highest.Contains(a.Name)).Take(remove - surplus.Count));
        // Names can exist twice; then the numbers alone do not suffice.
        surplus.AddRange(running.Except(surplus, Same).OrderByDescending(a => a.Number).Take(remove - surplus.Count).ToList());
        return surplus;
    }

    /// <summary>Successors of the failed, of the lost as far as they are still wanted, and the rest up to the count.</summary>
    private static List<Placing> Missing(TaskGroup group, NameIndex names, List<Allocation> untainted, List<Allocation> migrate, List<Allocation> rescheduleNow, List<Allocation> lost)
    {
        var place = rescheduleNow.Select(a => new Placing(group, a.Name, a, Reschedules: true)).ToList();
        var existing = untainted.Count + migrate.Count + rescheduleNow.Count;
        foreach (var allocation in lost.Take(Math.Max(0, group.Count - existing)))
        {
            existing++;
            place.Add(new Placing(group, allocation.Name, allocation));
        }

        if (existing < group.Count) place.AddRange(names.Next(group.Count - existing).Select(name => new Placing(group, name)));
        return place;
    }

    private (List<Allocation> Unchanged, List<Allocation> InPlace, List<Allocation> Destructive) SplitByChange(TaskGroup group, List<Allocation> untainted)
    {
        var (unchanged, inPlace, destructive) = (new List<Allocation>(), new List<Allocation>(), new List<Allocation>());
        foreach (var allocation in untainted)
        {
            switch (changeOf(allocation, group))
            {
                case VersionChange.InPlace change:
                    inPlace.Add(allocation);
                    _result.UpdateInPlace.Add(change.Updated);
                    break;
                case VersionChange.Destructive:
                    destructive.Add(allocation);
                    break;
                default:
                    unchanged.Add(allocation);
                    break;
            }
        }

        return (unchanged, inPlace, destructive);
    }

    /// <summary>What stands for its place in the count, what needs a successor now, and what needs one later.</summary>
    private (List<Allocation> Untainted, List<Allocation> Now, List<(Allocation Allocation, DateTimeOffset Time)> Later) SplitByRescheduling(IEnumerable<Allocation> allocations)
    {
        var (untainted, soon, later) = (new List<Allocation>(), new List<Allocation>(), new List<(Allocation, DateTimeOffset)>());
        foreach (var allocation in allocations)
        {
            if (allocation.NextAllocation.Length > 0 && allocation.Terminal) continue;
            switch (Standing(allocation))
            {
                case true:
                    untainted.Add(allocation);
                    continue;
                case false:
                    continue;
            }

            // While its deployment is under way, only the deployment decides.
            var held = _deployment is { Active: true } && allocation.DeploymentID == _deployment.ID && allocation.DesiredTransition.Reschedule != true;
            var (time, eligible) = held ? default : Rescheduling.NextTime(allocation);
            var forced = !held && allocation.DesiredTransition.ForceReschedule == true && allocation.ClientStatus == ClientStatus.Failed;
            if (forced || (eligible && (allocation.FollowupEvalID == evaluation.ID || time - now <= ClockTolerance)))
            {
                soon.Add(allocation);
                continue;
            }

            untainted.Add(allocation);
            if (eligible && allocation.FollowupEvalID.Length == 0) later.Add((allocation, time));
        }

        return (untainted, soon, later);
    }

    /// <summary>True: it counts as it is. False: it does not count any more. Null: it runs, or failed and may need a successor.</summary>
    private bool? Standing(Allocation allocation)
    {
        if (Batch)
        {
            if (allocation.ServerTerminal) return allocation.RanSuccessfully;
            return allocation.ClientStatus == ClientStatus.Failed ? null : true;
        }

        if (allocation.ServerTerminal || allocation.ClientStatus is ClientStatus.Complete or ClientStatus.Lost) return false;
        return null;
    }

    private void AnnounceLater(List<(Allocation Allocation, DateTimeOffset Time)> later, TaskGroup group)
    {
        Evaluation? batch = null;
        foreach (var (allocation, time) in later.OrderBy(l => l.Time))
        {
            if (batch is null || time - batch.WaitUntil >= FollowUpBatch)
            {
                batch = Evaluation.For(job!, EvalTrigger.AllocFailure, newId(), now) with { StatusDescription = "created for delayed rescheduling", WaitUntil = time, PreviousEval = evaluation.ID };
                _result.FollowUps.Add(batch);
            }

            _result.Annotate.Add(allocation with { FollowupEvalID = batch.ID });
        }
    }
}
