// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Security;

/// <summary>What can be replaced while the cluster runs.</summary>
internal static class RotationKinds
{
    /// <summary>Every node's certificates and their keys.</summary>
    public const string Certs = "certs";

    /// <summary>A product's authority and its key, and so every certificate.</summary>
    public const string Ca = "ca";

    /// <summary>The key with which agents encrypt gossip.</summary>
    public const string Gossip = "gossip";

    /// <summary>The tokens of the agents.</summary>
    public const string Tokens = "tokens";

    public static IReadOnlyList<string> All { get; } = [Certs, Ca, Gossip, Tokens];
}
