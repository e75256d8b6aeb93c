// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Timeline;

/// <summary>The kinds of events. Scripts may rely on them: kinds may be added, never renamed.</summary>
internal static class EventKinds
{
    public const string AgentStarted = "agent.started", AgentStopped = "agent.stopped";

    /// <summary>The first start of the agent in a new boot of the machine.</summary>
    public const string ColdBoot = "boot.cold";

    public const string GateClosed = "gate.closed", GateOpened = "gate.opened", GateOverridden = "gate.overridden";

    public const string ClientCured = "client.cured";

    /// <summary>This node's server has become the leader. Where nothing else is said, each node speaks of its own.</summary>
    public const string LeaderChanged = "leader.changed";

    /// <summary>This node sees no leader, or sees one again.</summary>
    public const string LeaderLost = "leader.lost", LeaderSeen = "leader.seen";

    public const string Claimed = "handover.claimed", Released = "handover.released", Left = "handover.left";

    public const string OperationStarted = "operation.started", OperationStep = "operation.step", OperationDone = "operation.done", OperationFailed = "operation.failed";

    public const string PeerLost = "peer.lost", PeerBack = "peer.back";

    public const string Join = "join", Removal = "removal";

    public const string CertificateRenewed = "certificate.renewed";

    public const string DiskRoomy = "disk.roomy", DiskLow = "disk.low", DiskShort = "disk.short", DiskReserveGiven = "disk.reserve-given";

    public const string AddressAwaited = "address.awaited", AddressChanged = "address.changed";

    /// <summary>Events that could not be written.</summary>
    public const string Gap = "timeline.gap";

    /// <summary>The kinds of a process of this node begin with what it is: <c>server.started</c>, <c>client.exited</c>.</summary>
    public const string Server = "server", Client = "client";

    public const string Started = "started", Adopted = "adopted", Exited = "exited", Killed = "killed", Stopping = "stopping", Trouble = "trouble";

    public static string Of(string what, string happened) => $"{what}.{happened}";
}

/// <summary>The names of fields.</summary>
internal static class EventFields
{
    public const string Role = "role", Reason = "reason", Operation = "operation", Seconds = "seconds", Peer = "peer";

    public const string Problem = "problem", Allocation = "allocation", Before = "before", Lost = "lost";
}
