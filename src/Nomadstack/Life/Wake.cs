// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Life;

/// <summary>A signal that wakes one loop. Many may give it. It is not lost if nobody waits, and several signals wake the loop once.</summary>
internal sealed class Wake(TimeProvider time)
{
    private readonly Lock _lock = new();
    private TaskCompletionSource _told = NewSource();

    /// <summary>Never blocks and never throws, so any event handler may call it.</summary>
    public void Tell()
    {
        lock (_lock) _told.TrySetResult();
    }

    /// <summary>Waits for the signal or until the time is over. Returns whether there was a signal, and resets it.</summary>
    public async Task<bool> WaitAsync(TimeSpan atMost, CancellationToken cancel)
    {
        Task told;
        lock (_lock) told = _told.Task;
        try
        {
            await told.WaitAsync(atMost, time, cancel);
        }
        catch (TimeoutException)
        {
            return false;
        }

        lock (_lock) _told = NewSource();
        return true;
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
