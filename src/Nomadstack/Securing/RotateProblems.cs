// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Security;

namespace Nomadstack.Securing;

/// <summary>Why a rotation is refused.</summary>
internal static class RotateProblems
{
    public static Problem OpenCluster() => new(
        "rotate/open-cluster",
        "This cluster has nothing to rotate.",
        "It has no certificates, gossip keys or tokens: it was made with --insecure, or by release 0.1.0.",
        "Make a new cluster without --insecure.");

    public static Problem Unknown(string what) => new(
        "rotate/unknown",
        $"\"{what}\" cannot be rotated.",
        $"What can be rotated: {string.Join(", ", RotationKinds.All)}, or all.",
        "Use one of these words.");

    public static Problem NoProduct(string product, IEnumerable<string> known) => new(
        "rotate/no-product",
        $"This cluster has no product {product} with keys of its own.",
        $"It has {string.Join(", ", known)}.",
        "Use one of these names with --product.");

    public static Problem UnderWay(string operation) => new(
        "rotate/under-way",
        "Another rotation is under way on this node.",
        $"Operation {operation} is not done yet.",
        "`nomadstack status` shows what it waits for. Run the command again when it is done.");

    public static Problem NotHere() => new(
        "rotate/not-here",
        "This node cannot rotate anything.",
        "It does not have the cluster's secrets.",
        "Run the command on a server node. `nomadstack node list` shows them.");

    public static Problem NoLeader(Product product, string complaint) => new(
        "rotate/no-leader",
        $"{product.Title} did not do its part.",
        complaint,
        "See `nomadstack status`. The rotation goes on by itself when there is a leader.");
}
