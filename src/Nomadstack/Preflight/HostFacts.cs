// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Runtime.InteropServices;
using Nomadstack.Storage;

namespace Nomadstack.Preflight;

/// <summary>The facts about this machine that the checks before a start need. Changes nothing and needs no privileges.</summary>
/// <param name="Sockets">What listens here.</param>
/// <param name="Owner">The process that has a socket's inode open; null if it belongs to another user and cannot be seen.</param>
/// <param name="DataMount">The mount of the present or future data folder; null when unknown.</param>
/// <param name="DataProblem">Why the data folder, or the nearest existing folder above it, cannot be read and written; null if it can.</param>
/// <param name="FreeBytes">Free space for us on the data folder's disk; null when unknown.</param>
internal sealed record HostFacts(
    IReadOnlyList<ListeningSocket> Sockets,
    Func<long, SocketOwner?> Owner,
    IReadOnlyList<HostAddress> Addresses,
    Mount? DataMount,
    FolderProblem? DataProblem,
    long? FreeBytes,
    DateTimeOffset Now)
{
    /// <summary>The data folder's disk; null when unknown.</summary>
    public DiskSpace? Disk { get; init; }

    public static HostFacts Read(string dataFolder, TimeProvider time)
    {
        var folder = NearestExisting(dataFolder);
        var mount = Mount.Of(folder, File.ReadAllText("/proc/self/mountinfo"));
        return new(SocketTable.Read("/proc"), inode => SocketTable.OwnerOf(inode, "/proc"), HostAddress.All(), mount, Access(folder), Free(folder), time.GetUtcNow()) { Disk = DiskReading.Of(folder) };
    }

    private static string NearestExisting(string path)
    {
        path = Path.GetFullPath(path);
        while (!Path.Exists(path) && Path.GetDirectoryName(path) is { } parent) path = parent;
        // A link counts as being on the mount of its target.
        return Directory.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
    }

    private static FolderProblem? Access(string folder)
    {
        if (!Directory.Exists(folder)) return new(folder, "it is not a folder");
        return NativeAccess.Check(folder, NativeAccess.Read | NativeAccess.Write | NativeAccess.Search) == 0 ? null : new(folder, Marshal.GetLastPInvokeErrorMessage());
    }

    private static long? Free(string folder)
    {
        try
        {
            return new DriveInfo(folder).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The access check says why. The free space does not matter then.
            return null;
        }
    }
}

/// <param name="Folder">The checked folder, which may be one above the data folder.</param>
/// <param name="Why">The system's words.</param>
internal sealed record FolderProblem(string Folder, string Why);

/// <summary>An address of this machine and the interface that has it.</summary>
internal sealed record HostAddress(IPAddress Address, string Interface)
{
    private const string InterfaceTableFile = "/proc/net/if_inet6";

    /// <summary>None for IPv4, where there are none that matter.</summary>
    public AddressFlags Flags { get; init; }

    public static IReadOnlyList<HostAddress> All()
    {
        // Absent where the kernel has no IPv6.
        var flags = InterfaceTable.Parse(File.Exists(InterfaceTableFile) ? File.ReadAllText(InterfaceTableFile) : "");
        return
        [
            .. System.Net.NetworkInformation.NetworkInterface.GetAllNetworkInterfaces()
                .SelectMany(i => i.GetIPProperties().UnicastAddresses.Select(a => new HostAddress(Plain(a.Address), i.Name)))
                .Select(a => a with { Flags = flags.GetValueOrDefault(a.Address) }),
        ];
    }

    /// <summary>Without the scope of link-local addresses, which people do not type.</summary>
    private static IPAddress Plain(IPAddress address) => address.ScopeIdOrZero() == 0 ? address : new IPAddress(address.GetAddressBytes());
}

internal static class AddressScope
{
    public static long ScopeIdOrZero(this IPAddress address) =>
        address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? address.ScopeId : 0;
}

/// <summary>The kernel's own access check. It knows read-only mounts and access lists, which permission bits do not show.</summary>
internal static partial class NativeAccess
{
    public const int Read = 4, Write = 2, Search = 1;

    [LibraryImport("libc", EntryPoint = "access", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Check(string path, int mode);
}
