// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Engines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;

namespace Nomadstack.Cluster.Tests.Machines;

/// <summary>The harness itself: a plug that does not really cut the power would make every other test worthless.</summary>
[Collection(Flows.Timed.Name)]
public sealed class LabTests
{
    [SkippableFact]
    public async Task ANodeHasItsOwnHostNameProcessesNetworkAndBootId()
    {
        await using var lab = await EmptyLabAsync();
        var node = await lab.AddAsync();

        var seen = await node.ExecAsync(["sh", "-c", "hostname; ls /proc | grep -c '^[0-9]'; ls /sys/class/net | tr '\\n' ' '; echo; cat /proc/sys/kernel/random/boot_id; ls /run | wc -l"]);

        var lines = seen.Stdout.Split('\n');
        lines[0].ShouldBe("n1");
        int.Parse(lines[1], null).ShouldBeLessThan(10);
        lines[2].Trim().ShouldBe("eth0 lo");
        lines[3].ShouldNotBe((await File.ReadAllTextAsync("/proc/sys/kernel/random/boot_id")).Trim());
        lines[4].ShouldBe("0");
    }

    [SkippableFact]
    public async Task ThePlugEndsEveryProcessAndEmptiesRunAndKeepsTheDisk()
    {
        await using var lab = await EmptyLabAsync();
        var node = await lab.AddAsync();
        var before = (await node.ExecAsync(["sh", "-c", "echo kept > /var/lib/nomadstack/file; echo lost > /run/file; cat /proc/sys/kernel/random/boot_id"])).Stdout;
        var orphan = node.Background("orphan", ["sh", "-c", "setsid sleep 1000 & setsid sleep 1001"]);
        await Eventually.TrueAsync("two sleepers", TimeSpan.FromSeconds(5), () => Task.FromResult(node.Pids().Count(process => process.Program == "sleep" && process.Arguments[1][..3] == "100") == 2));
        var all = node.Pids();

        await node.PowerOffAsync();

        all.ShouldAllBe(process => !process.Alive);
        (await orphan.ExitAsync(TimeSpan.FromSeconds(5))).ShouldBe(137);
        await node.PowerOnAsync();
        var after = await node.ExecAsync(["sh", "-c", "cat /proc/sys/kernel/random/boot_id; cat /var/lib/nomadstack/file; ls /run"]);
        after.Stdout.Split('\n')[0].ShouldNotBe(before.Trim());
        after.Stdout.ShouldEndWith("\nkept\n");
    }

    [SkippableFact]
    public async Task TheCableCutsANodeOffAndPartingCutsTwoNodesFromEachOther()
    {
        await using var lab = await EmptyLabAsync();
        LabNode one = await lab.AddAsync(), two = await lab.AddAsync(), three = await lab.AddAsync();
        async Task<bool> Reaches(LabNode from, LabNode to) =>
            (await from.ExecAsync(["bash", "-c", $"timeout 1 bash -c 'echo > /dev/tcp/{to.Address}/9' 2>&1 | grep -q refused"])).ExitCode == 0;

        (await Reaches(one, two)).ShouldBeTrue();
        await one.CutAsync();
        (await Reaches(one, two)).ShouldBeFalse();
        await one.PlugAsync();
        await Eventually.TrueAsync("the cable is in again", TimeSpan.FromSeconds(10), () => Reaches(one, two));
        await Lab.PartAsync(one, two);
        (await Reaches(one, two)).ShouldBeFalse();
        (await Reaches(one, three)).ShouldBeTrue();
        await Lab.UnpartAsync(one, two);
        (await Reaches(two, one)).ShouldBeTrue();
    }

    [SkippableFact]
    public async Task MachinesThatSwapTheirAddressesAreFoundAtThemAtOnce()
    {
        await using var lab = await EmptyLabAsync();
        LabNode one = await lab.AddAsync(), two = await lab.AddAsync(), three = await lab.AddAsync();
        async Task<string> AtAsync(LabNode from, string address)
        {
            await from.ExecAsync(["bash", "-c", $"timeout 1 bash -c 'echo > /dev/tcp/{address}/9' 2> /dev/null"]);
            return (await from.ExecAsync(["sh", "-c", $"ip neigh show {address} | sed 's/.*lladdr \\([^ ]*\\).*/\\1/'"])).Stdout.Trim();
        }

        static async Task<string> OfAsync(LabNode node) => (await node.ExecAsync(["cat", "/sys/class/net/eth0/address"])).Stdout.Trim();
        (await AtAsync(three, one.Address)).ShouldBe(await OfAsync(one));
        (await AtAsync(three, two.Address)).ShouldBe(await OfAsync(two));

        await one.ReaddressAsync(2);
        await two.ReaddressAsync(1);

        await Eventually.NothingIsMissingAsync("both are found", TimeSpan.FromSeconds(1), async () =>
            await AtAsync(three, one.Address) == await OfAsync(one) && await AtAsync(three, two.Address) == await OfAsync(two) ? null : "one of them");
    }

    [SkippableFact]
    public async Task APlainClusterLosesPowerAtOnceAndItsServersReturn()
    {
        await using var lab = await EmptyLabAsync();
        var engines = await RealEngines.FindAsync();
        Skip.If(engines.Nomad is null, engines.NoNomad);
        for (var i = 0; i < 3; i++) await lab.AddAsync();
        var plain = new PlainCluster(lab);
        await plain.StartAsync();
        await plain.ReadyAsync(TimeSpan.FromSeconds(90));
        await plain.RunWorkloadAsync();
        await RunningAsync(lab);
        var pids = lab.Nodes.SelectMany(node => node.Pids()).ToList();

        await Task.WhenAll(lab.Nodes.Select(node => node.PowerOffAsync()));

        pids.ShouldAllBe(process => !process.Alive);
        await Task.WhenAll(lab.Nodes.Select(node => node.PowerOnAsync()));
        foreach (var node in lab.Nodes) plain.StartServer(node);
        // Servers alone: a client of Nomad 1.1 that returns may lose tasks, hang, or kill whoever has a pid it remembers, its own server too.
        await Eventually.NothingIsMissingAsync("every server knows the leader", TimeSpan.FromSeconds(60), async () =>
            (await Task.WhenAll(lab.Nodes.Select(node => new NomadApi(node.Address, NomadApi.ServerPort).LeaderAsync()))).Count(leader => leader is not null) is var know && know == lab.Nodes.Count ? null : $"{lab.Nodes.Count - know}");
    }

    [SkippableFact]
    public void DurationsAreReadAsGoPrintsThem()
    {
        NomadApi.Duration("1m2.5s").ShouldBe(TimeSpan.FromSeconds(62.5));
        NomadApi.Duration("250ms").ShouldBe(TimeSpan.FromSeconds(0.25));
        NomadApi.Duration("2562047h47m16.854775807s").ShouldBeGreaterThan(TimeSpan.FromDays(1000));
    }

    private static Task<TimeSpan> RunningAsync(Lab lab) =>
        Eventually.NothingIsMissingAsync("the workload runs", TimeSpan.FromSeconds(180), () =>
            Task.FromResult(Workload.RunningSinceBoot(lab.Nodes) is var running and < Workload.Tasks ? $"{Workload.Tasks - running} tasks" : null));

    private static async Task<Lab> EmptyLabAsync()
    {
        var whyNot = await Lab.WhyNotAsync();
        Skip.If(whyNot is not null, whyNot);
        return await Lab.CreateAsync((await RealEngines.FindAsync()).Tools());
    }
}
