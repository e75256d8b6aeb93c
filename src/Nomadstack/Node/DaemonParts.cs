// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Bootstrap;
using Nomadstack.Clients;
using Nomadstack.ColdBoot;
using Nomadstack.Drills;
using Nomadstack.Health;
using Nomadstack.Operations;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Recovery;
using Nomadstack.Securing;
using Nomadstack.Servers;
using Nomadstack.Snapshots;
using Nomadstack.Snapshots.Targets;

namespace Nomadstack.Node;

/// <summary>All parts of the daemon, wired once at its start.</summary>
internal sealed record DaemonParts(
    NodeContext Context,
    NodePrograms Programs,
    ProgramOffers Offers,
    DiskKeeper Disk,
    IReadOnlyDictionary<string, IProduct> Products,
    ISchedulerProduct Scheduler,
    OperationLog Operations,
    ServerHost Host,
    BootstrapServers Temporary,
    ServerJobs Jobs,
    Gatekeeper Gate,
    HistoryKeeper History,
    NodeClients Clients,
    ClientCure Cure,
    CredentialKeeper Credentials,
    ClientCredentials Given,
    ClientTokens NodeTokens,
    IReadOnlyList<ServerKeeper> Keepers,
    BootstrapOperation Bootstrap,
    DrainOperation Drain,
    RotateOperation Rotate,
    SecureOperation Secure,
    ClosingKeeper Closing,
    Readdressing Addresses,
    RecoverOperation Recover,
    RecoveryKeeper Recovery,
    SnapshotKeeper Snapshots,
    SnapshotExport Exports,
    SnapshotDesk SnapshotDesk,
    DrillRoom Drills,
    NodePeers Peers,
    StatusReader Status);
