// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Preflight;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>
/// A member whose address is not there yet: after a power cut a machine may get it long after its agent starts, from DHCP, Wi-Fi or a VPN. Its peers know it by that address, so it waits a
/// while, and then goes by the one that it has: its peers find it there, and its servers' raft configuration is changed (<see cref="Recovery.Readdressing"/>).
/// </summary>
internal static class AddressWait
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// Counted only while the machine has another address that it could go by: a machine without any is not up yet. One with servers is missed by others, so it does not wait long, and
    /// one that nobody knows has nobody to be found by. For a node without servers nothing depends on it, and its address comes back more often than it changes (dhclient.conf(5): timeout).
    /// </summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(60), ServersPatience = TimeSpan.FromSeconds(5), LonePatience = TimeSpan.FromSeconds(2);

    /// <param name="patience">One of <see cref="Patience"/>; asked for only where the address is not there.</param>
    /// <param name="tell">Takes what is waited for, once, and nothing when it has come.</param>
    public static Task ForRecordedAsync(NodePaths paths, string? bind, Func<TimeSpan> patience, Action<string> tell, TimeProvider time, CancellationToken cancel) =>
        ForRecordedAsync(paths, bind, patience, address => AddressGuess.InterfaceOf(address) is not null, () => AddressGuess.Default() is not null, tell, time, cancel);

    internal static async Task ForRecordedAsync(
        NodePaths paths, string? bind, Func<TimeSpan> patience, Func<string, bool> isHere, Func<bool> hasAnother, Action<string> tell, TimeProvider time, CancellationToken cancel)
    {
        // Who is no member yet is known by nothing, and what was typed otherwise is judged as it is.
        if (!File.Exists(paths.ClusterFile) || NodeFile.At(paths).Read() is not { Address: var address }) return;
        if ((bind is not null && !HostPort.SameAddress(bind, address)) || isHere(address)) return;
        tell($"wait for the address {address}, which this machine does not have yet and this node is known by in its cluster");
        var most = patience();
        long? since = null;
        while (!isHere(address))
        {
            if (!hasAnother()) since = null;
            else since ??= time.GetTimestamp();
            if (bind is null && since is { } started && time.GetElapsedTime(started) > most) break;
            await Task.Delay(s_look, time, cancel);
        }

        tell("");
    }
}
