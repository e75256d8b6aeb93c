// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;
using Nomadstack.Engine.Tests.Scheduling;
using Nomadstack.Ground.Kernel;
using Shouldly;
using Xunit;
using static Nomadstack.Engine.Tests.Client.TestClient;

namespace Nomadstack.Engine.Tests.Client;

/// <summary>The node agent's own driver, in the program that NOMADSTACK_PROGRAM names, as this client meets it.</summary>
public sealed class NomadstackDriverTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly FakeServers _servers = new();
    private readonly List<Process> _agents = [];

    [SkippableFact]
    public async Task Its_driver_is_fingerprinted_takes_and_refuses_tasks_and_survives_its_plugins_death_and_its_agents_restart()
    {
        StartAgent();
        var plugins = _folder[Path.Combine("agent", "nomad", "plugins")];
        await Wait.UntilAsync("the plugin file", () => File.Exists(Path.Combine(plugins, "nomadstack")));
        await using var client = await StartAsync(_folder, _servers, o => o with { PluginDir = plugins });
        await _servers.WhenAsync(() => _servers.Node is not null);

        _servers.Node!.Drivers["nomadstack"].Healthy.ShouldBeTrue();
        _servers.Node.Attributes["driver.nomadstack"].ShouldBe("1");
        _servers.Node.Attributes["driver.nomadstack.roles"].ShouldContain("nomad");
        await RefusesAsync("unheard-of", "Driver Failure: rpc error: code = InvalidArgument desc = There is no server role \"unheard-of\".");

        var pid = client.Plugin.Pid;
        Proc.Signal(Proc.Identify(pid)!, SignalNames.SIGKILL);
        await Wait.UntilAsync("another plugin process", () => client.Plugin.Pid is > 0 and var now && now != pid);
        await RefusesAsync("again", "Driver Failure: rpc error: code = InvalidArgument desc = There is no server role \"again\".");

        // Its plugin processes end with the agent; the next launch waits for the next agent.
        pid = client.Plugin.Pid;
        _agents[0].Kill();
        await _agents[0].WaitForExitAsync();
        StartAgent();
        await Wait.UntilAsync("the next agent's plugin", () => client.Plugin.Pid is > 0 and var now && now != pid);
        await RefusesAsync("later", "Driver Failure: rpc error: code = InvalidArgument desc = There is no server role \"later\".");
    }

    public void Dispose()
    {
        foreach (var agent in _agents)
        {
            if (!agent.HasExited) agent.Kill();
            agent.WaitForExit();
            agent.Dispose();
        }

        _folder.Dispose();
    }

    private async Task RefusesAsync(string role, string complaint)
    {
        var job = Specimens.Job(type: JobType.Batch, group: g => g["RestartPolicy"] = Restart(0), task: t =>
        {
            t["Driver"] = "nomadstack";
            t["Config"] = new JsonObject { ["role"] = role };
        });
        var failed = await _servers.WhenAsync(_servers.Place(job).ID, ClientStatus.Failed);
        failed.TaskStates!["t"].Events!.Select(e => $"{e.Type}: {e.DisplayMessage}").ShouldContain(e => e.StartsWith(complaint, StringComparison.Ordinal));
    }

    private void StartAgent()
    {
        var program = Environment.GetEnvironmentVariable("NOMADSTACK_PROGRAM");
        Skip.If(string.IsNullOrEmpty(program), "NOMADSTACK_PROGRAM names no published nomadstack");
        var start = new ProcessStartInfo(program!, ["agent", "--data-dir", _folder["agent"], "--bind", "127.0.0.1", "--name", "n1", "--port", "peers=" + FreePort().ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var agent = Process.Start(start)!;
        agent.BeginOutputReadLine();
        agent.BeginErrorReadLine();
        _agents.Add(agent);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
