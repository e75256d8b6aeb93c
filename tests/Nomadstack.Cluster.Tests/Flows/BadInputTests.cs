// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>What an operator can get wrong on a new machine is answered in words, by the agent or by bootstrap, and costs nothing.</summary>
public sealed class BadInputTests(ITestOutputHelper output) : Scenario(output)
{
    private const string System = "/usr/bin:/bin";

    [SkippableFact]
    public async Task ATakenPortIsNamedWithItsOwnerAndCostsNothingOnceItIsFree()
    {
        await using var cluster = await MachinesAsync(1);
        var node = cluster.Nodes[0];
        Skip.If((await node.ExecAsync(["sh", "-c", "command -v perl"])).ExitCode != 0, "needs perl to take a port");
        var thief = node.Background("thief", ["perl", "-MIO::Socket::INET", "-e", $"my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => '{node.Address}', LocalPort => 4647) or die $!; sleep 1000"]);
        await Eventually.TrueAsync("the thief runs", TimeSpan.FromSeconds(5), () => Task.FromResult(thief.Process is not null));

        var refusal = await RefusalAsync(cluster, node);

        refusal.ShouldContain("4647");
        refusal.ShouldContain("perl");
        NothingWasMade(node);
        await thief.KillAsync();
        cluster.StartAgent(node);
        await cluster.BootstrapAsync(node);
        await Invariants.HoldAsync(cluster, 1);
    }

    [SkippableTheory]
    [InlineData("missing", null, "nomad")]
    [InlineData("not executable", "", "execut")]
    [InlineData("of another product", "echo 'Vault v1.15.0'", "nomad")]
    [InlineData("too old", "echo 'Nomad v0.9.7 (abc)'", "0.9.7")]
    public async Task AUselessNomadBinaryIsRefusedByName(string what, string? script, string says)
    {
        await using var cluster = await MachinesAsync(1);
        var node = cluster.Nodes[0];
        Skip.If(what == "missing" && File.Exists("/usr/bin/nomad"), "this machine has a nomad in /usr/bin that cannot be hidden");
        var folder = Directory.CreateDirectory(Path.Combine(node.Srv, "bin")).FullName;
        (await node.ExecAsync(["sh", "-c", "ln -s $(readlink -f /mnt/bin/nomadstack) /mnt/bin/consul /srv/bin/"])).ExitCode.ShouldBe(0);
        if (script is not null)
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "nomad"), $"#!/bin/sh\n{script}\n");
            if (script.Length > 0) File.SetUnixFileMode(Path.Combine(folder, "nomad"), (UnixFileMode)0b111_101_101);
        }

        // Where none is there at all, another engine serves, unless this one was asked for.
        (await RefusalAsync(cluster, node, path: $"/srv/bin:{System}", more: script is null ? ["--engine", "nomad"] : null)).ShouldContain(says, Case.Insensitive);

        NothingWasMade(node);
    }

    [SkippableTheory]
    [InlineData("/run/data", "tmpfs")]
    [InlineData("/dev/null/data", "/dev/null/data")]
    public async Task ADataFolderThatCannotKeepDataIsRefused(string folder, string says)
    {
        await using var cluster = await MachinesAsync(1);
        var node = cluster.Nodes[0];

        var agent = await node.ExecAsync(["nomadstack", "agent", "--data-dir", folder, "--bind", node.Address], TimeSpan.FromSeconds(15));

        agent.ExitCode.ShouldBeOneOf(1, 4);
        agent.Stderr.ShouldContain(says);
    }

    [SkippableFact]
    public async Task ADiskWithoutRoomIsRefusedBeforeAnythingIsStarted()
    {
        await using var cluster = await MachinesAsync(1);
        var node = cluster.Nodes[0];
        var small = await node.ExecAsync(["sh", "-c", "truncate -s 64M /srv/small.img && mkfs.ext4 -q /srv/small.img && mkdir -p /srv/small && mount -o loop /srv/small.img /srv/small"]);
        Skip.If(small.ExitCode != 0, $"needs a small file system to mount: {small.Stderr.Trim()}");

        var agent = await node.ExecAsync(["nomadstack", "agent", "--data-dir", "/srv/small/data", "--bind", node.Address], TimeSpan.FromSeconds(15));

        agent.ExitCode.ShouldBeOneOf(1, 4);
        agent.Stderr.ShouldContain("/srv/small/data");
        agent.Stderr.ShouldContain("free");
        (await node.ExecAsync(["umount", "/srv/small"])).ExitCode.ShouldBe(0, "nothing holds it");
    }

    [SkippableFact]
    public async Task AnAddressThatIsNotThisMachinesIsRefused()
    {
        await using var cluster = await MachinesAsync(1);

        (await RefusalAsync(cluster, cluster.Nodes[0], bind: "10.9.9.9")).ShouldContain("10.9.9.9");

        NothingWasMade(cluster.Nodes[0]);
    }

    private static void NothingWasMade(LabNode node)
    {
        EngineProcess.On(node).ShouldBeEmpty();
        File.Exists(Path.Combine(node.Data, "cluster.json")).ShouldBeFalse();
    }
}
