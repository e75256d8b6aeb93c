// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Peers;

/// <summary>
/// What a membership may forget: by what the entry itself says and the time alone, so that every node forgets it by itself, and takes it from nobody again. Pure.
/// </summary>
internal static class Pruning
{
    /// <summary>A token that is over lets nobody in, and whoever shows it is still told why.</summary>
    public static readonly TimeSpan TokenKept = TimeSpan.FromDays(30);

    /// <summary>
    /// A removal is what keeps a removed machine out. After more than a year, which is longer than any certificate lives, an agent that was off all the time and never
    /// heard of it could bring the node back, and would have to be told once more.
    /// </summary>
    public static readonly TimeSpan RemovedKept = TimeSpan.FromDays(400);

    public static bool IsOver(TokenEntry token, DateTimeOffset now) => !Carriers.IsCarrier(token.Id) && token.ExpiresAt is { } end && now - end > TokenKept;

    public static bool IsOver(NodeEntry node, DateTimeOffset now) => node is { Removed: true, RemovedAt: { } at } && now - at > RemovedKept;

    /// <summary>The document without what is over; itself where nothing is, and where an agent of release 0.1.0, which forgets nothing, would bring it all back.</summary>
    /// <param name="self">This node, which goes on knowing what it is.</param>
    public static ClusterDocument Of(ClusterDocument document, DateTimeOffset now, string self, bool mixed)
    {
        if (mixed || (!document.Tokens.Values.Any(t => IsOver(t, now)) && !document.Nodes.Values.Any(Goes))) return document;
        return document with
        {
            Tokens = document.Tokens.Where(t => !IsOver(t.Value, now)).ToDictionary(t => t.Key, t => t.Value),
            Nodes = document.Nodes.Where(n => !Goes(n.Value)).ToDictionary(n => n.Key, n => n.Value),
        };

        bool Goes(NodeEntry node) => node.Id != self && IsOver(node, now);
    }
}
