// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Nomadstack.Preflight;

/// <summary>The address that a node takes when none is given: one of the interface with the default route. Null if there is none.</summary>
internal static class AddressGuess
{
    private const string NoLimit = "ffffffff";

    public static HostAddress? Default() => Default(ReadOrEmpty("/proc/net/route"), ReadOrEmpty("/proc/net/ipv6_route"), HostAddress.All());

    /// <summary>The interface that has the address; null if this machine does not have it.</summary>
    public static string? InterfaceOf(string address) =>
        IPAddress.TryParse(address, out var ip) ? InterfaceOf(ip, HostAddress.All()) : null;

    /// <param name="route">Text of <c>/proc/net/route</c>.</param>
    /// <param name="route6">Text of <c>/proc/net/ipv6_route</c>.</param>
    internal static HostAddress? Default(string route, string route6, IReadOnlyList<HostAddress> addresses)
    {
        var four = DefaultInterface(route) is { } i4 ? addresses.FirstOrDefault(a => a.Interface == i4 && Usable(a.Address, AddressFamily.InterNetwork)) : null;
        return four ?? (DefaultInterface6(route6) is { } i6
            // A node is known by its address for life: one that an administrator set, else one that lasts, and never one that passes.
            ? addresses.Where(a => a.Interface == i6 && Usable(a.Address, AddressFamily.InterNetworkV6) && (a.Flags & AddressFlags.Passing) == 0).MinBy(a => (a.Flags & AddressFlags.Permanent) != 0 ? 0 : 1)
            : null);
    }

    internal static string? InterfaceOf(IPAddress address, IReadOnlyList<HostAddress> addresses) =>
        addresses.FirstOrDefault(a => a.Address.Equals(address) && (a.Flags & AddressFlags.NotYet) == 0)?.Interface
        // The kernel answers on all of 127.0.0.0/8, whatever is configured.
        ?? (address.AddressFamily == AddressFamily.InterNetwork && IPAddress.IsLoopback(address) ? addresses.FirstOrDefault(a => IPAddress.IsLoopback(a.Address))?.Interface : null);

    private static string? DefaultInterface(string route) =>
        route.Split('\n').Skip(1)
            .Select(l => l.Split((char[])['\t', ' '], StringSplitOptions.RemoveEmptyEntries))
            // Interface, destination, gateway, flags (1 = up), …, metric, mask.
            .Where(f => f.Length >= 8 && f[1] == "00000000" && f[7] == "00000000" && (int.Parse(f[3], NumberStyles.HexNumber, CultureInfo.InvariantCulture) & 1) != 0)
            .OrderBy(f => int.Parse(f[6], CultureInfo.InvariantCulture))
            .FirstOrDefault()?[0];

    private static string? DefaultInterface6(string route) =>
        route.Split('\n')
            .Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            // Destination, its length, source, its length, next hop, metric, …, interface. The kernel's own "unreachable" route has the highest metric.
            .Where(f => f.Length >= 10 && f[1] == "00" && f[0].All(c => c == '0') && f[5] != NoLimit && f[9] != "lo")
            .OrderBy(f => uint.Parse(f[5], NumberStyles.HexNumber, CultureInfo.InvariantCulture))
            .FirstOrDefault()?[9];

    private static bool Usable(IPAddress address, AddressFamily family) =>
        address.AddressFamily == family && !IPAddress.IsLoopback(address) && !address.IsIPv6LinkLocal && !(family == AddressFamily.InterNetwork && address.GetAddressBytes() is [169, 254, ..]);

    private static string ReadOrEmpty(string file) => File.Exists(file) ? File.ReadAllText(file) : "";
}
