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

    public static Problem OpenCluster() => new(
        "credentials/open-cluster",
        "This cluster needs no credentials.",
        "It was made without TLS and access control, so whoever reaches its ports can do anything.",
        "`nomadstack env` prints the addresses.");

    public static Problem BadName(string name) => new(
        "credentials/name",
        $"\"{name}\" cannot be the name of a person or a tool.",
        "A name has at most 64 letters, digits, dots, dashes and underscores.",
        "Choose such a name.");

    public static Problem BadRole(string role) => new(
        "credentials/role",
        $"There is no role {role}.",
        $"The roles are {string.Join(", ", PersonRole.All)}.",
        "Use one of them with --role.");

    public static Problem BadLife(TimeSpan life) => new(
        "credentials/ttl",
        $"Credentials cannot live for {life.TotalMinutes:0.#} minutes.",
        "Nomad and Consul accept from one minute to 24 hours by default.",
        "Use a --ttl within that, and make new ones when they end.");

    public static Problem NotMade(Product product, string complaint) => new(
        "credentials/refused",
        $"{product.Title} did not make a token.",
        complaint,
        "See `nomadstack status`, and run the command again when there is a leader. Nothing that was made before can be used alone.");
}
