// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Preflight;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>
/// A member whose address is not there yet: after a power cut a machine may get it long after its agent starts, from DHCP, Wi-Fi or a VPN. It is known by that
/// address, so it waits, however long that takes.
/// </summary>
internal static class AddressWait
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(250);

    /// <summary>A DHCP client has given up by then (dhclient.conf(5): timeout). A node without servers may then go by another address, as it always could.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <param name="holdsServers">As <see cref="NodeIdentity.ReadOrMint"/>'s.</param>
    /// <param name="tell">Takes what is waited for, once, and nothing when it has come.</param>
    public static Task ForRecordedAsync(NodePaths paths, string? bind, bool holdsServers, Action<string> tell, TimeProvider time, CancellationToken cancel) =>
        ForRecordedAsync(paths, bind, holdsServers, address => AddressGuess.InterfaceOf(address) is not null, () => AddressGuess.Default() is not null, tell, time, cancel);

    internal static async Task ForRecordedAsync(
        NodePaths paths, string? bind, bool holdsServers, Func<string, bool> isHere, Func<bool> hasAnother, Action<string> tell, TimeProvider time, CancellationToken cancel)
    {
        // Who is no member yet is known by nothing, and what was typed otherwise is judged as it is.
        if (!File.Exists(paths.ClusterFile) || NodeFile.At(paths).Read() is not { Address: var address }) return;
        if ((bind is not null && !HostPort.SameAddress(bind, address)) || isHere(address)) return;
        tell($"wait for the address {address}, which this machine does not have yet and this node is known by in its cluster");
        var started = time.GetTimestamp();
        while (!isHere(address))
        {
            if (!holdsServers && bind is null && time.GetElapsedTime(started) > Patience && hasAnother()) break;
            await Task.Delay(s_look, time, cancel);
        }

        tell("");
    }
}
