// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;

namespace Nomadstack.Engine.Tests.Raft;

/// <summary>The system's time, which notes how long its timers were set for.</summary>
internal sealed class WatchedTime : TimeProvider
{
    public ConcurrentQueue<TimeSpan> Waits { get; } = [];

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new Timer(this, System.CreateTimer(callback, state, dueTime, period));

    private sealed class Timer(WatchedTime time, ITimer timer) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime >= TimeSpan.Zero) time.Waits.Enqueue(dueTime);
            return timer.Change(dueTime, period);
        }

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
