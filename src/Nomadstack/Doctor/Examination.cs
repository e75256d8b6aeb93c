// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Preflight;
using Nomadstack.Programs;
using Nomadstack.Storage;

namespace Nomadstack.Doctor;

/// <summary>Turns the facts about a machine into findings: every check with its result. Pure.</summary>
internal static class Examination
{
    /// <summary>Raft is noticeably slow on disks slower than this. A disk whose write cache survives a power cut takes a millisecond.</summary>
    private static readonly TimeSpan s_slowSync = TimeSpan.FromMilliseconds(50);

    private static readonly Version s_oldestKernel = new(5, 4);

    /// <summary>Nomad and Consul have one open file for each connection and each log.</summary>
    private const long FewFiles = 8192;

    /// <summary>An idle node takes about 250 MiB: two agents and two servers.</summary>
    private const long LittleMemory = 512L << 20;

    /// <summary>Most other agents named, so that the report stays on one page.</summary>
    private const int MostNamed = 3;

    public static IReadOnlyList<Finding> Of(DoctorFacts facts) =>
    [
        Agent(facts),
        .. Cluster(facts),
        .. Bundle(facts),
        .. ProductTable.Known.Shown.Where(p => !facts.NotInCluster.Contains(p.Name)).Select(p => Program(facts, p, facts.Programs[p.Name])),
        .. Network(facts),
        .. Peers(facts),
        .. CertificateCheck.Of(facts.Certificates),
        .. Proxy(facts),
        .. Data(facts),
        .. Space(facts),
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
        var said = DoctorProblems.NotHealthy(cluster);
        yield return cluster.State switch
        {
            "healthy" => Finding.Ok("cluster", "healthy"),
            "none" => Finding.Ok("cluster", "none yet; `nomadstack bootstrap` makes one"),
            "no-quorum" => Finding.Problem("cluster", said),
            _ => Finding.Warning("cluster", said),
        };
    }

    private static IEnumerable<Finding> Bundle(DoctorFacts facts) =>
        facts.Bundle is { } bundle ? [Finding.Ok("bundle", "this program contains " + string.Join(" and ", bundle.Programs.Select(p => $"{p.Name} {p.Version}")) + "; they are used if the PATH has none")] : [];

    private static Finding Program(DoctorFacts facts, Product product, ProgramFinding finding) => finding switch
    {
        ProgramFinding.Found found => Finding.Ok(product.Name, $"{product.Title} {found.Program.Version}, {found.Program.Path} ({Origin(facts, product, found.Program)}){Offer(facts, product)}"),
        // Not unpacked yet: the first agent does that.
        ProgramFinding.Missing when facts.Bundle?.Programs.FirstOrDefault(p => p.Name == product.Name) is { } carried => Finding.Ok(product.Name, $"{product.Title} {carried.Version}, in the bundle"),
        ProgramFinding.Missing missing => Finding.Warning(product.Name, missing.Problem),
        ProgramFinding.Unusable unusable => Finding.Problem(product.Name, unusable.Problem),
        _ => throw new InvalidOperationException($"unknown finding {finding}"),
    };

    private static string Origin(DoctorFacts facts, Product product, ProductProgram program) =>
        facts.Own.GetValueOrDefault(product.Name) is { IsCopy: true } own ? $"this node's copy of {own.Source}" : InstalledPrograms.Origin(facts.Paths, program.Path);

    /// <summary>No warning: somebody may want it to stay so.</summary>
    private static string Offer(DoctorFacts facts, Product product) =>
        facts.Offers.GetValueOrDefault(product.Name) is { } offer ? $"; {offer.Version} at {offer.Path} is not used, `nomadstack program use {product.Name}` takes it" : "";

    private static IEnumerable<Finding> Network(DoctorFacts facts)
    {
        if (facts.Address is null)
        {
            yield return Finding.Problem("address", DoctorProblems.NoAddress());
            yield break;
        }

        var request = new PreflightRequest(facts.Address, PortUse.Of(facts.Ports, ProductTable.Known.Shown.Where(p => p.Schedules || IsHere(facts, p)), bootstrap: !facts.IsMember), facts.Paths.Data, OwnPids: facts.OwnPids);
        foreach (var finding in Each("address", PreflightChecks.Address(request, facts.Host).Select(p => facts is { IsMember: true, IsAddressTyped: false } ? DoctorProblems.AddressAway(p) : p), $"{facts.Address} ({AddressGuess.InterfaceOf(facts.Address)})")) yield return finding;
        foreach (var finding in Each("ports", PreflightChecks.Ports(request, facts.Host), $"all {request.Ports.Select(p => p.Port).Distinct().Count()} are free or used by this node's own processes")) yield return finding;
    }

    private static IEnumerable<Finding> Peers(DoctorFacts facts)
    {
        foreach (var peer in facts.Peers)
        {
            var finding = peer.Answering switch
            {
                PeerAnswering.OnlySmall => Finding.Problem("peers", PeerProblems.LargePacketsLost($"{peer.Name} ({peer.At})")),
                PeerAnswering.Silent => Finding.Warning("peers", DoctorProblems.PeerSilent(peer.Name, peer.At)),
                PeerAnswering.Away => Finding.Warning("peers", DoctorProblems.PeerAway(peer.Name, peer.At)),
                _ when peer.Deaf.Count > 0 => Finding.Warning("peers", DoctorProblems.GossipDeaf(peer.Name, peer.Deaf)),
                _ => null,
            };
            if (finding is not null) yield return finding;
        }

        var fine = facts.Peers.Where(p => p is { Answering: PeerAnswering.Fully, Deaf.Count: 0 }).Select(p => p.Name).ToList();
        if (fine.Count > 0) yield return Finding.Ok("peers", $"{string.Join(", ", fine)}: answer{(fine.Count == 1 ? "s" : "")}, also to full-sized packets");
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

    private static IEnumerable<Finding> Space(DoctorFacts facts) => facts.Host.Disk switch
    {
        { Level: DiskLevel.Short } disk => [Finding.Problem("disk space", DoctorProblems.DiskShort(facts.Paths.Data, disk))],
        { Level: DiskLevel.Low } disk => [Finding.Warning("disk space", DoctorProblems.DiskLow(facts.Paths.Data, disk))],
        { } disk => [Finding.Ok("disk space", disk.InWords())],
        null => [],
    };

    private static Finding Disk(DoctorFacts facts) => facts.Sync switch
    {
        null => Finding.Ok("disk", "not measured: no file can be written"),
        { } sync when sync > s_slowSync => Finding.Warning("disk", DoctorProblems.SlowDisk(Milliseconds(sync))),
        { } sync => Finding.Ok("disk", $"a small write is safe on disk after {Milliseconds(sync)}"),
    };

    private static List<Finding> Clock(DoctorFacts facts)
    {
        var wrong = PreflightChecks.Clock(new("", [], facts.Paths.Data), facts.Host).ToList();
        if (wrong.Count > 0) return Each("clock", wrong, "");
        var apart = PeerClocks.Judge(facts.Peers.Where(p => p.Later is not null).GroupBy(p => p.Name).ToDictionary(g => g.Key, g => g.First().Later!.Value));
        if (apart.Own is not null) return [Finding.Problem("clock", DoctorProblems.ClockOff(apart.InWords()))];
        if (apart.Others.Count > 0) return [Finding.Warning("clock", DoctorProblems.ClocksApart(apart.InWords()))];
        return
        [
            facts.ClockIsKept switch
            {
                true => Finding.Ok("clock", "set by a time service"),
                null => Finding.Ok("clock", "plausible; the kernel does not say who sets it"),
                false => Finding.Warning("clock", DoctorProblems.ClockNotKept()),
            },
        ];
    }

    /// <summary>Not a warning: on a laptop an ordinary user is right.</summary>
    private static Finding User(DoctorFacts facts) => Finding.Ok("user", Privileges.Missing(facts.User, Scheduler(facts)?.Kind ?? EngineKind.Embedded, Version(facts)) is { } missing ? missing : facts.User.Name);

    private static string Version(DoctorFacts facts) => Scheduler(facts)?.Version.ToString() ?? "";

    private static ProductProgram? Scheduler(DoctorFacts facts) => (facts.Programs[ProductTable.Known.Scheduler.Name] as ProgramFinding.Found)?.Program;

    private static Finding Kernel(DoctorFacts facts) => facts.Kernel >= s_oldestKernel
        ? Finding.Ok("kernel", $"Linux {facts.Kernel.ToString(3)}")
        : Finding.Problem("kernel", DoctorProblems.KernelTooOld(facts.Kernel));

    private static Finding Cgroups(DoctorFacts facts) => facts.Cgroups switch
    {
        2 when facts is { CgroupsClosed: true, User.IsRoot: true } && Scheduler(facts) is { } scheduler && scheduler.Version.AtLeast(1, 7) => Finding.Problem("cgroups", DoctorProblems.CgroupsClosed(scheduler.Version.ToString())),
        2 => Finding.Ok("cgroups", "version 2"),
        1 => Finding.Ok("cgroups", "version 1"),
        _ => Finding.Warning("cgroups", DoctorProblems.NoCgroups()),
    };

    private static Finding Files(DoctorFacts facts) => facts.OpenFiles switch
    {
        < FewFiles and { } few => Finding.Warning("open files", DoctorProblems.FewOpenFiles(few)),
        null => Finding.Ok("open files", "no limit"),
        _ => Finding.Ok("open files", $"up to {facts.OpenFiles}"),
    };

    private static Finding Memory(DoctorFacts facts) => facts.MemoryBytes < LittleMemory && facts.Agent is null
        ? Finding.Warning("memory", DoctorProblems.LittleMemory(MiB(facts.MemoryBytes), MiB(LittleMemory)))
        : Finding.Ok("memory", $"{MiB(facts.MemoryBytes)} free");

    private static Finding Others(DoctorFacts facts) => facts.Others.Count == 0
        ? Finding.Ok("others", "no other Nomad, Consul or nomadstack agent runs here")
        : Finding.Warning("others", DoctorProblems.OtherAgents(facts.Others.Count, facts.Others.Take(MostNamed).Select(Short), facts.Others.Count - MostNamed));

    private static List<Finding> Each(string check, IEnumerable<Problem> problems, string fine)
    {
        var all = problems.Select(p => Finding.Problem(check, p)).ToList();
        return all.Count > 0 ? all : [Finding.Ok(check, fine)];
    }

    private static string Short(string text) => text.Length > 100 ? text[..97] + "..." : text;

    private static string Milliseconds(TimeSpan span) => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0.#} ms");

    private static string MiB(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes >> 20} MiB");
}
