// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Storage;

namespace Nomadstack.Doctor;

/// <summary>Another node of the cluster, as its ports answer this machine now.</summary>
/// <param name="At">Its address and peer port.</param>
/// <param name="Deaf">Gossip ports that are open for TCP and do not answer over UDP, such as <c>8301/udp (Consul client gossip)</c>.</param>
internal sealed record SeenPeer(string Name, string At, PeerAnswering Answering, IReadOnlyList<string> Deaf)
{
    /// <summary>How much later its clock is; null if it did not tell.</summary>
    public TimeSpan? Later { get; init; }

    /// <summary>So many are asked: enough to see what the network does, and the answer comes within seconds in a large cluster too.</summary>
    private const int Most = 8;

    /// <summary>Asks the other nodes of a membership, those with servers first. Writes nothing.</summary>
    public static async Task<IReadOnlyList<SeenPeer>> AllAsync(NodePaths paths, ClusterDocument document, string self, TimeProvider time, CancellationToken cancel)
    {
        var others = document.Nodes.Values.Where(n => n.Id != self && !n.Removed).OrderByDescending(n => n.Servers.Count).ThenBy(n => n.Name, StringComparer.Ordinal).Take(Most);
        return await Task.WhenAll(others.Select(n => LookAsync(paths, document, n, time, cancel)));
    }

    private static async Task<SeenPeer> LookAsync(NodePaths paths, ClusterDocument document, NodeEntry node, TimeProvider time, CancellationToken cancel)
    {
        var at = new JoinAddress(node.Address, node.Ports.Peers);
        var looking = TimedAsync();
        var gossip = await Task.WhenAll(Gossip(paths, document, node).Select(async port => (port.Words, Answer: await GossipProbe.AskAsync(IPAddress.Parse(node.Address), port.Number, port.Key, cancel))));
        var ((answering, answer), now) = await looking;
        return new(node.Name, at.ToString(), answering, [.. gossip.Where(g => g.Answer == GossipAnswering.Deaf).Select(g => g.Words)]) { Later = answer?.Clock - now };

        // Gossip may take longer, so the time is noted with the answer.
        async Task<((PeerAnswering, PingAnswer?), DateTimeOffset)> TimedAsync() => (await PeerProbe.LookAsync(at, time, cancel), time.GetUtcNow());
    }

    /// <summary>A pool whose key this node does not have, such as that of the Nomad servers on a node without one, cannot be asked.</summary>
    private static IEnumerable<(int Number, string Words, byte[]? Key)> Gossip(NodePaths paths, ClusterDocument document, NodeEntry node)
    {
        var closed = document.Settings.Text(SettingNames.SecurityPhase) is SettingNames.Secure or SettingNames.Closing;
        foreach (var product in ProductTable.Known.Stack.Where(p => document.Products.Contains(p.Name) && !(p.Schedules && document.Engine == EngineKind.Embedded)))
        {
            var key = closed ? GossipProbe.KeyIn(Path.Combine(paths.Server(product.Name), "data")) ?? GossipProbe.KeyIn(Path.Combine(paths.Client(product.Name), "data")) : null;
            if (closed && key is null) continue;
            if (product.FindPort(ProductPort.Client, ProductPort.Serf) is { } client) yield return (node.Ports[client], $"{node.Ports[client]}/udp ({client.Words})", key);
            foreach (var server in node.Servers.Where(s => s.Role == product.Name && s.Serf > 0)) yield return (server.Serf, $"{server.Serf}/udp ({product.Title} server gossip)", key);
        }
    }
}
