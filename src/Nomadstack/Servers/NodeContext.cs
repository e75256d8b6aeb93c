// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Peers;
using Nomadstack.Storage;

namespace Nomadstack.Servers;

/// <summary>What every part of the daemon is given: who this node is, where its files are, whom it knows, what time it is.</summary>
internal sealed record NodeContext(NodeFile Node, NodePaths Paths, Membership Membership, TimeProvider Time, ILoggerFactory Logs);
