// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Nomadstack.Cluster;
using Nomadstack.Preflight;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>Tells who this node is: from disk, or new at the agent's first start. Writes nothing; the caller does that after all checks.</summary>
internal static class NodeIdentity
{
    /// <param name="alone">
    /// Whether a cluster of this machine alone is meant unless an address is given: <c>up</c> makes one that runs whatever anybody asks of it, and that is nobody else's business.
    /// </param>
    /// <exception cref="ProblemException"><c>node/renamed</c>, or what the file's own reading found.</exception>
    public static NodeFile ReadOrMint(NodePaths paths, AgentOptions options, bool alone)
    {
        if (NodeFile.At(paths).Read() is not { } node)
        {
            return new NodeFile
            {
                Id = Guid.NewGuid().ToString(),
                Name = options.Name ?? HostName(),
                Address = options.Bind ?? (alone && options.Join is null ? IPAddress.Loopback.ToString() : Guess()),
                Ports = options.PortsOver(new()),
            };
        }

        // A node that is not yet a member may change its name: a join that was refused for the name can be tried again with another.
        var member = File.Exists(paths.ClusterFile);
        // A machine that came back under another address is not told apart by its options, but by what it has.
        var address = options.Bind ?? (AddressGuess.InterfaceOf(node.Address) is null ? Guess() : node.Address);
        // Another spelling is no other address.
        if (HostPort.SameAddress(address, node.Address)) address = node.Address;
        var asked = node with { Address = address, Ports = options.PortsOver(node.Ports), Name = options.Name ?? (member ? node.Name : HostName()) };
        if (asked == node) return node;
        if (asked.Name != node.Name && member)
            throw new ProblemException(new(
                "node/renamed",
                $"This data folder is node {node.Name}; it cannot become {asked.Name}.",
                "The name is part of the node's identity in the cluster.",
                "Remove --name, or start with an empty data folder and join under the new name.")
            { Unsafe = true });
        return asked;
    }

    private static string HostName() => Dns.GetHostName().Split('.')[0];

    private static string Guess() =>
        AddressGuess.Default()?.Address.ToString()
        ?? throw new ProblemException(NodeProblems.NoAddress());
}
