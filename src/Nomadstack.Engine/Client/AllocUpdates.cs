// SPDX-License-Identifier: MPL-2.0
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>Tells the servers what became of allocations: what changes within a fifth of a second goes together, and nothing is dropped before it has arrived.</summary>
internal sealed class AllocUpdates(IServers servers, ClientState identity, TimeProvider time, Random random, ILogger log)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(200), s_retry = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Channel<bool> _any = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private Dictionary<string, ClientUpdate> _waiting = new(StringComparer.Ordinal);

    public void Add(ClientUpdate update)
    {
        lock (_gate) _waiting[update.ID] = update;
        _any.Writer.TryWrite(true);
    }

    public async Task RunAsync(CancellationToken stop)
    {
        while (true)
        {
            await _any.Reader.ReadAsync(stop);
            await Task.Delay(s_interval, time, stop);
            while (!await TrySendAsync(stop)) await Task.Delay(s_retry * (1 + random.NextDouble()), time, stop);
        }
    }

    private async Task<bool> TrySendAsync(CancellationToken stop)
    {
        Dictionary<string, ClientUpdate> sending;
        lock (_gate) (sending, _waiting) = (_waiting, new(StringComparer.Ordinal));
        if (sending.Count == 0) return true;
        try
        {
            await servers.UpdateAsync(identity.NodeId, identity.SecretId, [.. sending.Values], stop);
            return true;
        }
        catch (NoServerException e)
        {
            log.LogWarning("{Count} allocation updates could not be sent to the servers and are sent again: {Why}", sending.Count, e.Message);
            // What changed meanwhile is newer.
            lock (_gate)
                foreach (var (id, update) in sending) _waiting.TryAdd(id, update);
            return false;
        }
    }
}
