// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Node;

/// <summary>An order to stop every process of this node and then the agent. Whoever gave it is told when that was done, or why it could not be.</summary>
internal sealed class StopRequest
{
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when somebody asked.</summary>
    public Task Asked => _asked.Task;

    /// <summary>Asks, and waits until it was carried out. Repeatable.</summary>
    public Task AskAsync(CancellationToken cancel)
    {
        _asked.TrySetResult();
        return _done.Task.WaitAsync(cancel);
    }

    /// <summary>Does it when it was asked for; what fails is told to those who asked and thrown no further: the agent ends all the same.</summary>
    public async Task CarryOutAsync(Func<Task> stop)
    {
        if (!_asked.Task.IsCompleted) return;
        try
        {
            await stop();
            _done.TrySetResult();
        }
        catch (Exception e)
        {
            _done.TrySetException(e);
        }
    }
}
