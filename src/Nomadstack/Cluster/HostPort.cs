// SPDX-License-Identifier: MPL-2.0
using System.Globalization;

namespace Nomadstack.Cluster;

/// <summary>Writes <c>host:port</c>, with brackets around an IPv6 address.</summary>
internal static class HostPort
{
    public static string Join(string host, int port) =>
        host.Contains(':') ? string.Create(CultureInfo.InvariantCulture, $"[{host}]:{port}") : string.Create(CultureInfo.InvariantCulture, $"{host}:{port}");
}
