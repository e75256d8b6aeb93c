// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Net;
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>The address of a node to join: <c>HOST</c>, <c>HOST:PORT</c>, <c>IPv6</c> or <c>[IPv6]:PORT</c>.</summary>
internal sealed record JoinAddress(string Host, int Port)
{
    /// <exception cref="ProblemException"><c>join/bad-address</c>.</exception>
    public static JoinAddress Parse(string text)
    {
        var at = text.Trim();
        var port = new PortPlan().Peers;
        if (IPAddress.TryParse(at.Trim('[', ']'), out var bare)) return new JoinAddress(HostPort.Canonical(bare.ToString()), port);
        var colon = at.LastIndexOf(':');
        var host = colon < 0 ? at : at[..colon];
        if (colon >= 0 && (!int.TryParse(at.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port) || port is < 1 or > 65535))
            throw Bad(text, "The text after the last colon is not a port number.");
        var isBracketed = host.StartsWith('[') && host.EndsWith(']');
        if (isBracketed) host = host[1..^1];
        if (isBracketed ? !IPAddress.TryParse(host, out _) : Uri.CheckHostName(host) is UriHostNameType.Unknown or UriHostNameType.IPv6)
            throw Bad(text, "It is neither a host name nor an IP address.");
        return new JoinAddress(HostPort.Canonical(host), port);
    }

    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    private static ProblemException Bad(string text, string why) =>
        new(JoinProblems.BadAddress(text, why));
}
