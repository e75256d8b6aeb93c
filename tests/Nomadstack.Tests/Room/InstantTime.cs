// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Tests.Room;

/// <summary>A clock on which every wait is over at once, and has taken its time: whoever waits makes it pass.</summary>
internal sealed class InstantTime : TimeProvider
{
    private long _ticks = new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero).UtcTicks;

    /// <summary>Called as time passes: the world goes on meanwhile.</summary>
    public Action Passing { get; set; } = () => { };

    public override DateTimeOffset GetUtcNow() => new(Interlocked.Read(ref _ticks), TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime != Timeout.InfiniteTimeSpan)
        {
            Interlocked.Add(ref _ticks, dueTime.Ticks);
            Passing();
            ThreadPool.UnsafeQueueUserWorkItem(_ => callback(state), null);
        }

        return new Never();
    }

    private sealed class Never : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
