// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Timeline;

namespace Nomadstack.Api;

/// <summary>What the daemon offers on its local socket. Every refusal is a <see cref="ProblemException"/>.</summary>
internal interface IAgentService
{
    /// <summary>The cluster as this node sees it now. Never waits for a leader, and works without any server.</summary>
    Task<StatusDocument> StatusAsync(CancellationToken cancel);

    /// <summary>Starts the bootstrap, or returns the one that runs or is done. Safe to repeat.</summary>
    Task<Operation> BootstrapAsync(BootstrapRequest request, CancellationToken cancel);

    IReadOnlyList<Operation> Operations();

    Operation? Operation(string id);

    Task<TokenCreated> CreateTokenAsync(TokenRequest request, CancellationToken cancel);

    IReadOnlyList<TokenStatus> Tokens();

    Task RevokeTokenAsync(string id, CancellationToken cancel);

    /// <summary>Drains a node by name or id, until its servers have moved.</summary>
    Task<Operation> DrainAsync(string node, DrainRequest request, CancellationToken cancel);

    /// <summary>Removes a node for good: refused while its agent is reachable or the node still holds a voter.</summary>
    Task RemoveNodeAsync(string node, CancellationToken cancel);

    /// <summary>Looks for a member at an address, where it answers under another one than the cluster knows and the network does not carry its calls.</summary>
    /// <param name="address">IP, or IP and peer port.</param>
    Task FindNodeAsync(string node, string address, CancellationToken cancel);

    /// <summary>Makes a cluster anew from an archive, on a machine that belongs to none.</summary>
    Task<Operation> RestoreAsync(RestoreRequest request, CancellationToken cancel);

    /// <summary>Gives up the majority of a product's voters, exactly as <see cref="PlanRecoveryAsync"/> says now; follows what is under way.</summary>
    Task<Operation> RecoverAsync(RecoverRequest request, CancellationToken cancel);

    /// <summary>What that would do. Changes nothing.</summary>
    Task<RecoverPlan> PlanRecoveryAsync(RecoverRequest request, CancellationToken cancel);

    /// <summary>What happened on the nodes that answer. Needs no server.</summary>
    Task<TimelineDocument> TimelineAsync(TimelineQuery query, CancellationToken cancel);

    /// <summary>Rehearses on throw-away servers beside the cluster. Returns when nothing of them is left; ends early when the caller goes.</summary>
    Task<DrillReport> DrillAsync(DrillRequest request, CancellationToken cancel);

    /// <summary>What <see cref="AcceptStateAsync"/> would do now.</summary>
    /// <exception cref="ProblemException"><c>recover/nothing-to-accept</c>.</exception>
    Task<AcceptPlan> PlanAcceptStateAsync(CancellationToken cancel);

    /// <summary>Opens this node's gate although its servers have lost state: its tasks become what that state says.</summary>
    /// <exception cref="ProblemException"><c>recover/nothing-to-accept</c>, <c>recover/other-loss</c>.</exception>
    Task AcceptStateAsync(AcceptRequest request, CancellationToken cancel);

    /// <summary>Makes this node's processes of a product use another program from their next start on.</summary>
    /// <param name="file">The program's absolute path; null for the one that is offered.</param>
    Task<ProgramUsed> UseProgramAsync(string product, string? file, CancellationToken cancel);

    /// <summary>Where this node's products listen and which programs they are.</summary>
    Endpoints Endpoints();

    /// <summary>Closes a cluster that was open, while it runs; goes on with what is under way. Or ends its preparation.</summary>
    Task<Operation> SecureAsync(SecureRequest request, CancellationToken cancel);

    /// <summary>Replaces keys, certificates or tokens while the cluster runs; goes on with what is under way.</summary>
    Task<Operation> RotateAsync(RotateRequest request, CancellationToken cancel);

    /// <summary>What that would do. Changes nothing.</summary>
    RotatePlan PlanRotation(RotateRequest request);

    /// <summary>Makes what lets a person or a tool in from another machine.</summary>
    Task<CredentialsMade> MakeCredentialsAsync(CredentialsRequest request, CancellationToken cancel);

    /// <summary>The snapshots on this node, the newest first.</summary>
    IReadOnlyList<SnapshotInfo> Snapshots();

    /// <summary>Takes a snapshot now and proves it.</summary>
    Task<Operation> SaveSnapshotAsync(CancellationToken cancel);

    /// <summary>Reads a snapshot to its end and tells what it holds.</summary>
    Task<SnapshotInfo> InspectSnapshotAsync(SnapshotRequest request, CancellationToken cancel);

    /// <summary>Restores a snapshot into a throw-away server and compares.</summary>
    Task<Operation> VerifySnapshotAsync(SnapshotRequest request, CancellationToken cancel);

    /// <summary>What a restore would do. Changes nothing.</summary>
    Task<RestorePlan> PlanRestoreAsync(SnapshotRequest request, CancellationToken cancel);

    /// <summary>Restores a snapshot into the running cluster.</summary>
    Task<Operation> RestoreSnapshotAsync(SnapshotRequest request, CancellationToken cancel);

    /// <summary>Deletes snapshots that need not be kept on this node.</summary>
    PruneResult PruneSnapshots(PruneRequest request);

    /// <summary>What opens the cluster's snapshots.</summary>
    RecoveryKeyShown RecoveryKey();

    /// <summary>Changes and shows how snapshots are taken.</summary>
    Task<SnapshotPolicyStatus> SnapshotPolicyAsync(SnapshotPolicyRequest request, CancellationToken cancel);

    /// <summary>Makes the file for when nothing runs.</summary>
    Task<KitMade> MakeKitAsync(KitRequest request, CancellationToken cancel);

    /// <summary>Stops every process of this node in order (clients first, servers last), then the agent itself. Used by <c>up</c> at Ctrl-C.</summary>
    Task StopEverythingAsync(CancellationToken cancel);
}

/// <param name="Program">The file that runs from the next start on.</param>
/// <param name="Before">The version until now.</param>
internal sealed record ProgramUsed(string Product, string Version, string Program, string Before);

/// <param name="Without">Names of the products that the cluster leaves out.</param>
/// <param name="Insecure">Makes a cluster that is open to everybody who reaches its ports.</param>
internal sealed record BootstrapRequest(int Servers = 3, IReadOnlyList<string>? Without = null, bool Insecure = false);

internal sealed record DrainRequest(bool Disable = false, double DeadlineSeconds = 3600);

/// <param name="Token">The whole token, shown once.</param>
internal sealed record TokenCreated(string Id, string Token, DateTimeOffset? ExpiresAt);

/// <param name="Uses">How many nodes it lets in; null for any number.</param>
/// <param name="Used">How many it has let in, as far as this node knows.</param>
internal sealed record TokenStatus(string Id, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, bool Revoked, int? Uses = null, int Used = 0)
{
    /// <summary>What it lets nodes in as: <c>server</c> or <c>client</c>.</summary>
    public string Kind { get; init; } = "server";
}

/// <summary>How this node reaches the products of its cluster, by product.</summary>
internal sealed record Endpoints(IReadOnlyDictionary<string, ProductEndpoint> Products)
{
    /// <summary>On a client node: why it lets no person and no tool in. Null on a server node.</summary>
    public Problem? Client { get; init; }

    /// <summary>What is known of a product; empty where the cluster does not have it.</summary>
    public ProductEndpoint Of(string product) => Products.GetValueOrDefault(product) ?? new(null, []);
}

/// <param name="Address">URL of this node's HTTP API, or of a server's while no client runs; null before bootstrap.</param>
/// <param name="Program">Program and leading arguments that make up this cluster's command line of the product; empty where there is none.</param>
/// <param name="Environment">The variables with which the product's own command line reaches it and is let in; null before bootstrap.</param>
internal sealed record ProductEndpoint(string? Address, IReadOnlyList<string> Program, IReadOnlyDictionary<string, string>? Environment = null);
