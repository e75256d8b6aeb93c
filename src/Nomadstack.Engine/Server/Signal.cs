// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Server;

/// <summary>Wakes those who wait for something to change. Take <see cref="Next"/> first, then look, then wait: no change is missed.</summary>
internal sealed class Signal
{
    private TaskCompletionSource _next = New();

    public Task Next => Volatile.Read(ref _next).Task;

    public void Raise() => Interlocked.Exchange(ref _next, New()).TrySetResult();

    /// <summary>Until it is raised after <paramref name="next"/> was taken, or a time has come.</summary>
    public static async Task WaitAsync(Task next, DateTimeOffset? due, TimeProvider time, CancellationToken cancel)
    {
        if (due is null)
        {
            await next.WaitAsync(cancel);
            return;
        }

        var left = due.Value - time.GetUtcNow();
        if (left <= TimeSpan.Zero) return;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        // A delay cuts off what is less than a millisecond; whoever looks again too early would come straight back.
        await Task.WhenAny(next, Task.Delay(TimeSpan.FromMilliseconds(Math.Ceiling(left.TotalMilliseconds)), time, over.Token));
        await over.CancelAsync();
        cancel.ThrowIfCancellationRequested();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
