// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Preflight;
using Nomadstack.Processes;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>What is checked before anything is started: ports, address, disk, clock.</summary>
internal static class Checks
{
    /// <exception cref="ProblemException">The first finding. The next one shows after that is corrected.</exception>
    public static void BeforeStart(NodeFile node, NodePaths paths, TimeProvider time, IEnumerable<Product> products, bool bootstrap)
    {
        var request = new PreflightRequest(node.Address, PortUse.Of(node.Ports, products, bootstrap), paths.Data, OwnPids: MarkedProcesses.WithThis(paths.Data));
        if (PreflightChecks.All(request, HostFacts.Read(paths.Data, time)) is [var first, ..]) throw new ProblemException(first);
    }
}
