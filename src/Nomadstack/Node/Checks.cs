// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Agents;
using Nomadstack.Cluster;
using Nomadstack.Preflight;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>What is checked before anything is started: ports, address, disk, clock.</summary>
internal static class Checks
{
    /// <exception cref="ProblemException">The first finding; the rest shows when it is mended.</exception>
    public static void BeforeStart(NodeFile node, NodePaths paths, TimeProvider time, bool consul, bool bootstrap)
    {
        var request = new PreflightRequest(node.Address, PortUse.Of(node.Ports, consul, bootstrap), paths.Data, OwnPids: Own(paths));
        if (PreflightChecks.All(request, HostFacts.Read(paths.Data, time)) is [var first, ..]) throw new ProblemException(first);
    }

    private static HashSet<int> Own(NodePaths paths) =>
        [Environment.ProcessId, .. ProcessRecord.Names(paths.Processes).Select(name => ProcessRecord.At(paths.Processes, name).Read()?.Process).Where(p => p is not null && ProcFs.IsAlive(p)).Select(p => p!.Pid)];
}
