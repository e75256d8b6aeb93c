// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using Nomadstack.Cluster;

namespace Nomadstack.Preflight;

/// <summary>What a node needs from its machine.</summary>
/// <param name="Built">When this program was built; null when unknown.</param>
/// <param name="OwnPids">Our own processes, which may already use the ports.</param>
/// <param name="Member">This node is a member already: its servers start, however little space is left.</param>
internal sealed record PreflightRequest(string Address, IReadOnlyList<PortUse> Ports, string DataFolder, DateTimeOffset? Built = null, IReadOnlySet<int>? OwnPids = null, bool Member = false);

/// <param name="Purpose">What a person calls it: <c>Nomad server RPC</c>.</param>
internal sealed record PortUse(int Port, string Purpose, bool Udp = false)
{
    /// <summary>The ports that a node needs. If it will make a cluster, they include the temporary ports of the bootstrap.</summary>
    public static IReadOnlyList<PortUse> Of(PortPlan plan, IEnumerable<Product> products, bool bootstrap) =>
    [
        new(plan.Peers, "nomadstack peers"),
        .. products.SelectMany(p => p.Ports)
            .Where(p => bootstrap || p.Holder != ProductPort.Bootstrap)
            .SelectMany(p => p.Udp ? [new PortUse(plan[p], p.Words), new PortUse(plan[p], p.Words, Udp: true)] : new[] { new PortUse(plan[p], p.Words) }),
    ];
}

/// <summary>Finds, before anything is started, everything that would make the start fail later. Pure: reports all problems at once and changes nothing.</summary>
internal static class PreflightChecks
{
    /// <summary>Raft data, snapshots and logs of an idle cluster take a few hundred megabytes.</summary>
    public const long LeastFreeBytes = 512L << 20;

    /// <summary>A clock that shows an earlier time is wrong.</summary>
    private static readonly DateTimeOffset s_earliest = new(2024, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static IReadOnlyList<Problem> All(PreflightRequest request, HostFacts host) =>
        [.. Address(request, host), .. Ports(request, host), .. Data(request, host), .. Clock(request, host)];

    public static IEnumerable<Problem> Address(PreflightRequest request, HostFacts host)
    {
        if (!IPAddress.TryParse(request.Address, out var address))
        {
            yield return PreflightProblems.NotAnAddress(request.Address, Choose(host));
        }
        else if (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
        {
            yield return PreflightProblems.AnyAddress(address.ToString(), Choose(host));
        }
        else if (AddressGuess.InterfaceOf(address, host.Addresses) is null)
        {
            yield return PreflightProblems.AddressNotHere(address.ToString(), Choose(host));
        }
    }

    public static IEnumerable<Problem> Ports(PreflightRequest request, HostFacts host)
    {
        foreach (var twice in request.Ports.GroupBy(p => (p.Port, p.Udp)).Where(g => g.Count() > 1 && !g.Key.Udp))
            yield return PreflightProblems.PortTwice(twice.Key.Port, twice.Select(p => p.Purpose));

        if (!IPAddress.TryParse(request.Address, out var address)) yield break;
        HashSet<int> told = [];
        foreach (var use in request.Ports)
        {
            var holder = host.Sockets.FirstOrDefault(s => s.Port == use.Port && s.Udp == use.Udp && Clashes(s.Address, address));
            if (holder is null) continue;
            var owner = host.Owner(holder.Inode);
            if (owner is not null && request.OwnPids?.Contains(owner.Pid) == true) continue;
            // One program nearly always has both TCP and UDP of a port: report it once.
            if (!told.Add(use.Port)) continue;
            var by = owner is null ? "a process of another user (root can see which)" : $"pid {owner.Pid}: {owner.Command}";
            yield return PreflightProblems.PortTaken(use.Port, holder.Address.ToString(), use.Purpose, by);
        }
    }

    public static IEnumerable<Problem> Data(PreflightRequest request, HostFacts host)
    {
        if (host.DataProblem is { } denied)
            yield return PreflightProblems.NotWritable(request.DataFolder, denied);
        if (host.DataMount is { } mount)
        {
            if (mount.InMemory)
                yield return PreflightProblems.InMemory(request.DataFolder, mount);
            if (mount.ReadOnly)
                yield return PreflightProblems.ReadOnly(request.DataFolder, mount);
            if (mount.NoExec)
                yield return PreflightProblems.NoExec(request.DataFolder, mount);
        }

        if (!request.Member && host.FreeBytes is { } free && free < LeastFreeBytes)
            yield return PreflightProblems.DiskFull(request.DataFolder, free, LeastFreeBytes);
    }

    public static IEnumerable<Problem> Clock(PreflightRequest request, HostFacts host)
    {
        var earliest = request.Built is { } built && built > s_earliest ? built : s_earliest;
        // The build machine may be in another time zone or a little ahead. That is no reason to refuse.
        if (host.Now < earliest - TimeSpan.FromDays(1))
            yield return PreflightProblems.Clock(host.Now, earliest);
    }

    private static bool Clashes(IPAddress held, IPAddress wanted) =>
        held.Equals(wanted) || held.Equals(IPAddress.IPv6Any) || held.Equals(IPAddress.Any) && wanted.AddressFamily == AddressFamily.InterNetwork;

    private static string Choose(HostFacts host)
    {
        var here = host.Addresses.Where(a => !a.Address.IsIPv6LinkLocal).Select(a => $"{a.Address} ({a.Interface})").ToList();
        return here.Count == 0 ? "Configure a network address first." : $"Use one of these with --bind: {string.Join(", ", here)}.";
    }
}
