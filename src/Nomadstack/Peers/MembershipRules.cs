// SPDX-License-Identifier: MPL-2.0
using System.Net;

namespace Nomadstack.Peers;

/// <summary>What a membership must look like, whether read from the disk or received from a peer.</summary>
internal static class MembershipRules
{
    /// <summary>Why the document cannot be one of ours, or null.</summary>
    public static string? Complaint(ClusterDocument document)
    {
        if (!Guid.TryParse(document.ClusterId, out _)) return "its cluster id is no UUID";
        if (document.CaPin is not { Length: 64 } || !document.CaPin.All(char.IsAsciiHexDigitLower)) return "its CA pin is no SHA-256";
        if (document.Nodes is null || document.Tokens is null) return "nodes or tokens are missing";
        foreach (var (id, entry) in document.Nodes)
            if (Complaint(id, entry) is { } complaint) return complaint;
        foreach (var (id, token) in document.Tokens)
            if (token is null || token.Id != id || token.Incarnation < 1) return $"token {id} is not whole";
        return null;
    }

    private static string? Complaint(string id, NodeEntry? entry) =>
        entry is null || entry.Id != id ? $"node {id} is filed under another id"
        : !Guid.TryParse(id, out _) ? $"node id {id} is no UUID"
        : string.IsNullOrEmpty(entry.Name) ? $"node {id} has no name"
        : !IPAddress.TryParse(entry.Address, out _) ? $"node {id} has no IP address"
        : entry.Incarnation < 1 ? $"node {id} has no incarnation"
        : entry.Ports is null || entry.Servers is null ? $"node {id} lacks ports or servers"
        : null;
}
