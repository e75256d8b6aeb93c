// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Security;

/// <summary>Problems with what closes the cluster to strangers.</summary>
internal static class SecurityProblems
{
    public static Problem NoCredentials(Product product) => new(
        "security/no-credentials",
        $"This node has no certificate for {product.Title} yet.",
        "Server nodes of the cluster hand over the secrets with which it is made, and none has done so.",
        "Start the agent of another server node, or wait until one answers. `nomadstack node list` shows which do.");
}
