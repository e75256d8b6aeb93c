// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Net;

namespace Nomadstack.Preflight;

/// <summary>A socket that holds a port: TCP listening or UDP bound.</summary>
internal sealed record ListeningSocket(IPAddress Address, int Port, bool Udp, long Inode);

/// <param name="Command">The command line, shortened.</param>
internal sealed record SocketOwner(int Pid, string Command);

/// <summary>Reads which sockets hold which ports, and whose they are, from the kernel's tables.</summary>
internal static class SocketTable
{
    private const string TcpListen = "0A", UdpBound = "07";
    private const int LongestCommand = 120;

    public static IReadOnlyList<ListeningSocket> Read(string proc) =>
    [
        .. Table(proc, "tcp", udp: false), .. Table(proc, "tcp6", udp: false),
        .. Table(proc, "udp", udp: true), .. Table(proc, "udp6", udp: true),
    ];

    /// <summary>One table's text, header included.</summary>
    public static IEnumerable<ListeningSocket> Parse(string table, bool udp)
    {
        foreach (var line in table.Split('\n').Skip(1))
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length < 10 || fields[3] != (udp ? UdpBound : TcpListen)) continue;
            if (fields[1].Split(':') is not [var address, var port] || AddressOf(address) is not { } ip) continue;
            yield return new(ip, int.Parse(port, NumberStyles.HexNumber, CultureInfo.InvariantCulture), udp, long.Parse(fields[9], CultureInfo.InvariantCulture));
        }
    }

    /// <summary>The process that has the socket open; null when it cannot be seen.</summary>
    public static SocketOwner? OwnerOf(long inode, string proc)
    {
        var target = $"socket:[{inode}]";
        foreach (var folder in Directory.EnumerateDirectories(proc))
        {
            if (!int.TryParse(Path.GetFileName(folder), out var pid)) continue;
            try
            {
                if (Directory.EnumerateFiles(Path.Combine(folder, "fd")).Any(f => new FileInfo(f).LinkTarget == target))
                    return new(pid, Command(folder));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // A process of another user, or one that has just ended: it cannot be named.
            }
        }

        return null;
    }

    private static IEnumerable<ListeningSocket> Table(string proc, string name, bool udp)
    {
        var file = Path.Combine(proc, "net", name);
        return File.Exists(file) ? Parse(File.ReadAllText(file), udp) : [];
    }

    private static string Command(string folder)
    {
        var text = File.ReadAllText(Path.Combine(folder, "cmdline")).Replace('\0', ' ').Trim();
        if (text.Length == 0) text = File.ReadAllText(Path.Combine(folder, "comm")).Trim();
        return text.Length > LongestCommand ? text[..LongestCommand] + "…" : text;
    }

    /// <summary>The kernel prints addresses as 32-bit words in the machine's byte order.</summary>
    private static IPAddress? AddressOf(string hex)
    {
        if (hex.Length is not (8 or 32)) return null;
        var bytes = new byte[hex.Length / 2];
        for (var word = 0; word < bytes.Length; word += 4)
        {
            if (!uint.TryParse(hex.AsSpan(word * 2, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var value)) return null;
            BitConverter.TryWriteBytes(bytes.AsSpan(word), value);
        }

        var address = new IPAddress(bytes);
        return address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
    }
}
