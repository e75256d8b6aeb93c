// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using Nomadstack.Cluster;

namespace Nomadstack.Preflight;

/// <summary>What a node is about to take.</summary>
/// <param name="Built">When this program was built; null when unknown.</param>
/// <param name="OwnPids">Processes that may hold the ports because they are ours already.</param>
/// <param name="Member">A cluster counts on this node already: what it has recorded is started, however little room is left.</param>
internal sealed record PreflightRequest(string Address, IReadOnlyList<PortUse> Ports, string DataFolder, DateTimeOffset? Built = null, IReadOnlySet<int>? OwnPids = null, bool Member = false);

/// <param name="Purpose">What a person calls it: <c>Nomad server RPC</c>.</param>
internal sealed record PortUse(int Port, string Purpose, bool Udp = false)
{
    /// <summary>The ports a node takes, the temporary ones of a bootstrap included when it will make a cluster.</summary>
    public static IReadOnlyList<PortUse> Of(PortPlan plan, IEnumerable<Product> products, bool bootstrap) =>
    [
        new(plan.Peers, "nomadstack peers"),
        .. products.SelectMany(p => p.Ports)
            .Where(p => bootstrap || p.Holder != ProductPort.Bootstrap)
            .SelectMany(p => p.Udp ? [new PortUse(plan[p], p.Words), new PortUse(plan[p], p.Words, Udp: true)] : new[] { new PortUse(plan[p], p.Words) }),
    ];
}

/// <summary>Everything that would make a start fail later, found before anything is started. Pure: reports all at once, changes nothing.</summary>
internal static class PreflightChecks
{
    /// <summary>Raft, snapshots and logs of an idle cluster take a few hundred megabytes.</summary>
    public const long LeastFreeBytes = 512L << 20;

    /// <summary>No clock that is right shows an earlier time.</summary>
    private static readonly DateTimeOffset s_earliest = new(2024, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static IReadOnlyList<Problem> All(PreflightRequest request, HostFacts host) =>
        [.. Address(request, host), .. Ports(request, host), .. Data(request, host), .. Clock(request, host)];

    public static IEnumerable<Problem> Address(PreflightRequest request, HostFacts host)
    {
        if (!IPAddress.TryParse(request.Address, out var address))
        {
            yield return new("preflight/bind-not-an-address", $"\"{request.Address}\" is no IP address.", "A node binds to one address, by number: a name may lead elsewhere after a restart.", Choose(host));
        }
        else if (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
        {
            yield return new("preflight/bind-any", $"{address} means every address of this machine.", "Other nodes must be told one address that reaches this one.", Choose(host));
        }
        else if (AddressGuess.InterfaceOf(address, host.Addresses) is null)
        {
            yield return new("preflight/bind-not-here", $"This machine has no address {address}.", "Nothing can listen on an address that belongs to another machine.", Choose(host));
        }
    }

    public static IEnumerable<Problem> Ports(PreflightRequest request, HostFacts host)
    {
        foreach (var twice in request.Ports.GroupBy(p => (p.Port, p.Udp)).Where(g => g.Count() > 1 && !g.Key.Udp))
            yield return new("preflight/port-twice", $"Port {twice.Key.Port} is planned for {string.Join(" and ", twice.Select(p => p.Purpose))}.", "One port serves one purpose.", "Change one of them in node.json.");

        if (!IPAddress.TryParse(request.Address, out var address)) yield break;
        HashSet<int> told = [];
        foreach (var use in request.Ports)
        {
            var holder = host.Sockets.FirstOrDefault(s => s.Port == use.Port && s.Udp == use.Udp && Clashes(s.Address, address));
            if (holder is null) continue;
            var owner = host.Owner(holder.Inode);
            if (owner is not null && request.OwnPids?.Contains(owner.Pid) == true) continue;
            // TCP and UDP of one port are nearly always one program: once is enough.
            if (!told.Add(use.Port)) continue;
            var by = owner is null ? "a process of another user (root can see which)" : $"pid {owner.Pid}: {owner.Command}";
            yield return new("preflight/port-taken", $"Port {use.Port} on {holder.Address}, needed for {use.Purpose}, is taken.", $"It is held by {by}.", "Stop that process, or give this node other ports.");
        }
    }

    public static IEnumerable<Problem> Data(PreflightRequest request, HostFacts host)
    {
        if (host.DataProblem is { } denied)
            yield return new("preflight/data-not-writable", $"{request.DataFolder} cannot be used as the data folder.", $"The system says of {denied.Folder}: {denied.Why}.", "Run as a user who may write there, or choose another --data-dir.");
        if (host.DataMount is { } mount)
        {
            if (mount.InMemory)
                yield return new("preflight/data-in-memory", $"{request.DataFolder} is on {mount.FileSystem} and would not survive a power cut.", $"{mount.Point} is kept in memory. A server that forgets its raft data can take the cluster's data with it.", "Choose a --data-dir on a disk.") { Unsafe = true };
            if (mount.ReadOnly)
                yield return new("preflight/data-read-only", $"{request.DataFolder} is on a file system that is mounted read-only.", $"{mount.Point} has the mount option ro.", "Mount it for writing, or choose another --data-dir.");
            if (mount.NoExec)
                yield return new("preflight/data-noexec", $"{request.DataFolder} is on a file system that runs no programs.", $"{mount.Point} has the mount option noexec, and Nomad starts our task driver from the data folder.", "Mount it without noexec, or choose another --data-dir.");
        }

        if (!request.Member && host.FreeBytes is { } free && free < LeastFreeBytes)
            yield return new("preflight/disk-full", $"Only {free >> 20} MiB are free for {request.DataFolder}.", $"Servers stop when the disk is full; {LeastFreeBytes >> 20} MiB are the least to start with.", "Free space there, or choose another --data-dir.");
    }

    public static IEnumerable<Problem> Clock(PreflightRequest request, HostFacts host)
    {
        var earliest = request.Built is { } built && built > s_earliest ? built : s_earliest;
        // A build machine in another time zone or a little ahead is no reason to refuse.
        if (host.Now < earliest - TimeSpan.FromDays(1))
            yield return new("preflight/clock", $"This machine's clock shows {host.Now:yyyy-MM-dd}.", $"This program was not there before {earliest:yyyy-MM-dd}. With a wrong clock certificates and tokens are not yet valid.", "Set the clock, best by a time service, and start again.");
    }

    private static bool Clashes(IPAddress held, IPAddress wanted) =>
        held.Equals(wanted) || held.Equals(IPAddress.IPv6Any) || held.Equals(IPAddress.Any) && wanted.AddressFamily == AddressFamily.InterNetwork;

    private static string Choose(HostFacts host)
    {
        var here = host.Addresses.Where(a => !a.Address.IsIPv6LinkLocal).Select(a => $"{a.Address} ({a.Interface})").ToList();
        return here.Count == 0 ? "Configure a network address first." : $"Give --bind one of {string.Join(", ", here)}.";
    }
}
