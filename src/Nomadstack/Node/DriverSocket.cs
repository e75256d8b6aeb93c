// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Nomadstack.Processes;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>
/// The path of the driver's socket: the same for every agent of one boot, and a new one after each reboot. A Nomad client remembers path and pid of its plugin over a
/// reboot. If somebody answered at that path, it would take the process that now has that pid for its plugin, and kill it at its end (go-plugin's reattach, every version).
/// </summary>
internal static class DriverSocket
{
    public static string Of(NodePaths paths) => Path.Combine(paths.Run, Name(ProcFs.BootId, ProcFs.Stat(1)?.StartTicks ?? 0));

    /// <param name="bootId">The kernel's.</param>
    /// <param name="firstProcessStart">When the first process started. It distinguishes a restarted container, which has new pids on the same boot of the kernel.</param>
    internal static string Name(string bootId, long firstProcessStart) =>
        "driver-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{bootId} {firstProcessStart}"))))[..8] + ".sock";
}
