// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Text.Json;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>The state of a cluster of three is saved, is on every node, opens with gpg, and brings back what was purged.</summary>
public sealed class SnapshotTests(ITestOutputHelper output) : Scenario(output)
{
    private static readonly TimeSpan s_command = TimeSpan.FromMinutes(2), s_copies = TimeSpan.FromMinutes(3);

    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public async Task APurgedJobComesBackWithItsHistoryAndWhatIsNewerIsToldAndStopped(string engine)
    {
        await NotTwiceEveryDayAsync(engine);
        await using var cluster = await MachinesWithAsync(engine, 3);
        await cluster.StartAllAsync();
        await cluster.RunWorkloadAsync();
        LabNode one = cluster.Nodes[0], two = cluster.Nodes[1], three = cluster.Nodes[2];
        var nomad = TestCluster.Nomad(two);

        await cluster.MustAsync(one, s_command, "snapshot", "save", "-o", "/srv/saved.tar.gpg");

        var saved = Json(await cluster.MustAsync(one, s_command, "snapshot", "list", "--json"))[0];
        saved.GetProperty("verifiedAt").ValueKind.ShouldBe(JsonValueKind.String);
        var name = saved.GetProperty("name").GetString()!;
        foreach (var other in (LabNode[])[two, three]) await HasAsync(cluster, other, name);
        await cluster.MustAsync(three, s_command, "snapshot", "verify", name);
        await OpensWithGpgAsync(saved.GetProperty("path").GetString()!, one, (await cluster.MustAsync(one, s_command, "snapshot", "key")).Trim());

        await cluster.MustAsync(two, s_command, "job", "stop", Workload.JobId, "--purge");
        (await TestCluster.RunAsync(two, s_command, "snapshot", "restore", name)).ExitCode.ShouldBe(4);
        Json(await cluster.MustAsync(two, s_command, "snapshot", "restore", name, "--plan", "--json")).GetProperty("ghosts").EnumerateArray().Select(g => g.GetString()).ShouldContain(Workload.JobId);
        await cluster.MustAsync(two, TimeSpan.FromMinutes(4), "snapshot", "restore", name, "--yes");

        (await nomad.GetAsync($"/v1/job/{Workload.JobId}")).GetProperty("Stop").GetBoolean().ShouldBeTrue();
        (await nomad.GetAsync($"/v1/job/{Workload.JobId}/versions")).GetProperty("Versions").GetArrayLength().ShouldBeGreaterThan(0);
        await cluster.HealthyAsync(3, TimeSpan.FromMinutes(2));
        await Invariants.HoldAsync(cluster, 3);
    }

    private static async Task HasAsync(TestCluster cluster, LabNode node, string name)
    {
        var began = Stopwatch.StartNew();
        while (!Json(await cluster.MustAsync(node, s_command, "snapshot", "list", "--json")).EnumerateArray().Any(s => s.GetProperty("name").GetString() == name))
        {
            if (began.Elapsed > s_copies) throw new TimeoutException($"{node.Name} has no copy of {name}");
            await Task.Delay(TimeSpan.FromSeconds(1));
        }
    }

    private static async Task OpensWithGpgAsync(string path, LabNode node, string key)
    {
        if (!File.Exists("/usr/bin/gpg")) return;
        var archive = Path.Combine(node.Data, "snapshots", Path.GetFileName(path));
        var folder = Directory.CreateTempSubdirectory("nomadstack-gpg-").FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "key"), key + "\n");
        using var gpg = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "gpg --homedir \"$1\" --batch --quiet --pinentry-mode loopback --passphrase-file \"$1/key\" --decrypt \"$2\" | tar -x -C \"$1\"", "sh", folder, archive]))!;
        await gpg.WaitForExitAsync();
        gpg.ExitCode.ShouldBe(0);
        File.Exists(Path.Combine(folder, "nomad.snap")).ShouldBeTrue();
        Directory.Delete(folder, recursive: true);
    }

    private static JsonElement Json(string text) => JsonDocument.Parse(text).RootElement;
}
