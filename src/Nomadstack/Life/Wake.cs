// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Life;

/// <summary>What one loop waits for and many may tell it: told while nobody waits, it is not lost; told often, it wakes once.</summary>
internal sealed class Wake(TimeProvider time)
{
    private readonly Lock _lock = new();
    private TaskCompletionSource _told = NewSource();

    /// <summary>Never blocks, never throws: fit for any event's handler.</summary>
    public void Tell()
    {
        lock (_lock) _told.TrySetResult();
    }

    /// <summary>Waits until told, at most so long. Returns whether it was told; from then on it waits for the next time.</summary>
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
