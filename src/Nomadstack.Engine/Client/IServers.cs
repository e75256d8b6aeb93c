// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>What a client asks of its servers. Any of them may be asked; what they cannot answer themselves they pass on to their leader.</summary>
internal interface IServers
{
    /// <summary>Registers the node, or what changed of it.</summary>
    /// <returns>How long the servers wait for a sign of life before they take the node for lost.</returns>
    /// <exception cref="NoServerException" />
    Task<TimeSpan> RegisterAsync(Node node, CancellationToken cancel);

    /// <summary>The sign of life; makes the node ready.</summary>
    /// <returns>As of <see cref="RegisterAsync"/>; null when the servers do not know the node.</returns>
    /// <exception cref="NoServerException" />
    Task<TimeSpan?> HeartbeatAsync(string nodeId, string secretId, CancellationToken cancel);

    /// <summary>
    /// All allocations of the node, once the state is past <paramref name="after"/> or some minutes are over. The answer is consistent: it comes from a
    /// leader that has applied all of its log. What it does not name is stopped and deleted here, so that a stale or an empty answer would cost the
    /// node its work (hashicorp/nomad issue 18267).
    /// </summary>
    /// <exception cref="NoServerException" />
    Task<NodeAllocations> NodeAllocationsAsync(string nodeId, string secretId, long after, CancellationToken cancel);

    /// <summary>Those of the allocations that exist, each with its job, from a state past <paramref name="after"/>.</summary>
    /// <exception cref="NoServerException" />
    Task<AllocationsFound> AllocationsAsync(IReadOnlyList<string> ids, string secretId, long after, CancellationToken cancel);

    /// <exception cref="NoServerException" />
    Task UpdateAsync(string nodeId, string secretId, IReadOnlyList<ClientUpdate> updates, CancellationToken cancel);
}

/// <summary>No server could be reached, or none has a leader. The call may be made again.</summary>
internal sealed class NoServerException(string message, Exception? inner = null) : Exception(message, inner);
