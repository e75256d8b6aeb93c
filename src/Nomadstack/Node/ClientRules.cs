// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography.X509Certificates;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;

namespace Nomadstack.Node;

/// <summary>For whom a client node may get credentials: for itself, as it was let in. Pure. A stolen one may write into its own entry what it likes.</summary>
internal static class ClientRules
{
    /// <summary>Why the node gets none, or null.</summary>
    /// <param name="shown">The certificate with which it asks: the cluster wrote into it who was let in.</param>
    public static Problem? Complaint(ClusterDocument cluster, NodeEntry node, X509Certificate2 shown)
    {
        if (!Certificates.IsFor(shown, node.Name)) return ClientProblems.OtherName(node.Name);
        foreach (var other in cluster.Nodes.Values.Where(n => n.Id != node.Id && !n.Removed))
        {
            if (Same(other.Name, node.Name)) return ClientProblems.NameIsTaken(node.Name, $"the name of node {other.Id}");
            // By these names the servers of that node are known to each other.
            if (Same(ServerSite.JobName(other.Name), node.Name) || Same(ServerSite.BootstrapName(other.Name), node.Name))
                return ClientProblems.NameIsTaken(node.Name, $"the name of a server of {other.Name}");
        }

        return null;
    }

    /// <summary>Whether no other node has the node's address: several may run on one machine, and a thief may write down another's.</summary>
    public static bool IsOnlyOneAtItsAddress(ClusterDocument cluster, NodeEntry node) =>
        !cluster.Nodes.Values.Any(n => n.Id != node.Id && !n.Removed && HostPort.SameAddress(n.Address, node.Address));

    private static bool Same(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
}
