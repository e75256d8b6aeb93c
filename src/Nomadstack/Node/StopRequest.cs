// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Node;

/// <summary>A request to stop every process of this node and then the agent. The caller is told when that is done, or why it failed.</summary>
internal sealed class StopRequest
{
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when somebody has asked.</summary>
    public Task Asked => _asked.Task;

    /// <summary>Asks, and waits until it is done. Repeatable.</summary>
    public Task AskAsync(CancellationToken cancel)
    {
        _asked.TrySetResult();
        return _done.Task.WaitAsync(cancel);
    }

    /// <summary>As if somebody had asked: nobody can any more, and everything is to end all the same.</summary>
    public void Demand() => _asked.TrySetResult();

    /// <summary>Does it once it is requested. A failure is reported to the callers and not thrown: the agent ends in any case.</summary>
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
