// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>Carries messages between servers. It may lose, repeat and reorder them; raft minds only that enough arrive in time.</summary>
internal interface IRaftTransport : IAsyncDisposable
{
    /// <param name="received">Called for each message, from any thread. Does not block.</param>
    void Start(Action<RaftMessage> received);

    /// <summary>Sends if that is possible just now. Never blocks, never throws.</summary>
    /// <param name="address">Where the receiver is; null when this server's membership does not say.</param>
    void Send(RaftMessage message, string? address);
}
