// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Nomadstack.Cluster.Tests.Engines;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>What a newcomer tries at home: three nodes on one machine. Needs no lab of machines and no root.</summary>
public sealed class DevNodesTests(ITestOutputHelper output) : Scenario(output), IAsyncLifetime
{
    private const string Job = """
        job "count" {
          datacenters = ["dc1"]
          group "counters" {
            count = 3
            task "counter" {
              driver = "raw_exec"
              config {
                command = "/bin/sh"
                args    = ["-c", "while :; do sleep 1; done"]
              }
              resources {
                cpu    = 20
                memory = 16
              }
            }
          }
        }
        """;

    // On a disk: the program under test rightly refuses to keep its data in memory.
    private readonly string _data = Path.Combine("/var/tmp", $"nomadstack-dev-{Guid.NewGuid():N}"[..27]);
    private readonly StringBuilder _said = new();
    private string _program = "";
    private Process? _up;

    /// <summary>The embedded engine needs nothing on the machine, so that the whole life of a cluster is tried wherever the tests run.</summary>
    [SkippableTheory]
    [InlineData("embedded")]
    [InlineData("nomad")]
    public async Task FourNodesOnOneMachineHandOverLoseTheirPowerAndReturnAndAreStoppedWithoutATrace(string engine)
    {
        var engines = await RealEngines.FindAsync();
        Skip.If(engine == "nomad" && engines.Nomad is null, $"needs the real Nomad: {engines.NoNomad}");
        _program = (await ProductBinary.PublishedAsync()).Program;
        string[] with = engine == "nomad" ? ["--nomad-program", engines.Nomad!] : ["--engine", "embedded"];
        Start(with);
        await ReadyAsync();
        await File.WriteAllTextAsync(Path.Combine(_data, "count.nomad.hcl"), Job);
        await MustAsync("job", "run", Path.Combine(_data, "count.nomad.hcl"));
        var before = await StatusAsync();
        before.Engine.ShouldBe(engine);

        var leaving = before.Servers[0];
        await MustAsync("node", "drain", leaving);
        await HealthyAsync();
        var moved = await StatusAsync();
        moved.Servers.Count.ShouldBe(3);
        moved.Servers.ShouldNotContain(leaving);
        await MustAsync("node", "drain", leaving, "--disable");
        await HealthyAsync();
        (await AllocationsAsync()).Count.ShouldBe(3);

        var cut = Stopwatch.StartNew();
        await MustAsync("dev", "power-cut");
        Ours().ShouldHaveSingleItem("the program that runs the room").Pid.ShouldBe(_up!.Id);
        await MustAsync("dev", "power-on");
        await HealthyAsync();

        Say($"{engine}: power cut of all to healthy: {cut.Elapsed.TotalSeconds:0.0} s");
        // Where servers and allocations are then is Nomad's: it replaces those of a node that was slower to return than its heartbeats may be.
        (await StatusAsync()).Cluster.ShouldBe(before.Cluster);
        await Eventually.TrueAsync("the job runs", TimeSpan.FromSeconds(60), async () => (await AllocationsAsync()).Count == 3);

        Signal(NodeProcess.Term);
        await _up.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        _up.ExitCode.ShouldBe(0, Said());
        Ours().ShouldBeEmpty("Ctrl-C stops everything");

        var again = Stopwatch.StartNew();
        Start(with);
        await ReadyAsync();
        Say($"{engine}: the same command again: {again.Elapsed.TotalSeconds:0.0} s");
        (await StatusAsync()).Cluster.ShouldBe(before.Cluster);
        await Eventually.TrueAsync("the job runs", TimeSpan.FromSeconds(60), async () => (await AllocationsAsync()).Count == 3);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var process in Ours()) process.Signal(NodeProcess.Kill);
        await Eventually.TrueAsync("nothing of the test is left", TimeSpan.FromSeconds(10), () =>
        {
            foreach (var process in Ours()) process.Signal(NodeProcess.Kill);
            return Task.FromResult(Ours().Count == 0);
        });
        _up?.Dispose();
        // A Nomad client that runs as root gives each task a small file system of its own, and a power cut takes none of them away.
        foreach (var mount in File.ReadLines("/proc/mounts").Select(line => line.Split(' ')[1]).Where(at => at.StartsWith(_data, StringComparison.Ordinal)).ToList()) await Command.MustAsync("umount", mount);
        if (Directory.Exists(_data)) Directory.Delete(_data, recursive: true);
    }

    private void Start(params string[] more)
    {
        var start = new ProcessStartInfo(_program) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var argument in (string[])["up", "--dev-nodes", "4", "--no-consul", "--insecure", "--data-dir", _data, .. more]) start.ArgumentList.Add(argument);
        lock (_said) _said.Clear();
        _up = Process.Start(start)!;
        _up.ErrorDataReceived += (_, line) =>
        {
            lock (_said) _said.AppendLine(line.Data);
        };
        _up.BeginErrorReadLine();
        _up.BeginOutputReadLine();
    }

    private Task ReadyAsync() => Eventually.NothingIsMissingAsync("up says ready", TimeSpan.FromSeconds(150), () =>
        _up!.HasExited ? throw new InvalidOperationException($"up ended with {_up.ExitCode}:\n{Said()}") : Task.FromResult(Said().Contains("ready", StringComparison.Ordinal) ? null : "it"), Said);

    private Task HealthyAsync() => MustAsync("wait", "--for", "healthy", "--timeout", "90s");

    private async Task<Seen> StatusAsync()
    {
        var status = JsonDocument.Parse(await MustAsync("status", "--json")).RootElement;
        status.GetProperty("nodes").GetArrayLength().ShouldBe(4);
        return new(
            status.GetProperty("cluster").GetProperty("id").GetString()!,
            status.GetProperty("engine").GetProperty("nomad").GetProperty("kind").GetString()!,
            [.. status.GetProperty("servers").EnumerateArray().Select(server => server.GetProperty("node").GetString()!).Order()]);
    }

    private static async Task<HashSet<string>> AllocationsAsync() =>
        [.. (await new NomadApi("127.77.0.1", NomadApi.ClientPort).GetAsync("/v1/job/count/allocations")).EnumerateArray()
            .Where(allocation => allocation.GetProperty("ClientStatus").GetString() == "running").Select(allocation => allocation.GetProperty("ID").GetString()!)];

    private async Task<string> MustAsync(params string[] arguments)
    {
        var ended = await Command.RunAsync([_program, "--data-dir", _data, .. arguments], TimeSpan.FromMinutes(2));
        return ended.ExitCode == 0 ? ended.Stdout : throw new InvalidOperationException($"{string.Join(' ', arguments)}: {ended}\n{Said()}");
    }

    /// <summary>Every process that was started for this test's folder, by its arguments or what it inherited.</summary>
    private List<NodeProcess> Ours() => [.. NodeProcess.InNamespaceOf(Environment.ProcessId).Where(process => process.CommandLine.Contains(_data, StringComparison.Ordinal) || process.Inherited(_data))];

    private void Signal(int signal) => Ours().Single(process => process.Pid == _up!.Id).Signal(signal);

    private string Said()
    {
        lock (_said) return _said.ToString();
    }

    private sealed record Seen(string Cluster, string Engine, IReadOnlyList<string> Servers);
}
