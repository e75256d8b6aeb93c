// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>When a failed allocation may have a successor, by its group's policy and what was tried before.</summary>
internal static class Rescheduling
{
    private const int KeptEvents = 5;

    /// <summary>Whether its policy allows one more attempt, were it to fail at <paramref name="failedAt"/>.</summary>
    public static bool Allows(ReschedulePolicy? policy, Allocation allocation, DateTimeOffset failedAt)
    {
        if (policy is null || !policy.Enabled()) return false;
        return policy.Unlimited || AttemptsWithin(policy, allocation, failedAt) < policy.Attempts;
    }

    /// <summary>The time from which it may be replaced, and whether it may at all.</summary>
    public static (DateTimeOffset Time, bool Eligible) NextTime(Allocation allocation)
    {
        if (allocation.DesiredStatus == DesiredStatus.Stop || allocation.ClientStatus != ClientStatus.Failed || allocation.Group?.ReschedulePolicy is not { } policy) return (default, false);
        var failedAt = allocation.LastEventTime;
        var delay = NextDelay(allocation);
        var eligible = policy.Unlimited
            || (policy.Attempts > 0 && (allocation.RescheduleTracker is null || (AttemptsWithin(policy, allocation, failedAt) < policy.Attempts && delay < policy.Interval)));
        return (failedAt + delay, eligible);
    }

    /// <summary>Grows from attempt to attempt up to the ceiling; starts anew when the last one held longer than that.</summary>
    public static TimeSpan NextDelay(Allocation allocation)
    {
        if (allocation.Group?.ReschedulePolicy is not { } policy) return TimeSpan.Zero;
        if (allocation.RescheduleTracker?.Events is not { Count: > 0 } events) return policy.Delay;
        var last = events[^1];
        TimeSpan delay;
        switch (policy.DelayFunction)
        {
            case ReschedulePolicy.Exponential:
                delay = last.Delay * 2;
                break;
            case ReschedulePolicy.Fibonacci when events.Count >= 2:
                // After the ceiling a new series begins, with two equal numbers.
                delay = events[^2].Delay == policy.MaxDelay && last.Delay == policy.Delay ? last.Delay : last.Delay + events[^2].Delay;
                break;
            default:
                return policy.Delay;
        }

        if (policy.MaxDelay <= TimeSpan.Zero || delay <= policy.MaxDelay) return delay;
        var held = allocation.LastEventTime - UnixNanoseconds.ToTime(last.RescheduleTime);
        return held > policy.MaxDelay ? policy.Delay : policy.MaxDelay;
    }

    /// <summary>What the successor of <paramref name="failed"/> remembers.</summary>
    public static RescheduleTracker Track(Allocation failed, DateTimeOffset now)
    {
        var policy = failed.Group?.ReschedulePolicy;
        var events = failed.RescheduleTracker?.Events ?? [];
        var kept = policy is { Attempts: > 0 }
            ? events.Where(e => policy.Interval > TimeSpan.Zero && now - UnixNanoseconds.ToTime(e.RescheduleTime) <= policy.Interval)
            : events.TakeLast(KeptEvents);
        return new RescheduleTracker([.. kept, new RescheduleEvent(UnixNanoseconds.Of(now), failed.ID, failed.NodeID, NextDelay(failed))]);
    }

    /// <summary>Where it failed, now and before: the next attempt should be elsewhere.</summary>
    public static IReadOnlySet<string> NodesToAvoid(Allocation? previous)
    {
        var nodes = new HashSet<string>(StringComparer.Ordinal);
        if (previous is null) return nodes;
        if (previous.ClientStatus == ClientStatus.Failed) nodes.Add(previous.NodeID);
        nodes.UnionWith(previous.RescheduleTracker?.Events.Select(e => e.PrevNodeID) ?? []);
        return nodes;
    }

    private static int AttemptsWithin(ReschedulePolicy policy, Allocation allocation, DateTimeOffset failedAt) =>
        allocation.RescheduleTracker?.Events.Count(e => failedAt - UnixNanoseconds.ToTime(e.RescheduleTime) < policy.Interval) ?? 0;
}
