// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>What a client passes on to its servers, on their RPC ports: to the one that answered last, and to the next when it does not.</summary>
internal sealed class ServerCalls(NomadClient client, TimeProvider time)
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(250);

    public async Task CallAsync(ApiCall call)
    {
        using var late = new CancellationTokenSource(NomadServer.LeaderHold, time);
        using var hold = CancellationTokenSource.CreateLinkedTokenSource(late.Token, call.Cancel);
        while (true)
        {
            var addresses = client.Servers.Addresses;
            if (addresses.Count == 0) throw ServerException.Failed("No known servers: no servers");
            var complaint = "";
            foreach (var address in addresses)
            {
                if (await PassOn.TryAsync(call, client.Servers.Http, address, last: false) is not { } reason) return;
                complaint = reason;
            }

            await Task.Delay(s_pause, time, hold.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (hold.IsCancellationRequested) throw ServerException.Failed($"rpc error: {complaint}");
        }
    }
}
