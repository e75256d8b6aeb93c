// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Servers;
using Nomadstack.Storage;
using Nomadstack.Timeline;

namespace Nomadstack.Explain;

/// <summary>A node as the membership on this disk has it.</summary>
internal sealed record RecordedNode(string Name, string Address, bool Server);

/// <summary>A server as the membership on this disk has it.</summary>
/// <param name="Stays">An allocation claimed it: it counts for the quorum, and others do not wait for its leave.</param>
internal sealed record RecordedServer(string Role, string Node, string Address, bool Stays);

/// <summary>A server whose data is on this disk.</summary>
/// <param name="Pid">Null while it does not run.</param>
internal sealed record OwnServer(string Role, bool Leaving, bool WasVoter, int? Pid);

/// <summary>What a data folder knows of its node and its cluster, with or without an agent.</summary>
/// <param name="Node">The node's name; empty where no agent ever ran.</param>
/// <param name="ClusterId">Empty where the node is not a member.</param>
/// <param name="Scheduler">The product that runs the jobs.</param>
internal sealed record NodeRecords(
    string Node, string ClusterId, IReadOnlyList<RecordedNode> Nodes, IReadOnlyList<RecordedServer> Servers, IReadOnlyList<OwnServer> Own, string Scheduler)
{
    /// <summary>What an agent's processes that run without it are called.</summary>
    public IReadOnlyList<string> Running { get; init; } = [];

    /// <exception cref="ProblemException">A file is damaged, newer, or another user's.</exception>
    public static NodeRecords Read(NodePaths paths, ProductTable table)
    {
        var node = NodeFile.At(paths).Read();
        var cluster = new DurableFile<ClusterDocument>(paths.ClusterFile, ClusterDocument.CurrentSchema, ReadablePeersJson.ClusterDocument, MembershipRules.Complaint).Read();
        var running = AgentPresence.ProcessesOf(paths);
        return new(
            node?.Name ?? "",
            cluster?.ClusterId ?? "",
            [.. (cluster?.Nodes.Values ?? []).Where(n => !n.Removed).OrderBy(n => n.Name, StringComparer.Ordinal).Select(n => new RecordedNode(n.Name, n.Address, n.IsServer))],
            [.. table.Shown.SelectMany(p => KnownServer.Of(cluster, p.Name)).OrderBy(s => s.NodeName, StringComparer.Ordinal)
                .Select(s => new RecordedServer(s.Entry.Role, s.NodeName, s.Rpc, s.IsClaimed || s.IsBootstrap))],
            [.. table.Shown.Select(p => ServerRecord.At(paths.Server(p.Name)).Read()).OfType<ServerRecord>()
                .Select(r => new OwnServer(r.Role, r.Leaving, r.WasVoter, PidOf(r.Role)))],
            table.Scheduler.Name)
        {
            Running = [.. running.Select(r => r.Name)],
        };

        int? PidOf(string role) => running.Where(r => r.Name == role + "-server").Select(r => (int?)r.Pid).FirstOrDefault();
    }

    /// <summary>This node's own timeline. All others are missing.</summary>
    /// <exception cref="ProblemException"><c>timeline/unreadable</c>, <c>timeline/only-own</c>.</exception>
    public TimelineDocument OwnTimeline(NodePaths paths, TimelineQuery query)
    {
        if (query.Node is { } other && other != Node) throw new ProblemException(ExplainProblems.OnlyOwn(other, Node));
        try
        {
            const string NotAsked = "the agent of this node does not run, so nobody was asked";
            var missing = Nodes.Where(n => n.Name != Node && query.Node is null).Select(n => new MissingTimeline(n.Name, NotAsked));
            return TimelineDocument.Merge([(Node, JournalFile.Read(paths.Timeline, query))], missing, "", query.Most);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(TimelineProblems.NotReadable(paths.Timeline, e.Message), e);
        }
    }
}
