// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Ground.Protocol;

namespace Nomadstack.Driver;

/// <summary>One Nomad task that this agent has seen: its claim, the forwarding of its log, and afterwards the fact that it has ended.</summary>
internal sealed class HeldTask : IAsyncDisposable
{
    private readonly CancellationTokenSource _life = new();
    private readonly Task _forwarding;

    public HeldTask(ServerClaim claim, TaskConfig config, DateTimeOffset startedAt, long logFrom, LogKeeper keeper, IServerHost host, TimeProvider time, ILogger log)
    {
        Claim = claim;
        StartedAt = startedAt;
        Token = _life.Token;
        _forwarding = new LogForwarder(host.LogFile(claim.Role), config.StdoutPath, time, log, keeper).RunAsync(logFrom, Token);
        Ended = WatchAsync(host, time, keeper);
    }

    public ServerClaim Claim { get; }

    public DateTimeOffset StartedAt { get; }

    public DateTimeOffset? EndedAt { get; private set; }

    /// <summary>Completes when the claim has ended.</summary>
    public Task Ended { get; }

    /// <summary>Cancelled when the claim has ended; outlives this object.</summary>
    public CancellationToken Token { get; }

    /// <summary>Stops watching and forwarding. The claim does not change.</summary>
    public async ValueTask DisposeAsync()
    {
        await _life.CancelAsync();
        await _forwarding;
        await Ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _life.Dispose();
    }

    private async Task WatchAsync(IServerHost host, TimeProvider time, LogKeeper keeper)
    {
        await host.ReleasedAsync(Claim.TaskId, Token);
        EndedAt = time.GetUtcNow();
        await _life.CancelAsync();
        // After the forwarder's last pass, which needs the FIFO. Not if only this agent stops.
        await _forwarding;
        keeper.Release();
    }
}
