// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Processes;
using Nomadstack.Storage;

namespace Nomadstack.Dev;

/// <summary>The nodes of <c>up --dev-nodes</c> below one data folder: <c>dev/n1</c>, <c>dev/n2</c>, …</summary>
internal sealed class DevRoom
{
    private DevRoom(string folder, IReadOnlyList<DevNode> nodes) => (Folder, Nodes) = (folder, nodes);

    public string Folder { get; }

    /// <summary>In order of their numbers.</summary>
    public IReadOnlyList<DevNode> Nodes { get; }

    /// <summary>A room with at least this many nodes. Nodes from before stay.</summary>
    public static DevRoom Make(NodePaths paths, int nodes)
    {
        var folder = FolderIn(paths);
        foreach (var node in Enumerable.Range(1, nodes).Select(number => new DevNode(folder, number)))
            DurableFolders.CreateOwn(node.Paths.Data);
        return Find(paths)!;
    }

    /// <summary>The room of a data folder, or null when it has none.</summary>
    public static DevRoom? Find(NodePaths paths)
    {
        var folder = FolderIn(paths);
        var nodes = new List<DevNode>();
        while (new DevNode(folder, nodes.Count + 1) is var node && Directory.Exists(node.Paths.Data)) nodes.Add(node);
        return nodes.Count == 0 ? null : new(folder, nodes);
    }

    /// <exception cref="ProblemException"><c>dev/none</c>.</exception>
    public static DevRoom FindOrThrow(NodePaths paths) =>
        Find(paths) ?? throw new ProblemException(DevProblems.None(paths.Data));

    /// <exception cref="ProblemException"><c>dev/unknown-node</c>.</exception>
    public DevNode this[string name] =>
        Nodes.FirstOrDefault(node => node.Name == name)
        ?? throw new ProblemException(DevProblems.UnknownNode(name, Nodes.Select(node => node.Name)));

    /// <summary>The node that a command means if --data-dir names a room and not a node: the first one whose agent runs.</summary>
    public static NodePaths Representative(NodePaths paths)
    {
        if (File.Exists(paths.NodeFile) || Find(paths) is not { } room) return paths;
        return (room.Nodes.FirstOrDefault(node => node.AgentRuns) ?? room.Nodes[0]).Paths;
    }

    /// <summary>
    /// Cuts the power: when this returns, no process of these nodes runs, and none had a chance to prepare.
    /// </summary>
    /// <returns>How many processes ended.</returns>
    public async Task<int> CutPowerAsync(IReadOnlyList<DevNode> nodes, TimeProvider time, CancellationToken cancel)
    {
        foreach (var node in nodes) node.PullPlug();
        var ended = await Task.WhenAll(nodes.Select(async node =>
            // The agent first, since it would start its processes again.
            await MarkedProcesses.EndAsync(Folder, node.ProcessName, TimeSpan.Zero, time, cancel) + await MarkedProcesses.EndAsync(node.Paths.Data, null, TimeSpan.Zero, time, cancel)));
        return ended.Sum();
    }

    private static string FolderIn(NodePaths paths) => Path.Combine(paths.Data, "dev");
}
