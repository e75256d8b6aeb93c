// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Bootstrap;
using Nomadstack.Clients;
using Nomadstack.ColdBoot;
using Nomadstack.Health;
using Nomadstack.Operations;
using Nomadstack.Programs;
using Nomadstack.Servers;

namespace Nomadstack.Node;

/// <summary>Everything the daemon is made of, wired once at its start.</summary>
internal sealed record DaemonParts(
    NodeContext Context,
    NodePrograms Programs,
    OperationLog Operations,
    ServerHost Host,
    BootstrapServers Temporary,
    ServerJobs Jobs,
    Gatekeeper Gate,
    NodeClients Clients,
    ServerKeeper Keeper,
    BootstrapOperation Bootstrap,
    NodePeers Peers,
    StatusReader Status);
