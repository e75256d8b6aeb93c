// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>
/// Answers what only a leader may answer: here when this server leads, otherwise by asking the one that does, on its RPC port. While there is none, the call is
/// held for as long as Nomad holds it.
/// </summary>
internal sealed class LeaderCalls(NomadServer server)
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(50);

    public async Task CallAsync(Route route, ApiCall call)
    {
        if (call.IsForwarded)
        {
            if (server.Session is null) throw new NotLeaderException();
            await route.RunAsync(call);
            return;
        }

        using var late = new CancellationTokenSource(NomadServer.LeaderHold, server.Time);
        using var hold = CancellationTokenSource.CreateLinkedTokenSource(late.Token, call.Cancel);
        while (true)
        {
            try
            {
                if (await server.LeaderAsync(hold.Token) is not null)
                {
                    await route.RunAsync(call);
                    return;
                }

                if (server.LeaderAddress is { } address && await PassOn.TryAsync(call, server.Http, address, last: true) is null) return;
            }
            catch (NotLeaderException) when (!hold.IsCancellationRequested && !call.Http.Response.HasStarted)
            {
                // Leadership went elsewhere just now, and nothing was done: ask again.
            }

            await Task.Delay(s_pause, server.Time, hold.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (hold.IsCancellationRequested) throw new NotLeaderException();
        }
    }
}
