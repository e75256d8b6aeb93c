// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Nomadstack.Cluster;
using Nomadstack.Preflight;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>Tells who this node is: from disk, or new at the agent's first start. Writes nothing; the caller does that after all checks.</summary>
internal static class NodeIdentity
{
    /// <param name="holdsServers">Whether a server is recorded in the data folder. Its raft peers know it by its address.</param>
    /// <param name="alone">Whether 127.0.0.1 will do if there is no other address: <c>up</c> works without a network.</param>
    /// <exception cref="ProblemException"><c>node/address-changed</c>, or what reading the file found.</exception>
    public static NodeFile ReadOrMint(NodePaths paths, AgentOptions options, bool holdsServers, bool alone)
    {
        if (NodeFile.At(paths).Read() is not { } node)
        {
            return new NodeFile
            {
                Id = Guid.NewGuid().ToString(),
                Name = options.Name ?? HostName(),
                Address = options.Bind ?? Guess(alone && options.Join is null),
                Ports = options.PortsOver(new()),
            };
        }

        // A node that is not yet a member may change its name: a join that was refused for the name can be tried again with another.
        var member = File.Exists(paths.ClusterFile);
        // Whether the machine's address has changed is seen from its interfaces, not from its options.
        var address = options.Bind ?? (AddressGuess.InterfaceOf(node.Address) is null ? Guess(alone: false) : node.Address);
        var asked = node with { Address = address, Ports = options.PortsOver(node.Ports), Name = options.Name ?? (member ? node.Name : HostName()) };
        if (asked == node) return node;
        if (asked.Name != node.Name && member)
            throw new ProblemException(new(
                "node/renamed",
                $"This data folder is node {node.Name}; it cannot become {asked.Name}.",
                "The name is part of the node's identity in the cluster.",
                "Remove --name, or start with an empty data folder and join under the new name.")
            { Unsafe = true });
        if (holdsServers)
        {
            throw new ProblemException(new("node/address-changed",
                $"This node's address was {node.Address}, and now it is to be {asked.Address}{(asked.Ports == node.Ports ? "" : " with other ports")}.",
                "The node has servers, and their raft peers know them only by their address.",
                $"Give the machine its old address again (or use --bind {node.Address}), or drain this node first, from another node. "
                + "If this data folder is a copy of another machine's, move it away and join with an empty one. Nothing was changed.")
            { Unsafe = true });
        }

        return asked;
    }

    private static string HostName() => Dns.GetHostName().Split('.')[0];

    private static string Guess(bool alone) =>
        AddressGuess.Default()?.Address.ToString()
        ?? (alone ? IPAddress.Loopback.ToString() : null)
        ?? throw new ProblemException(new(
            "node/no-address",
            "This machine has no address that other machines could reach.",
            "It has no default route, so no interface can be chosen.",
            "Name an address with --bind IP. Without one, `nomadstack up` uses 127.0.0.1 and makes a cluster of this machine alone."));
}
