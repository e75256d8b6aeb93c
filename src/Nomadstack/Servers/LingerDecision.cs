// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Servers;

/// <summary>The facts about a server that no allocation claims any more.</summary>
/// <param name="LeaderKnown">A server answers a consistent read now.</param>
/// <param name="InConfiguration">The raft configuration names this server.</param>
/// <param name="Successors">Healthy, caught-up voters that an allocation claims and that have copied this server's keys; this server not among them.</param>
/// <param name="Desired">Servers that are to be there; null when the job could not be read or is stopped.</param>
/// <param name="WasVoter">This server was a voter once, so its data may be the cluster's.</param>
/// <param name="WithoutKeys">Servers that would be successors, but for keys that this server has on its disk and that are not in raft.</param>
/// <param name="Before">Node whose lingering server leaves before this one; null when it is this one's turn. All agents agree on the order.</param>
internal sealed record LingerFacts(bool LeaderKnown, bool InConfiguration, int Successors, int? Desired, bool WasVoter, int WithoutKeys = 0, string? Before = null);

/// <summary>What to do with a lingering server.</summary>
internal abstract record LingerDecision
{
    /// <summary>Keep it running. <paramref name="For"/> says what it waits for.</summary>
    internal sealed record Wait(string For) : LingerDecision;

    /// <summary>Transfer leadership if the API can, leave the raft configuration, exit, retire the folder.</summary>
    internal sealed record Leave : LingerDecision;

    /// <summary>The cluster does not need it any more: stop the process and retire the folder.</summary>
    internal sealed record Retire : LingerDecision;

    /// <summary>
    /// Pure and total. Never answers Leave while the server is needed: the last caught-up voter is never stopped (I5),
    /// and nothing is decided while no leader can confirm the facts.
    /// </summary>
    public static LingerDecision Next(LingerFacts facts) => facts switch
    {
        { LeaderKnown: false } => new Wait("a leader: without one, nobody can tell whether this server is still needed"),
        { InConfiguration: false, Successors: > 0 } => new Retire(),
        { InConfiguration: false, WasVoter: true } => new Wait("a successor that has the cluster's data"),
        { InConfiguration: false } => new Retire(),
        { Desired: null } => new Wait("the server job, which is stopped or cannot be read: that is no reason to stop a server"),
        { WithoutKeys: > 0 and var lacking } when facts.Successors < facts.Desired => new Wait($"{lacking} {(lacking == 1 ? "successor" : "successors")} to copy the keyring, which Nomad before 1.9 keeps only on the servers' disks"),
        { Successors: 0 } => new Wait("a successor: this is the last caught-up voter"),
        { Successors: var have, Desired: var want } when have < want => new Wait($"successors: {have} of {want} are caught-up voters"),
        // Raft changes one at a time: two that leave at once would both count on the other's vote.
        { Before: { } node } => new Wait($"the server on {node} to leave first"),
        _ => new Leave(),
    };
}
