// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Api;

/// <summary>What the daemon offers on its local socket. Every refusal is a <see cref="Cluster.ProblemException"/>.</summary>
internal interface IAgentService
{
    /// <summary>The cluster as this node sees it now. Never waits for a leader, works with no server anywhere.</summary>
    Task<StatusDocument> StatusAsync(CancellationToken cancel);

    /// <summary>Starts the bootstrap, or returns the one that runs or is done already: safe to repeat.</summary>
    Task<Operation> BootstrapAsync(BootstrapRequest request, CancellationToken cancel);

    IReadOnlyList<Operation> Operations();

    Operation? Operation(string id);

    Task<TokenCreated> CreateTokenAsync(TimeSpan? timeToLive, CancellationToken cancel);

    IReadOnlyList<TokenStatus> Tokens();

    Task RevokeTokenAsync(string id, CancellationToken cancel);

    /// <summary>Drains a node by name or id, follows until its servers have moved.</summary>
    Task<Operation> DrainAsync(string node, DrainRequest request, CancellationToken cancel);

    /// <summary>Removes a node for good: refused while its agent is reachable or it still holds a voter.</summary>
    Task RemoveNodeAsync(string node, CancellationToken cancel);

    /// <summary>Where this node's products listen and which programs they are.</summary>
    Endpoints Endpoints();

    /// <summary>Stops every process of this node in order (clients first, servers last), then the agent itself. Used by <c>up</c> at Ctrl-C.</summary>
    Task StopEverythingAsync(CancellationToken cancel);
}

internal sealed record BootstrapRequest(int Servers = 3, bool Consul = true);

internal sealed record DrainRequest(bool Disable = false, double DeadlineSeconds = 3600);

/// <param name="Token">The whole token, shown once.</param>
internal sealed record TokenCreated(string Id, string Token, DateTimeOffset? ExpiresAt);

internal sealed record TokenStatus(string Id, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, bool Revoked);

/// <param name="NomadAddress">URL of this node's Nomad HTTP API, or of a server's while no client runs; null before bootstrap.</param>
/// <param name="NomadProgram">Program and leading arguments that make up this cluster's <c>nomad</c> command.</param>
internal sealed record Endpoints(string? NomadAddress, IReadOnlyList<string> NomadProgram, string? ConsulAddress, IReadOnlyList<string> ConsulProgram);
