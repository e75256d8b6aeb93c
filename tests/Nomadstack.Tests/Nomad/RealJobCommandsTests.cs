// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Nomad;
using Nomadstack.Tests.Api;
using Nomadstack.Tests.Cli;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Nomad;

/// <summary><c>job logs</c> and <c>job exec</c> on a real Nomad. Skipped where there is none.</summary>
public sealed class RealJobCommandsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SkippableFact]
    public async Task LogsAreReadAndFollowedAndCommandsRun()
    {
        Skip.IfNot(RealAgent.Has("nomad"), "no nomad program on PATH");
        await using var host = await AgentHost.StartAsync();
        var http = RealAgent.FreePort();
        var configuration = new JsonObject
        {
            ["data_dir"] = _folder.Sub("data"),
            ["bind_addr"] = "127.0.0.1",
            ["advertise"] = new JsonObject { ["http"] = "127.0.0.1", ["rpc"] = "127.0.0.1", ["serf"] = "127.0.0.1" },
            ["ports"] = new JsonObject { ["http"] = http, ["rpc"] = RealAgent.FreePort(), ["serf"] = RealAgent.FreePort() },
            ["server"] = new JsonObject { ["enabled"] = true, ["bootstrap_expect"] = 1 },
            ["client"] = new JsonObject { ["enabled"] = true, ["network_interface"] = "lo" },
            ["plugin"] = new JsonArray(new JsonObject { ["raw_exec"] = new JsonArray(new JsonObject { ["config"] = new JsonArray(new JsonObject { ["enabled"] = true }) }) }),
        };
        await using var nomad = RealAgent.Start("nomad", _folder.Path, configuration.ToJsonString());
        var address = $"http://127.0.0.1:{http}";
        host.Agent.Where = FakeAgentService.At(address, null);
        var api = new NomadApi(Role.Endpoint(http), TimeProvider.System);
        await nomad.EventuallyAsync("the node is ready", async () => (await api.NodesAsync(NomadApi.WithLeader, default)).Try(out var nodes) && nodes.Any(n => n.Ready), 60);
        var file = Path.Combine(_folder.Path, "web.hcl");
        var gone = Path.Combine(_folder.Path, "go");
        await File.WriteAllTextAsync(file, $$"""
            job "web" {
              datacenters = ["dc1"]
              type        = "batch"
              group "g" {
                task "app" {
                  driver = "raw_exec"
                  config {
                    command = "/bin/sh"
                    args    = ["-c", "i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo line $i; done; while ! [ -e {{gone}} ]; do sleep 0.1; done; echo last"]
                  }
                }
              }
            }
            """);
        var bad = Path.Combine(_folder.Path, "bad.hcl");
        await File.WriteAllTextAsync(bad, """
            job "bad" {
              datacenters = ["dc1"]
              group "g" {
                task "app" {
                  driver = "raw_exec"
                  config {
                    command = "/no/such/program"
                  }
                }
              }
            }
            """);
        try
        {
            // A service with a deployment, which fails only after minutes.
            var failing = new Typed();
            (await RunAsync(failing, "run", bad, "--timeout", "5s")).ShouldBe(3);
            failing.Error.ToString().ShouldContain(", task app: ");
            (await RunAsync(new Typed(), "run", file)).ShouldBe(0, nomad.Log);
            var (tail, follow, exec, missing, ended) = (new Typed(), new Typed(), new Typed { Input = "hello\n" }, new Typed(), new Typed());
            await nomad.EventuallyAsync("the log is there", async () => await RunAsync(tail, "logs", "web", "--tail", "2") == 0 && tail.Out.ToString().Contains("line 500", StringComparison.Ordinal));
            tail.Out.ToString().ShouldEndWith("line 499\nline 500\n");
            var following = Nomadstack.Cli.CommandLine.RunAsync(["job", "logs", "-f", "web", "--tail", "3", "--data-dir", host.Paths.Data], follow.Here, default);

            (await RunAsync(exec, "exec", "web", "sh", "-c", "cat; echo $NOMAD_TASK_NAME; echo no >&2; exit 3")).ShouldBe(3, exec.Error.ToString());
            exec.Out.ToString().ShouldBe("hello\napp\n");
            exec.Error.ToString().ShouldBe("no\n");
            (await RunAsync(missing, "exec", "web", "/no/such/program")).ShouldNotBe(0);

            await File.WriteAllTextAsync(gone, "");
            (await following.WaitAsync(TimeSpan.FromSeconds(60))).ShouldBe(0);
            follow.Out.ToString().ShouldBe("line 498\nline 499\nline 500\nlast\n");
            (await RunAsync(ended, "logs", "web", "--tail", "1")).ShouldBe(0);
            ended.Out.ToString().ShouldBe("last\n");
        }
        finally
        {
            // The client mounts a file system into each allocation's folder, and unmounts it when the allocation is collected.
            foreach (var job in new[] { "web", "bad" }) await RunAsync(new Typed(), "stop", job, "--purge");
            await nomad.EventuallyAsync("the allocation is collected", async () =>
            {
                await api.SystemGcAsync(NomadApi.WithLeader, default);
                return !Directory.EnumerateDirectories(Path.Combine(_folder.Path, "data", "alloc")).Any();
            });
        }

        Task<int> RunAsync(Typed typed, params string[] args) => Nomadstack.Cli.CommandLine.RunAsync(["--data-dir", host.Paths.Data, "job", .. args], typed.Here, default).WaitAsync(TimeSpan.FromSeconds(60));
    }
}
