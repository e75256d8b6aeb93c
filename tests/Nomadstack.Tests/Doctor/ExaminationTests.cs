// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Net;
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Doctor;
using Nomadstack.Peers;
using Nomadstack.Preflight;
using Nomadstack.Programs;
using Nomadstack.Storage;
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Doctor;

public sealed class ExaminationTests
{
    private static readonly HostFacts s_host = new([], _ => null, [new(IPAddress.Parse("10.0.0.1"), "eth0")], new("/", "ext4", new HashSet<string> { "rw" }), null, 10L << 30, new(2026, 5, 1, 0, 0, 0, TimeSpan.Zero));

    private static readonly DoctorFacts s_good = new(
        new NodePaths("/data"), "10.0.0.1", new(), false, s_host, new HashSet<int>(), null, null, null, [], TimeSpan.FromMilliseconds(2), 65536, 4L << 30, true, 2, new("root", true, 1024), new(6, 1, 0),
        Programs(new ProgramFinding.Found(new("nomad", "/usr/bin/nomad", [], new(1, 9, 5)))), null);

    [Fact]
    public void AGoodMachineHasNoComplaint()
    {
        var findings = Examination.Of(s_good);

        findings.Where(f => f.State != Finding.Fine).ShouldBeEmpty();
        findings.Select(f => f.Check).ShouldBe(["agent", "nomad", "consul", "address", "ports", "data folder", "disk", "clock", "user", "kernel", "cgroups", "open files", "memory", "others"]);
        findings.Single(f => f.Check == "nomad").What.ShouldBe("Nomad 1.9.5, /usr/bin/nomad (installed)");
        findings.Single(f => f.Check == "consul").What.ShouldContain("(fetched)");
    }

    public static TheoryData<string, string, string> Faults => new()
    {
        { "no address", "problem", "node/no-address" },
        { "address elsewhere", "problem", "preflight/bind-not-here" },
        { "port taken", "problem", "preflight/port-taken" },
        { "tmpfs", "problem", "preflight/data-in-memory" },
        { "noexec", "problem", "preflight/data-noexec" },
        { "no space", "problem", "preflight/disk-full" },
        { "disk low", "warning", "doctor/disk-low" },
        { "disk short", "problem", "doctor/disk-short" },
        { "peer behind a black hole", "problem", "peers/large-packets-lost" },
        { "peer off", "warning", "doctor/peer-away" },
        { "peer stuck", "warning", "doctor/peer-silent" },
        { "no gossip", "warning", "doctor/gossip-deaf" },
        { "authority ends", "warning", "certificate/authority-ends" },
        { "clock", "problem", "preflight/clock" },
        { "clock ahead of all", "problem", "doctor/clock-off" },
        { "one clock apart", "warning", "doctor/clocks-apart" },
        { "clock not kept", "warning", "doctor/clock-not-kept" },
        { "slow disk", "warning", "doctor/slow-disk" },
        { "few files", "warning", "doctor/few-open-files" },
        { "no cgroups", "warning", "doctor/no-cgroups" },
        { "closed cgroups", "problem", "doctor/cgroups-closed" },
        { "little memory", "warning", "doctor/little-memory" },
        { "old kernel", "problem", "agent/kernel-too-old" },
        { "other agent", "warning", "doctor/other-agents" },
        { "no nomad", "warning", "engine/nomad-missing" },
        { "bad nomad", "problem", "engine/nomad-too-old" },
        { "stuck agent", "problem", "agent/not-answering" },
        { "no quorum", "problem", "cluster/no-quorum" },
        { "degraded", "warning", "cluster/degraded" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void EachFaultIsOneFindingWithItsWayOut(string fault, string state, string code)
    {
        var finding = Examination.Of(With(fault)).Where(f => f.State != Finding.Fine).ShouldHaveSingleItem();

        (finding.State, finding.Code).ShouldBe((state, code));
        finding.Fix.ShouldNotBeEmpty();
        finding.What.ShouldEndWith(".");
    }

    [Fact]
    public void AnOrdinaryUserIsToldWhatRootWouldAddAndIsNoWarning()
    {
        var findings = Examination.Of(s_good with { User = new("alice", false, 1024) });

        findings.Where(f => f.State != Finding.Fine).ShouldBeEmpty();
        findings.Single(f => f.Check == "user").What.ShouldStartWith("not root: jobs run as alice");
    }

    [Fact]
    public void AProxyIsToldAndIsNoWarning()
    {
        var findings = Examination.Of(s_good with { Proxies = ["https_proxy"] });

        findings.Where(f => f.State != Finding.Fine).ShouldBeEmpty();
        findings.Single(f => f.Check == "proxy").What.ShouldStartWith("https_proxy: used to fetch programs;");
    }

    [Fact]
    public void PortsOfOurOwnProcessesAreNotTaken()
    {
        var host = s_host with { Sockets = [new(IPAddress.Parse("10.0.0.1"), 4646, false, 7)], Owner = _ => new(77, "nomad") };

        Examination.Of(s_good with { Host = host, Agent = 76, OwnPids = new HashSet<int> { 77 } }).Where(f => f.State != Finding.Fine).ShouldBeEmpty();
    }

    [Fact]
    public async Task ThisMachineCanBeReadAndIsLeftAsItWas()
    {
        var folder = Directory.CreateTempSubdirectory("nomadstack-doctor-").FullName;
        try
        {
            var facts = await DoctorFacts.ReadAsync(new NodePaths(Path.Combine(folder, "data")), new("127.0.0.1", new Dictionary<string, string>()), TimeProvider.System, default);

            Examination.Of(facts).ShouldNotBeEmpty();
            facts.Address.ShouldBe("127.0.0.1");
            facts.Agent.ShouldBeNull();
            facts.MemoryBytes.ShouldBeGreaterThan(0);
            facts.Sync.ShouldNotBeNull();
            Directory.EnumerateFileSystemEntries(folder).ShouldBeEmpty();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task ARunningAgentIsAskedHowItsClusterIs()
    {
        await using var host = await AgentHost.StartAsync();
        using var held = DataFolderLock.Take(host.Paths.Data);

        var facts = await DoctorFacts.ReadAsync(host.Paths, new(null, new Dictionary<string, string>()), TimeProvider.System, default);

        facts.Agent.ShouldBe(Environment.ProcessId);
        facts.Status.ShouldNotBeNull();
    }

    [Fact]
    public async Task ThePortThatTheAgentItselfHoldsIsNotTaken()
    {
        var folder = new NodePaths(Directory.CreateTempSubdirectory("nomadstack-doctor-").FullName);
        using var other = Process.Start(new ProcessStartInfo("sh", ["-c", "exec 9>>\"$0/agent.lock\"; echo $$ > \"$0/agent.lock\"; echo up; read stop", folder.Data]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        try
        {
            await other.StandardOutput.ReadLineAsync();

            (await DoctorFacts.ReadAsync(folder, new("127.0.0.1", new Dictionary<string, string>()), TimeProvider.System, default)).OwnPids.ShouldContain(other.Id);
        }
        finally
        {
            other.StandardInput.Close();
            await other.WaitForExitAsync();
            Directory.Delete(folder.Data, recursive: true);
        }
    }

    [Theory]
    [InlineData("Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 524288               files     \n", 524288L)]
    [InlineData("Max open files            1024                 unlimited            files     \n", null)]
    public void TheHardLimitOfOpenFilesCounts(string limits, long? expected) => Limits.OpenFiles(limits).ShouldBe(expected);

    [Theory]
    [InlineData("cpuset cpu io memory hugetlb pids rdma misc\n", "cpuset cpu io memory pids\n", false, "rw", false, "a machine under systemd")]
    [InlineData("cpuset cpu io memory hugetlb pids rdma misc\n", "\n", false, "rw", false, "a machine that has not handed them out yet")]
    [InlineData("cpuset cpu io memory hugetlb pids rdma misc\n", "\n", true, "ro", true, "a container without privileges")]
    [InlineData("cpuset cpu io memory hugetlb pids rdma misc\n", "\n", true, "rw", true, "a privileged container whose processes are in its topmost group")]
    [InlineData("memory pids\n", "\n", true, "ro", false, "there Nomad does without")]
    public void ANomadThatIsRootNeedsControlGroupsItCanDivide(string controllers, string handedOut, bool busy, string mounted, bool closed, string where) =>
        Limits.CgroupsClosed(controllers, handedOut, busy, new("/sys/fs/cgroup", "cgroup2", new HashSet<string> { mounted })).ShouldBe(closed, where);

    [Theory]
    [InlineData("1.6.10", true)]
    [InlineData("1.10.5", false)]
    public void AnOlderNomadOrAnotherUserDoesWithoutControlGroups(string version, bool root) =>
        Examination.Of(s_good with { CgroupsClosed = true, User = s_good.User with { IsRoot = root }, Programs = Programs(new ProgramFinding.Found(new("nomad", "/usr/bin/nomad", [], SemVer.Parse(version)!))) })
            .Where(f => f.State != Finding.Fine).ShouldBeEmpty();

    [Fact]
    public void WhatTheBundleHasIsNotMissing()
    {
        var facts = With("no nomad") with { Bundle = new([new("nomad", "1.9.5", 1, 1, "")]) };

        Examination.Of(facts).Where(f => f.State != Finding.Fine).ShouldBeEmpty();
    }

    [Fact]
    public void AProgramThatIsOnThePathAndNotUsedIsToldWithTheCommandThatTakesIt()
    {
        var finding = Examination.Of(s_good with
        {
            Own = new Dictionary<string, OwnProgram> { [Role.Nomad] = new("1.9.5", "/data/programs/nomad/1.9.5-0/nomad", "", "0", "/usr/bin/nomad", "", "installed") },
            Offers = new Dictionary<string, ProgramOffer> { [Role.Nomad] = new("1.10.5", "/usr/bin/nomad") },
        }).Single(f => f.Check == "nomad");

        finding.What.ShouldContain("(this node's copy of /usr/bin/nomad)");
        finding.What.ShouldContain("1.10.5 at /usr/bin/nomad is not used, `nomadstack program use nomad` takes it");
        finding.State.ShouldBe(Finding.Fine);
    }

    /// <summary>A member goes by another address without a person; what was typed is judged as it is.</summary>
    [Theory]
    [InlineData(true, false, "nothing has to be typed")]
    [InlineData(true, true, "--bind")]
    [InlineData(false, false, "--bind")]
    public void OnlyWhoIsNoMemberIsToTypeAnAddress(bool member, bool typed, string fix)
    {
        var facts = s_good with { Address = "10.9.9.9", IsMember = member, IsAddressTyped = typed };

        Examination.Of(facts).Single(f => f.Code == "preflight/bind-not-here").Fix.ShouldContain(fix);
    }

    [Fact]
    public void ABundledConsulNeedsItsPortsToo()
    {
        var facts = s_good with
        {
            Programs = new Dictionary<string, ProgramFinding>(s_good.Programs) { [Role.Consul] = new ProgramFinding.Missing(new("engine/consul-missing", "x", "y", "z")) },
            Bundle = new([new("consul", "1.20.0", 1, 1, "")]),
            Host = s_host with { Sockets = [new(IPAddress.Any, 8500, false, 7)] },
        };

        Examination.Of(facts).Where(f => f.State != Finding.Fine).ShouldHaveSingleItem().What.ShouldContain("8500");
    }

    private static IReadOnlyDictionary<string, ProgramFinding> Programs(ProgramFinding nomad) => new Dictionary<string, ProgramFinding>
    {
        [Role.Nomad] = nomad,
        [Role.Consul] = new ProgramFinding.Found(new("consul", "/data/bin/consul/1.20.0/consul", [], new(1, 20, 0))),
    };

    private static SeenPeer Peer(string name, double hoursLater) => new(name, name + ":4640", PeerAnswering.Fully, []) { Later = TimeSpan.FromHours(hoursLater) };

    private static DoctorFacts With(string fault) => fault switch
    {
        "no address" => s_good with { Address = null },
        "address elsewhere" => s_good with { Address = "10.9.9.9" },
        "port taken" => s_good with { Host = s_host with { Sockets = [new(IPAddress.Any, 4646, false, 7)], Owner = _ => new(77, "nomad agent -dev") } },
        "tmpfs" => s_good with { Host = s_host with { DataMount = new("/", "tmpfs", new HashSet<string>()) } },
        "noexec" => s_good with { Host = s_host with { DataMount = new("/", "ext4", new HashSet<string> { "noexec" }) } },
        "no space" => s_good with { Host = s_host with { FreeBytes = 1 << 20 } },
        "disk low" => s_good with { Host = s_host with { Disk = new("/var", 9 << 20, 1 << 20) } },
        "disk short" => s_good with { Host = s_host with { Disk = new("/var", 99 << 20, 1 << 20) } },
        "peer behind a black hole" => s_good with { Peers = [new("n2", "10.0.0.2:4640", PeerAnswering.OnlySmall, [])] },
        "peer off" => s_good with { Peers = [new("n2", "10.0.0.2:4640", PeerAnswering.Away, []), new("n3", "10.0.0.3:4640", PeerAnswering.Fully, [])] },
        "peer stuck" => s_good with { Peers = [new("n2", "10.0.0.2:4640", PeerAnswering.Silent, [])] },
        "no gossip" => s_good with { Peers = [new("n2", "10.0.0.2:4640", PeerAnswering.Fully, ["8301/udp (Consul client gossip)"])] },
        "authority ends" => s_good with { Certificates = new([new("nomad", "ca", s_host.Now.AddDays(20), "ends-soon")], []) },
        "clock" => s_good with { Host = s_host with { Now = default } },
        "clock ahead of all" => s_good with { Peers = [Peer("n2", -48), Peer("n3", -48)] },
        "one clock apart" => s_good with { Peers = [Peer("n2", 48), Peer("n3", 0)] },
        "clock not kept" => s_good with { ClockIsKept = false },
        "slow disk" => s_good with { Sync = TimeSpan.FromMilliseconds(120) },
        "few files" => s_good with { OpenFiles = 1024 },
        "no cgroups" => s_good with { Cgroups = 0 },
        "closed cgroups" => s_good with { CgroupsClosed = true },
        "little memory" => s_good with { MemoryBytes = 100 << 20 },
        "old kernel" => s_good with { Kernel = new(4, 19, 0) },
        "other agent" => s_good with { Others = ["pid 12: nomad agent -dev"] },
        "no nomad" => s_good with { Programs = Programs(new ProgramFinding.Missing(new("engine/nomad-missing", "No nomad program was found.", "x", "y"))) },
        "bad nomad" => s_good with { Programs = Programs(new ProgramFinding.Unusable(new("engine/nomad-too-old", "It is too old.", "x", "y"))) },
        "stuck agent" => s_good with { Agent = 5, AgentProblem = new("agent/not-answering", "It does not answer.", "x", "y") },
        "no quorum" => s_good with { Agent = 5, Status = Status("no-quorum", "1 of 3 servers answer") },
        "degraded" => s_good with { Agent = 5, Status = Status("degraded", "n2 is away") },
        _ => throw new ArgumentException(fault),
    };

    private static StatusDocument Status(string state, string reason) =>
        new(1, new("n1", "id", "10.0.0.1", "0.1.0"), new("c", state, reason, 3), new Dictionary<string, EngineVersion> { [Role.Nomad] = new("nomad", "1.9.5"), [Role.Consul] = new("none", "") }, [], [], []);
}
