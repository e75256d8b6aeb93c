// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Programs;

namespace Nomadstack.Nomad;

/// <summary>
/// Before a Nomad client of a version under 1.9.2 starts on a new boot: it kills whatever now owns the pids it remembers from the last one
/// (hashicorp/go-plugin pull request 320). Nothing we start from here on can have one of them.
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
        if (!jump.Clear) log.LogWarning("Nomad {Version} may kill a process that has a pid of its last boot: {Reason}", nomad.Version, jump.Reason);
        foreach (var (pid, name) in StalePids.Living(remembered))
            log.LogWarning("Pid {Pid} ({Name}) is one that the Nomad client remembers from an earlier boot; Nomad {Version} may kill it", pid, name, nomad.Version);
    }
}
