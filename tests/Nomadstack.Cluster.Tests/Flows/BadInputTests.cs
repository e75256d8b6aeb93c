// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>What an operator can get wrong is answered in words, by the agent or by bootstrap, and costs nothing.</summary>
public sealed class BadInputTests(ITestOutputHelper output) : Scenario(output)
{
    private const string System = "/usr/bin:/bin";

    [SkippableFact]
    public async Task ATakenPortIsNamedWithItsOwner()
    {
        await using var cluster = await MachinesAsync(1);
        var node = cluster.Nodes[0];
        Skip.If((await node.ExecAsync(["sh", "-c", "command -v perl"])).ExitCode != 0, "needs perl to take a port");
        var thief = node.Background("thief", ["perl", "-MIO::Socket::INET", "-e", $"my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => '{node.Address}', LocalPort => 4647) or die $!; sleep 1000"]);
        await Eventually.TrueAsync("the thief runs", TimeSpan.FromSeconds(5), () => Task.FromResult(thief.Process is not null));

        var refusal = await RefusalAsync(cluster, node);

        refusal.ShouldContain("4647");
        refusal.ShouldContain("perl");
        await thief.KillAsync();
        await GoesOnAsync(cluster, node);
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

        var refusal = await RefusalAsync(cluster, node, path: $"/srv/bin:{System}");

        refusal.ShouldContain(says, Case.Insensitive);
        await GoesOnAsync(cluster, node);
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
    public async Task AnAddressThatIsNotThisMachinesIsRefused()
    {
        await using var cluster = await MachinesAsync(1);

        (await RefusalAsync(cluster, cluster.Nodes[0], bind: "10.9.9.9")).ShouldContain("10.9.9.9");

        await GoesOnAsync(cluster, cluster.Nodes[0]);
    }

    [SkippableTheory]
    [InlineData("node.json")]
    [InlineData("cluster.json")]
    public async Task ATornFileIsNamedAndLeftAlone(string name)
    {
        await using var cluster = await MachinesAsync(1, consul: false);
        var node = cluster.Nodes[0];
        cluster.StartAgent(node);
        await cluster.BootstrapAsync(node, "--no-consul");
        var before = await Invariants.HoldAsync(cluster, 1);
        await node.PowerOffAsync();
        var file = Path.Combine(node.Data, name);
        var good = await File.ReadAllTextAsync(file);
        await File.WriteAllTextAsync(file, good[..(good.Length / 2)]);
        await node.PowerOnAsync();

        var refusal = await RefusalAsync(cluster, node);

        refusal.ShouldContain(name);
        (await File.ReadAllTextAsync(file)).ShouldBe(good[..(good.Length / 2)]);
        await File.WriteAllTextAsync(file, good);
        cluster.StartAgent(node);
        Invariants.SameAllocations(before, await Invariants.HoldAsync(cluster, 1, before));
    }

    [SkippableFact]
    public async Task AnUnknownRoleInAJobFailsThatTaskAloneAndSaysWhy()
    {
        await using var cluster = await MachinesAsync(1, consul: false);
        var node = cluster.Nodes[0];
        cluster.StartAgent(node);
        await cluster.BootstrapAsync(node, "--no-consul");
        var before = await Invariants.HoldAsync(cluster, 1);
        await File.WriteAllTextAsync(Path.Combine(node.Srv, "bad.nomad"), """
            job "bad" {
              datacenters = ["dc1"]
              group "bad" {
                restart {
                  attempts = 0
                  mode     = "fail"
                }
                reschedule {
                  attempts  = 0
                  unlimited = false
                }
                task "bad" {
                  driver = "nomadstack"
                  config {
                    role = "teapot"
                  }
                }
              }
            }
            """);

        await TestCluster.RunAsync(node, TimeSpan.FromSeconds(30), "job", "run", "--detach", "/srv/bad.nomad");

        await Eventually.NothingIsMissingAsync("the task's event names the role", TimeSpan.FromSeconds(30), async () =>
            (await TestCluster.Nomad(node).GetAsync("/v1/job/bad/allocations")).ToString().Contains("teapot", StringComparison.Ordinal) ? null : "the event", cluster.Logs);
        var after = await Invariants.HoldAsync(cluster, 1, before);
        Invariants.SameServerProcesses(before, after);
    }

    [SkippableFact]
    public async Task AChangedAddressIsShownAndNothingIsLost()
    {
        await using var cluster = await MachinesAsync(1, consul: false);
        var node = cluster.Nodes[0];
        var old = node.Address;
        cluster.StartAgent(node);
        await cluster.BootstrapAsync(node, "--no-consul");
        var before = await Invariants.HoldAsync(cluster, 1);
        await node.PowerOffAsync();
        await node.ReaddressAsync(77);
        await node.PowerOnAsync();

        var refusal = await RefusalAsync(cluster, node);

        refusal.ShouldContain(old);
        refusal.ShouldContain(node.Address);
        await node.PowerOffAsync();
        await node.ReaddressAsync(1);
        await cluster.PowerOnAsync(node);
        Invariants.SameAllocations(before, await Invariants.HoldAsync(cluster, 1, before));
    }

    /// <summary>What the agent says when it ends by itself, or else what bootstrap says when it fails.</summary>
    private static async Task<string> RefusalAsync(TestCluster cluster, LabNode node, string? bind = null, string? path = null)
    {
        var agent = cluster.StartAgent(node, bind: bind, path: path);
        try
        {
            await cluster.AgentAnswersAsync(node);
        }
        catch (AgentDiedException)
        {
            agent.ExitCode.ShouldBeOneOf(1, 4);
            return agent.Text;
        }

        var bootstrap = await TestCluster.RunAsync(node, TimeSpan.FromSeconds(60), "bootstrap");
        bootstrap.ExitCode.ShouldBeOneOf(1, 4);
        await agent.KillAsync();
        return bootstrap.Stderr;
    }

    /// <summary>The mistake mended, the same folder makes a healthy cluster.</summary>
    private static async Task GoesOnAsync(TestCluster cluster, LabNode node)
    {
        cluster.StartAgent(node);
        await cluster.BootstrapAsync(node);
        await Invariants.HoldAsync(cluster, 1);
    }
}
