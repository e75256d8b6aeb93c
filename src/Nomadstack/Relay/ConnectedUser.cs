// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Net;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Relay;

/// <summary>Whose process is at the other end of a connection on this machine, read from the kernel's table of sockets (proc_pid_net(5)).</summary>
internal static class ConnectedUser
{
    /// <summary>The only state in which the user of a socket is surely its owner: one that nobody holds open any more is shown as root's.</summary>
    private const string Established = "01";

    /// <summary>What <c>/proc/self/loginuid</c> says where nobody logged in.</summary>
    private const uint NoLogin = uint.MaxValue;

    /// <summary>Null where the connection is not in the table.</summary>
    public static uint? Of(IPEndPoint peer, IPEndPoint own) =>
        Find(File.ReadAllText("/proc/net/tcp"), Word(peer), Word(own))
        // A program may reach an address of IPv4 through a socket of IPv6.
        ?? (File.Exists("/proc/net/tcp6") ? Find(File.ReadAllText("/proc/net/tcp6"), Mapped(peer), Mapped(own)) : null);

    /// <summary>This process's user and root, and for root whoever became root here to run it: the browser is theirs.</summary>
    /// <param name="variable">Reads an environment variable.</param>
    public static IReadOnlySet<uint> Operators(Func<string, string?> variable)
    {
        var own = Libc.GetEffectiveUserId();
        HashSet<uint> all = [0, own];
        if (own != 0) return all;
        foreach (var text in new[] { variable("SUDO_UID"), variable("PKEXEC_UID"), File.Exists("/proc/self/loginuid") ? File.ReadAllText("/proc/self/loginuid") : null })
        {
            if (uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var before) && before != NoLogin) all.Add(before);
        }

        return all;
    }

    internal static uint? Find(string table, string peer, string own)
    {
        foreach (var line in table.Split('\n').Skip(1))
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length > 7 && fields[1] == peer && fields[2] == own && fields[3] == Established) return uint.Parse(fields[7], CultureInfo.InvariantCulture);
        }

        return null;
    }

    /// <summary>The kernel prints an address as a 32-bit word in the machine's byte order.</summary>
    internal static string Word(IPEndPoint end) =>
        string.Create(CultureInfo.InvariantCulture, $"{BitConverter.ToUInt32(end.Address.MapToIPv4().GetAddressBytes()):X8}:{end.Port:X4}");

    private static string Mapped(IPEndPoint end) =>
        string.Create(CultureInfo.InvariantCulture, $"{0:X16}{(BitConverter.IsLittleEndian ? 0xFFFF0000 : 0x0000FFFF):X8}{Word(end)}");
}
