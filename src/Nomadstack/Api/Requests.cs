// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Api;

/// <summary>Asks for a join token.</summary>
/// <param name="TimeToLiveSeconds">How long it may be used; null for the agent's default.</param>
/// <param name="Uses">How many nodes it lets in; null for any number.</param>
/// <param name="Client">Whether it lets them in as client nodes, which get no keys of the cluster.</param>
internal sealed record TokenRequest(double? TimeToLiveSeconds = null, int? Uses = null, bool Client = false);

/// <summary>Asks for what lets a person or a tool in from another machine.</summary>
/// <param name="Role"><c>read|operate|admin</c>.</param>
/// <param name="TimeToLiveSeconds">Null for the agent's default.</param>
internal sealed record CredentialsRequest(string Name, string Role, double? TimeToLiveSeconds = null);

/// <param name="Files">Content by file name: certificates, keys, and <c>env</c>, a script that sets the variables.</param>
internal sealed record CredentialsMade(IReadOnlyDictionary<string, string> Files, DateTimeOffset ExpiresAt);

/// <summary>Asks to replace keys, certificates or tokens.</summary>
/// <param name="What"><c>certs|ca|gossip|tokens|all</c>.</param>
/// <param name="Product">Null for all products.</param>
internal sealed record RotateRequest(string What, string? Product = null);

/// <param name="Undo">Ends the preparation instead; refused once the cluster is being closed.</param>
internal sealed record SecureRequest(bool Undo = false);

/// <summary>Asks to make a cluster anew from an archive.</summary>
/// <param name="Archive">Absolute path on the agent's machine.</param>
/// <param name="Key">The recovery key.</param>
internal sealed record RestoreRequest(string Archive, string Key);

/// <summary>Asks to give up the majority of a product's voters.</summary>
/// <param name="AcceptDataLoss">Names of nodes that never return.</param>
/// <param name="Seen">The lines of the plan that a person agreed to: no other is carried out. Null for whatever the plan is now.</param>
internal sealed record RecoverRequest(IReadOnlyList<string>? AcceptDataLoss = null, IReadOnlyList<string>? Seen = null);

/// <summary>What a recovery would do.</summary>
internal sealed record RecoverPlan(IReadOnlyList<RecoverPlanItem> Products)
{
    /// <summary>For <see cref="RecoverRequest.Seen"/>.</summary>
    public IReadOnlyList<string> ToSeen() => [.. Products.Where(p => p.State == RecoverPlanItem.Recover).SelectMany(p => p.Lines)];
}

/// <param name="State"><c>recover|nothing|refused</c>.</param>
/// <param name="Keep">The node whose data goes on.</param>
/// <param name="Lines">In words: what is kept, what starts blank, what is lost.</param>
/// <param name="Problem">Why it is refused.</param>
internal sealed record RecoverPlanItem(string Product, string State, string? Keep, IReadOnlyList<string> Lines, Problem? Problem)
{
    public const string Recover = "recover", Nothing = "nothing", Refused = "refused";

    /// <summary>Term and index of the last entry that is kept.</summary>
    public long Term { get; init; }

    /// <inheritdoc cref="Term"/>
    public long Index { get; init; }
}

/// <summary>What it means to accept the older state that the servers have.</summary>
/// <param name="WaitsFor">What this node's gate waits for.</param>
/// <param name="Stopped">The allocations that ran on this node and that the servers do not know.</param>
internal sealed record AcceptPlan(string WaitsFor, IReadOnlyList<AcceptedLoss> Stopped);

/// <param name="Seen">Ids of the allocations that the person has seen will be stopped; null from older commands, which show none.</param>
internal sealed record AcceptRequest(IReadOnlyList<string>? Seen = null);

/// <param name="Name"><c>JOB.GROUP[INDEX]</c>; empty where nobody remembers it.</param>
internal sealed record AcceptedLoss(string Id, string Name);

/// <param name="Address">Where a member is: IP, or IP and peer port.</param>
internal sealed record AddressRequest(string Address);

/// <summary>What a rotation would do.</summary>
/// <param name="Items">What is replaced, in that order.</param>
/// <param name="Away">Nodes that are away and read what is new when they come back.</param>
/// <param name="Effects">What people and programs notice.</param>
internal sealed record RotatePlan(IReadOnlyList<string> Items, IReadOnlyList<string> Away, IReadOnlyList<string> Effects);

/// <param name="File">The program's absolute path; null for the one that is offered.</param>
internal sealed record ProgramRequest(string? File = null);

/// <summary>What <c>nomadstack version --json</c> prints.</summary>
/// <param name="Commit">The commit it was built from; empty when unknown.</param>
internal sealed record VersionDocument(string Version, string Commit, string Runtime, string Platform);
