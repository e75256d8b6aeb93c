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
                    _log.LogWarning("The servers do not know this node; it registers again");
                    _seenIndex = 0;
                    changed = await RegisterAsync(stop);
                    continue;
                }

                pause = ttl;
                _node = _node with { Status = NodeStatus.Ready };
            }
            catch (NoServerException e)
            {
                _log.LogWarning("No server accepted the node's heartbeat; its tasks keep running: {Why}", e.Message);
                pause = Retry();
            }

            await Signal.WithinAsync(changed, pause, _time, stop);
            if (changed.IsCompleted) changed = await RegisterAsync(stop);
        }
    }

    /// <returns>What completes when a driver is not any more what was registered, or somebody wants the node registered again.</returns>
    private async Task<Task> RegisterAsync(CancellationToken stop)
    {
        while (true)
        {
            // Before the look at the drivers, so that no change falls between the two.
            var changed = Task.WhenAny(_drivers.ChangedAsync(), _again.Next);
            _node = WithDrivers(_node) with { TLSEnabled = _httpSpeaksTls };
            try
            {
                await _servers.RegisterAsync(_node with { Status = NodeStatus.Initializing }, stop);
                _registered.TrySetResult();
                return changed;
            }
            catch (NoServerException e)
            {
                _log.LogWarning("The node could not be registered; the client tries again: {Why}", e.Message);
            }

            await Task.Delay(Retry(), _time, stop);
        }
    }

    private TimeSpan Retry() => s_retry * (1 + _random.NextDouble());
}
