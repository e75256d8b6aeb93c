// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>Registration and signs of life.</summary>
internal sealed partial class ClientAgent
{
    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(1);

    private async Task RegisterAndBeatAsync(CancellationToken stop)
    {
        var changed = await RegisterAsync(stop);
        while (true)
        {
            TimeSpan pause;
            try
            {
                if (await _servers.HeartbeatAsync(_state.NodeId, _state.SecretId, stop) is not { } ttl)
                {
                    // The cluster is another, or it forgot the node: what it counts starts anew.
                    LogUnknownNode();
                    _seenIndex = 0;
                    changed = await RegisterAsync(stop);
                    continue;
                }

                pause = ttl;
                _node = _node with { Status = NodeStatus.Ready };
            }
            catch (NoServerException e)
            {
                LogNoHeartbeat(e.Message);
                pause = Retry();
            }

            using var either = CancellationTokenSource.CreateLinkedTokenSource(stop);
            await Task.WhenAny(changed, Task.Delay(pause, _time, either.Token));
            await either.CancelAsync();
            stop.ThrowIfCancellationRequested();
            if (changed.IsCompleted) changed = await RegisterAsync(stop);
        }
    }

    /// <returns>What completes when a driver is not any more what was registered.</returns>
    private async Task<Task> RegisterAsync(CancellationToken stop)
    {
        while (true)
        {
            // Before the look at the drivers, so that no change falls between the two.
            var changed = _drivers.ChangedAsync();
            _node = WithDrivers(_node);
            try
            {
                await _servers.RegisterAsync(_node with { Status = NodeStatus.Initializing }, stop);
                _registered.TrySetResult();
                return changed;
            }
            catch (NoServerException e)
            {
                LogNotRegistered(e.Message);
            }

            await Task.Delay(Retry(), _time, stop);
        }
    }

    private TimeSpan Retry() => s_retry * (1 + _random.NextDouble());

    [LoggerMessage(Level = LogLevel.Warning, Message = "The node is not registered yet: {Why}")]
    private partial void LogNotRegistered(string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "No server takes the node's sign of life: {Why}; its tasks run on")]
    private partial void LogNoHeartbeat(string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The servers do not know this node; it registers again")]
    private partial void LogUnknownNode();
}
