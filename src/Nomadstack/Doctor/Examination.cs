// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Cluster;
using Nomadstack.Preflight;
using Nomadstack.Programs;

namespace Nomadstack.Doctor;

/// <summary>From what was read of a machine to what a person should know of it, every check with its result. Pure.</summary>
internal static class Examination
{
    /// <summary>Raft writes on disks slower than this are felt; a disk with a write cache that is kept through a power cut takes a millisecond.</summary>
    private static readonly TimeSpan s_slowSync = TimeSpan.FromMilliseconds(50);

    private static readonly Version s_oldestKernel = new(5, 4);

    /// <summary>Nomad and Consul hold one file for each connection and each log.</summary>
    private const long FewFiles = 8192;

    /// <summary>An idle node takes some 250 MiB: two agents and two servers.</summary>
    private const long LittleMemory = 512L << 20;

    /// <summary>Of other agents, so that a page stays one.</summary>
    private const int MostNamed = 3;

    public static IReadOnlyList<Finding> Of(DoctorFacts facts) =>
    [
        Agent(facts),
        .. Cluster(facts),
        .. Bundle(facts),
        .. ProductTable.Known.Shown.Select(p => Program(facts, p, facts.Programs[p.Name])),
        .. Network(facts),
        .. Proxy(facts),
        .. Data(facts),
        Disk(facts),
        .. Clock(facts),
        User(facts),
        Kernel(facts),
        Cgroups(facts),
        Files(facts),
        Memory(facts),
        Others(facts),
    ];

    private static Finding Agent(DoctorFacts facts) => facts switch
    {
        { AgentProblem: { } problem } => Finding.Problem("agent", problem),
        { Agent: { } pid } => Finding.Ok("agent", $"pid {pid} runs on {facts.Paths.Data} and answers"),
        _ => Finding.Ok("agent", $"none runs on {facts.Paths.Data}; `nomadstack up` starts one"),
    };

    private static IEnumerable<Finding> Cluster(DoctorFacts facts)
    {
        if (facts.Status?.Cluster is not { } cluster) yield break;
        var said = new Problem("cluster/" + cluster.State, $"The cluster is {cluster.State}.", cluster.Reason.Length > 0 ? cluster.Reason + "." : "", "Follow it with `nomadstack status --watch`; docs/troubleshooting.md goes through the reasons.");
        yield return cluster.State switch
        {
            "healthy" => Finding.Ok("cluster", "healthy"),
            "none" => Finding.Ok("cluster", "none yet; `nomadstack bootstrap` makes one"),
            "no-quorum" => Finding.Problem("cluster", said),
            _ => Finding.Warning("cluster", said),
        };
    }

    private static IEnumerable<Finding> Bundle(DoctorFacts facts) =>
        facts.Bundle is { } bundle ? [Finding.Ok("bundle", "this program carries " + string.Join(" and ", bundle.Programs.Select(p => $"{p.Name} {p.Version}")) + ", used where PATH has none")] : [];

    private static Finding Program(DoctorFacts facts, Product product, ProgramFinding finding) => finding switch
    {
        ProgramFinding.Found found => Finding.Ok(product.Name, $"{product.Title} {found.Program.Version}, {found.Program.Path} ({InstalledPrograms.Origin(facts.Paths, found.Program.Path)})"),
        // Not unpacked yet: the first agent does that.
        ProgramFinding.Missing when facts.Bundle?.Programs.FirstOrDefault(p => p.Name == product.Name) is { } carried => Finding.Ok(product.Name, $"{product.Title} {carried.Version}, in the bundle"),
        ProgramFinding.Missing missing => Finding.Warning(product.Name, missing.Problem),
        ProgramFinding.Unusable unusable => Finding.Problem(product.Name, unusable.Problem),
        _ => throw new InvalidOperationException($"unknown finding {finding}"),
    };

    private static IEnumerable<Finding> Network(DoctorFacts facts)
    {
        if (facts.Address is null)
        {
            yield return Finding.Problem("address", new("node/no-address", "This machine has no address that others could reach.", "It has no default route, so no interface stands out.", "Say which address to use: --bind IP (`nomadstack up` takes 127.0.0.1, for a cluster of this machine alone)."));
            yield break;
        }

        var request = new PreflightRequest(facts.Address, PortUse.Of(facts.Ports, ProductTable.Known.Shown.Where(p => p.Schedules || IsHere(facts, p)), bootstrap: !facts.IsMember), facts.Paths.Data, OwnPids: facts.OwnPids);
        foreach (var finding in Each("address", PreflightChecks.Address(request, facts.Host), $"{facts.Address} ({AddressGuess.InterfaceOf(facts.Address)})")) yield return finding;
        foreach (var finding in Each("ports", PreflightChecks.Ports(request, facts.Host), $"all {request.Ports.Select(p => p.Port).Distinct().Count()} are free or held by our own processes")) yield return finding;
    }

    /// <summary>Where there is none there is nothing to say.</summary>
    private static IEnumerable<Finding> Proxy(DoctorFacts facts) =>
        facts.Proxies.Count == 0 ? [] : [Finding.Ok("proxy", $"{string.Join(", ", facts.Proxies)}: used to fetch programs; servers, clients and their tasks are started without it")];

    private static bool IsHere(DoctorFacts facts, Product product) => facts.Programs[product.Name] is not ProgramFinding.Missing || facts.Bundle?.Programs.Any(p => p.Name == product.Name) == true;

    private static List<Finding> Data(DoctorFacts facts)
    {
        var mount = facts.Host.DataMount is { } on ? $" on {on.FileSystem}" : "";
        var free = facts.Host.FreeBytes is { } bytes ? $", {MiB(bytes)} free" : "";
        return Each("data folder", PreflightChecks.Data(new("", [], facts.Paths.Data), facts.Host), facts.Paths.Data + mount + free);
    }

    private static Finding Disk(DoctorFacts facts) => facts.Sync switch
    {
        null => Finding.Ok("disk", "not measured: nothing can be written"),
        { } sync when sync > s_slowSync => Finding.Warning("disk", new("doctor/slow-disk", $"A small write takes {Milliseconds(sync)} to be safe on disk.", "A write to the cluster waits for that on a majority of its servers; a raft election may time out under load.", "Choose a --data-dir on a faster disk, best an SSD that keeps its cache through a power cut.")),
        { } sync => Finding.Ok("disk", $"a small write is safe after {Milliseconds(sync)}"),
    };

    private static List<Finding> Clock(DoctorFacts facts)
    {
        var wrong = PreflightChecks.Clock(new("", [], facts.Paths.Data), facts.Host).ToList();
        if (wrong.Count > 0) return Each("clock", wrong, "");
        return
        [
            facts.ClockIsKept switch
            {
                true => Finding.Ok("clock", "kept by a time service"),
                null => Finding.Ok("clock", "plausible; the kernel does not say who keeps it"),
                false => Finding.Warning("clock", new("doctor/clock-not-kept", "Nobody keeps this machine's clock.", "The kernel says that no time service has set it. Nodes whose clocks are minutes apart refuse each other's tokens and certificates.", "Run a time service: systemd-timesyncd, chrony or ntpd. In a virtual machine or container that the host keeps, all is well.")),
            },
        ];
    }

    /// <summary>No warning: on a laptop it is what one wants.</summary>
    private static Finding User(DoctorFacts facts) => Finding.Ok("user", Privileges.Missing(facts.User, Scheduler(facts)?.Kind ?? EngineKind.Embedded, Version(facts)) is { } missing ? missing : facts.User.Name);

    private static string Version(DoctorFacts facts) => Scheduler(facts)?.Version.ToString() ?? "";

    private static ProductProgram? Scheduler(DoctorFacts facts) => (facts.Programs[ProductTable.Known.Scheduler.Name] as ProgramFinding.Found)?.Program;

    private static Finding Kernel(DoctorFacts facts) => facts.Kernel >= s_oldestKernel
        ? Finding.Ok("kernel", $"Linux {facts.Kernel.ToString(3)}")
        : Finding.Problem("kernel", new("agent/kernel-too-old", $"This kernel is Linux {facts.Kernel.ToString(3)}.", "The agent watches processes that are not its children, which came with 5.4.", "Run a kernel of 5.4 or later."));

    private static Finding Cgroups(DoctorFacts facts) => facts.Cgroups switch
    {
        2 when facts is { CgroupsClosed: true, User.IsRoot: true } && Scheduler(facts) is { } scheduler && scheduler.Version.AtLeast(1, 7) => Finding.Problem("cgroups", new("doctor/cgroups-closed", $"Nomad {scheduler.Version} starts no client here.", "As root it makes control groups of its own, and those of this container are read-only or cannot be divided.", "Start the container with the host's (--privileged --cgroupns=host), run the agent as another user than root, or use Nomad 1.6.")),
        2 => Finding.Ok("cgroups", "version 2"),
        1 => Finding.Ok("cgroups", "version 1"),
        _ => Finding.Warning("cgroups", new("doctor/no-cgroups", "No control groups are mounted.", "/sys/fs/cgroup is empty, so Nomad cannot limit or clean up after its tasks; drivers other than raw_exec do not work.", "Mount them (systemd does at boot); in a container, start it with the host's cgroup namespace.")),
    };

    private static Finding Files(DoctorFacts facts) => facts.OpenFiles switch
    {
        < FewFiles => Finding.Warning("open files", new("doctor/few-open-files", $"A process here may hold only {facts.OpenFiles} files open.", "A server holds one for each client and log; at the limit it refuses connections.", "Raise the hard limit: LimitNOFILE=65536 in the unit, or `ulimit -n` in the shell that starts the agent.")),
        null => Finding.Ok("open files", "no limit"),
        _ => Finding.Ok("open files", $"up to {facts.OpenFiles}"),
    };

    private static Finding Memory(DoctorFacts facts) => facts.MemoryBytes < LittleMemory && facts.Agent is null
        ? Finding.Warning("memory", new("doctor/little-memory", $"Only {MiB(facts.MemoryBytes)} of memory are free for an agent.", $"Nomad and Consul with their servers take half of {MiB(LittleMemory)} when idle; your jobs come on top.", "Stop something, add memory, or leave Consul out with --no-consul."))
        : Finding.Ok("memory", $"{MiB(facts.MemoryBytes)} free");

    private static Finding Others(DoctorFacts facts) => facts.Others.Count == 0
        ? Finding.Ok("others", "no other Nomad, Consul or nomadstack agent runs here")
        : Finding.Warning("others", new("doctor/other-agents", $"{(facts.Others.Count == 1 ? "Another agent runs" : $"{facts.Others.Count} other agents run")} on this machine.", string.Join("; ", facts.Others.Take(MostNamed).Select(Short)) + (facts.Others.Count > MostNamed ? $"; and {facts.Others.Count - MostNamed} more." : "."), "Stop what you did not mean to run beside this one. Two stacks on one host need ports and data folders of their own."));

    private static List<Finding> Each(string check, IEnumerable<Problem> problems, string fine)
    {
        var all = problems.Select(p => Finding.Problem(check, p)).ToList();
        return all.Count > 0 ? all : [Finding.Ok(check, fine)];
    }

    private static string Short(string text) => text.Length > 100 ? text[..97] + "..." : text;

    private static string Milliseconds(TimeSpan span) => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0.#} ms");

    private static string MiB(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes >> 20} MiB");
}
