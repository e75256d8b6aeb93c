// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Programs;

namespace Nomadstack.Nomad;

/// <summary>
/// Runs before a Nomad client older than 1.9.2 starts on a new boot. Such a client kills the processes that now have the pids that it remembers from the last boot
/// (hashicorp/go-plugin pull request 320). No process that we start from here on can have one of these pids.
/// </summary>
internal static class StalePidGuard
{
    public static void Protect(Product row, NodeContext context, NodePrograms programs)
    {
        var state = Path.Combine(context.Paths.Client(row.Name), "data", "client", "state.db");
        if (programs.Find(row) is not { } nomad || nomad.Version.AtLeast(1, 9, 2) || !File.Exists(state)) return;
        var log = context.Logs.CreateLogger(typeof(StalePidGuard));
        var remembered = StalePids.Read(state);
        if (remembered.Count == 0) return;
        var jump = new PidCounter().JumpPast(remembered.Max());
        if (!jump.Clear) log.LogWarning("Nomad {Version} may kill a process that has a pid of the last boot: {Reason}", nomad.Version, jump.Reason);
        foreach (var (pid, name) in StalePids.Living(remembered))
            log.LogWarning("Nomad {Version} may kill pid {Pid} ({Name}), because the Nomad client remembers that pid from an earlier boot", nomad.Version, pid, name);
    }
}
