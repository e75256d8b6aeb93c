// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.State;

/// <summary>Wakes those who wait for something to change. Take <see cref="Next"/> first, then look, then wait: no change is missed.</summary>
internal sealed class Signal
{
    private static readonly TimeSpan s_longest = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

    private TaskCompletionSource _next = New();

    public Task Next => Volatile.Read(ref _next).Task;

    public void Raise() => Interlocked.Exchange(ref _next, New()).TrySetResult();

    /// <summary>Until it is raised after <paramref name="next"/> was taken, or a time has come.</summary>
    public static async Task WaitAsync(Task next, DateTimeOffset? due, TimeProvider time, CancellationToken cancel)
    {
        if (due is null) await next.WaitAsync(cancel);
        // A timer cuts off what is less than a millisecond; whoever looks again too early would come straight back.
        else if (due.Value - time.GetUtcNow() is { Ticks: > 0 } left) await WithinAsync(next, TimeSpan.FromMilliseconds(Math.Ceiling(left.TotalMilliseconds)), time, cancel);
    }

    /// <summary>Until a task has ended, however it did, or the span is over, of which no more than a timer can wait. The caller looks which it was.</summary>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    public static async Task WithinAsync(Task task, TimeSpan span, TimeProvider time, CancellationToken cancel)
    {
        await task.WaitAsync(span < s_longest ? span : s_longest, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancel.ThrowIfCancellationRequested();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
