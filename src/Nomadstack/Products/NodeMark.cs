// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Peers;

namespace Nomadstack.Products;

/// <summary>
/// Whose a client node's token is, as its name in the product's own list says: so it is found again by every server node, and no list of ours can differ from the product's.
/// </summary>
/// <param name="Pin">Hash of the node's key: a machine that joined again in the place of a removed one is another.</param>
/// <param name="Name">What the node knows the token by.</param>
internal sealed record NodeMark(string NodeId, string Pin, string Name)
{
    private const string Prefix = "nomadstack-node";

    public static NodeMark Of(NodeEntry node, string name) => new(node.Id, node.KeyPin, name);

    /// <summary>Null for a token of anybody else.</summary>
    public static NodeMark? Parse(string? text) =>
        text?.Split(' ') is [Prefix, var id, var pin, var name] && MembershipRules.IsUuid(id) && MembershipRules.IsPin(pin) ? new(id, pin, name) : null;

    /// <summary>Whether its node is known not to be here any more. One that is not known at all may have joined a moment ago, through another node.</summary>
    public bool IsOver(ClusterDocument cluster) => cluster.Nodes.GetValueOrDefault(NodeId) is { } node && (node.Removed || node.IsServer || node.KeyPin != Pin);

    public override string ToString() => $"{Prefix} {NodeId} {Pin} {Name}";
}
