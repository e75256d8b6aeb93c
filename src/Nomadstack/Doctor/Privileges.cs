// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;
using Nomadstack.Programs;

namespace Nomadstack.Doctor;

/// <summary>The user that an agent started here would run as.</summary>
/// <param name="LowestPort">The lowest port that this user may listen on.</param>
internal sealed record User(string Name, bool IsRoot, int LowestPort)
{
    private const string LowestPortFile = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

    public static User OfThisProcess() => new(
        Environment.UserName,
        Libc.GetEffectiveUserId() == 0,
        File.Exists(LowestPortFile) && int.TryParse(File.ReadAllText(LowestPortFile), NumberStyles.None, CultureInfo.InvariantCulture, out var port) ? port : 1024);
}

/// <summary>What a node of an ordinary user lacks. Nomad's part was tested with 1.1.2, where exec and java say "Driver must run as root".</summary>
internal static class Privileges
{
    /// <summary>One or two sentences; null for root, who lacks nothing.</summary>
    /// <param name="engine">What would provide Nomad, and its version.</param>
    public static string? Missing(User user, string engine, string version)
    {
        if (user.IsRoot) return null;
        var real = engine != EngineKind.Embedded;
        var ports = user.LowestPort > 1 ? string.Create(CultureInfo.InvariantCulture, $"ports below {user.LowestPort}") : null;
        string?[] more =
        [
            real ? "the task drivers exec and java" : null,
            real ? "tasks of other users" : "tasks as root",
            ports,
            // Decision 114: only root may move the kernel's counter.
            real && SemVer.Parse(version)?.AtLeast(1, 9, 2) == false ? "protection from pids of the last boot (decision 114)" : null,
        ];
        return $"not root: jobs run as {user.Name}, with the raw_exec driver. Root would add {Listed([.. more.OfType<string>()])}.";
    }

    private static string Listed(IReadOnlyList<string> things) => things.Count == 1 ? things[0] : string.Join(", ", things.Take(things.Count - 1)) + " and " + things[^1];
}
