// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Net;

namespace Nomadstack.Cluster;

/// <summary>Writes <c>host:port</c>, with brackets around an IPv6 address.</summary>
internal static class HostPort
{
    public static string Join(string host, int port) =>
        host.Contains(':') ? string.Create(CultureInfo.InvariantCulture, $"[{host}]:{port}") : string.Create(CultureInfo.InvariantCulture, $"{host}:{port}");

    /// <summary>Whether two texts are one address: IPv6 has many spellings of each, and releases before this one wrote down what was typed.</summary>
    public static bool SameAddress(string one, string other) => Canonical(one) == Canonical(other);

    /// <summary>The one spelling of an IP address that we write; anything else as it is.</summary>
    public static string Canonical(string address) => IPAddress.TryParse(address, out var ip) ? (ip.IsIPv4MappedToIPv6 ? ip.MapToIPv4() : ip).ToString() : address;
}
