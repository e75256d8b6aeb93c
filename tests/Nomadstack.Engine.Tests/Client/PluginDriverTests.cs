// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Engine.Client.Plugins;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;
using Nomadstack.Engine.Tests.Scheduling;
using Nomadstack.Ground.Kernel;
using Shouldly;
using Xunit;
using static Nomadstack.Engine.Tests.Client.TestClient;

namespace Nomadstack.Engine.Tests.Client;

public sealed class PluginDriverTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly FakeServers _servers = new();

    [Fact]
    public async Task A_plugin_is_configured_and_its_driver_shows_on_the_node()
    {
        await using var plugin = await FakePlugin.StartAsync(_folder);
        await using var client = await StartAsync(_folder, _servers, WithPlugins);
        await _servers.WhenAsync(() => _servers.Node is not null);

        _servers.Node!.Attributes["driver.fake"].ShouldBe("1");
        _servers.Node.Attributes["driver.fake.version"].ShouldBe("0.1.0");
        _servers.Node.Drivers["fake"].Healthy.ShouldBeTrue();
        plugin.Config.ShouldBe(MsgpackWriter.Write(new Dictionary<string, object?> { ["greeting"] = "hi" }));
        plugin.Calls.Take(3).ShouldBe(["PluginInfo", "ConfigSchema", "SetConfig"]);
    }

    [Fact]
    public async Task A_task_runs_in_a_plugin_with_its_output_in_Nomads_log_files()
    {
        await using var plugin = await FakePlugin.StartAsync(_folder);
        await using var client = await StartAsync(_folder, _servers, WithPlugins);
        var id = _servers.Place(Fake()).ID;
        await _servers.WhenAsync(id, ClientStatus.Running);
        var started = plugin.Started.Values.ShouldHaveSingleItem();

        started.Id.ShouldStartWith($"{id}/t/");
        started.MsgpackDriverConfig.ToByteArray().ShouldBe(MsgpackWriter.Write(new Dictionary<string, object?> { ["role"] = "server on n1" }));
        started.Env["NOMAD_ALLOC_ID"].ShouldBe(id);
        started.AllocDir.ShouldBe(_folder[Path.Combine("alloc", id)]);
        await Wait.UntilAsync("its output", () => client.Log(id) == "hello from a plugin\n");
        (await client.Agent.Find(id)!.Tasks["t"].UsageAsync(default)).ShouldNotBeNull().ResidentBytes.ShouldBe(4096);
        await Wait.UntilAsync("the end of the stream that one reading was taken from", () => plugin.LetGo.Contains("TaskStats"));

        _servers.Stop(id);
        var stopped = await _servers.WhenAsync(id, ClientStatus.Complete);
        stopped.TaskStates!["t"].Events!.Select(e => e.DisplayMessage).ShouldContain("Exit Code: 130, Signal: 2");
        plugin.Calls.ShouldContain("DestroyTask");
    }

    [Fact]
    public async Task A_plugins_crash_is_a_pause_and_no_tasks_end()
    {
        await using var plugin = await FakePlugin.StartAsync(_folder);
        await using var client = await StartAsync(_folder, _servers, WithPlugins);
        var id = _servers.Place(Fake()).ID;
        await _servers.WhenAsync(id, ClientStatus.Running);
        // A task counts as running a moment before its driver is asked to wait for it, and that call is counted below.
        await Wait.UntilAsync("the task is waited for", () => plugin.Calls.Contains("WaitTask"));
        var first = client.Plugin.Pid;

        for (var crash = 1; crash <= 2; crash++)
        {
            var pid = client.Plugin.Pid;
            plugin.ForgetTasks();
            Proc.Signal(Proc.Identify(pid)!, SignalNames.SIGKILL);
            await Wait.UntilAsync("the task was given to the next process", () => plugin.Calls.Count(c => c == "RecoverTask") == crash && plugin.Calls.Count(c => c == "WaitTask") == crash + 1 && client.Plugin.Pid != 0 && client.Plugin.Pid != pid);
        }

        client.Plugin.Pid.ShouldNotBe(first);
        plugin.End(plugin.Started.Keys.Single(), 0);
        var done = await _servers.WhenAsync(id, ClientStatus.Complete);
        done.TaskStates!["t"].Events!.Select(e => e.Type).ShouldBe(["Received", "Task Setup", "Started", "Terminated"]);
        plugin.Calls.Count(c => c == "StartTask").ShouldBe(1);
    }

    [Fact]
    public async Task A_task_that_is_stopped_while_one_plugin_process_after_another_dies_is_stopped()
    {
        await using var plugin = await FakePlugin.StartAsync(_folder);
        await using var client = await StartAsync(_folder, _servers, WithPlugins);
        var id = _servers.Place(Fake()).ID;
        await _servers.WhenAsync(id, ClientStatus.Running);
        plugin.Hangs = "RecoverTask";
        plugin.ForgetTasks();
        Proc.Signal(Proc.Identify(client.Plugin.Pid)!, SignalNames.SIGKILL);
        await Wait.UntilAsync("the task was offered to the next process", () => plugin.Calls.Contains("RecoverTask"));
        // Waits for that offer's end.
        _servers.Stop(id);
        await _servers.WhenAsync(id, a => a.TaskStates!["t"].Events!.Any(e => e.Type == "Killing"));

        plugin.Hangs = null;
        Proc.Signal(Proc.Identify(client.Plugin.Pid)!, SignalNames.SIGKILL);

        var stopped = await _servers.WhenAsync(id, ClientStatus.Complete);
        stopped.TaskStates!["t"].Events!.Select(e => e.DisplayMessage).ShouldContain("Exit Code: 130, Signal: 2");
        plugin.Calls.Count(c => c == "StopTask").ShouldBe(1);
    }

    [Fact]
    public async Task A_task_that_the_next_process_does_not_take_back_goes_by_its_restart_policy()
    {
        await using var plugin = await FakePlugin.StartAsync(_folder);
        await using var client = await StartAsync(_folder, _servers, WithPlugins);
        var id = _servers.Place(Fake(attempts: 1)).ID;
        await _servers.WhenAsync(id, ClientStatus.Running);
        plugin.ForgetTasks();
        plugin.Amnesia = true;
        Proc.Signal(Proc.Identify(client.Plugin.Pid)!, SignalNames.SIGKILL);

        (await _servers.WhenAsync(id, a => a.TaskStates!["t"] is { Restarts: 1, State: TaskState.Running })).TaskStates!["t"].Failed.ShouldBeFalse();
        plugin.Started.Count.ShouldBe(2);
        _servers.Stop(id);
        await _servers.WhenAsync(id, ClientStatus.Complete);
    }

    [Fact]
    public async Task Only_what_a_plugin_calls_recoverable_is_started_again()
    {
        await using var plugin = await FakePlugin.StartAsync(_folder);
        await using var client = await StartAsync(_folder, _servers, WithPlugins);
        plugin.Refusal = (9, "100% full", false);
        var fatal = _servers.Place(Fake(attempts: 1)).ID;
        var events = (await _servers.WhenAsync(fatal, ClientStatus.Failed)).TaskStates!["t"].Events!.Select(e => $"{e.Type}: {e.DisplayMessage}").ToList();
        events[^2..].ShouldBe(["Driver Failure: rpc error: code = FailedPrecondition desc = 100% full", "Not Restarting: Error was unrecoverable"]);

        plugin.Refusal = (14, "busy", true);
        var again = _servers.Place(Fake(attempts: 1)).ID;
        (await _servers.WhenAsync(again, ClientStatus.Failed)).TaskStates!["t"].Restarts.ShouldBe(1);
    }

    [Fact]
    public async Task The_next_client_gives_running_tasks_back_to_a_plugin()
    {
        await using var plugin = await FakePlugin.StartAsync(_folder);
        string id;
        await using (await StartAsync(_folder, _servers, WithPlugins))
        {
            id = _servers.Place(Fake()).ID;
            await _servers.WhenAsync(id, ClientStatus.Running);
        }

        plugin.Calls.ShouldContain("Shutdown");
        plugin.ForgetTasks();
        await using var second = await StartAsync(_folder, _servers, WithPlugins);
        await Wait.UntilAsync("taken over", () => plugin.Calls.Count(c => c == "WaitTask") == 2);
        plugin.End(plugin.Started.Keys.Single(), 0);

        (await _servers.WhenAsync(id, ClientStatus.Complete)).TaskStates!["t"].Events!.Count(e => e.Type == "Started").ShouldBe(1);
    }

    [Fact]
    public async Task A_plugin_that_a_killed_client_left_behind_is_found_again()
    {
        await using var plugin = await FakePlugin.StartAsync(_folder);
        using var poller = Poller.Start();
        var record = _folder["fake.json"];
        await using var first = await PluginInstance.LaunchAsync(Path.Combine(_folder["plugins"], "fake"), [], record, poller, TimeProvider.System, NullLogger.Instance, default);
        await using var again = (await PluginInstance.ReattachAsync(record, poller, TimeProvider.System, default)).ShouldNotBeNull();

        again.Pid.ShouldBe(first.Pid);
        again.Reattached.ShouldBeTrue();
    }

    [Fact]
    public async Task A_plugin_that_was_found_again_is_launched_anew_when_it_dies()
    {
        await using var plugin = await FakePlugin.StartAsync(_folder);
        using var poller = Poller.Start();
        var (file, records) = (Path.Combine(_folder["plugins"], "fake"), _folder["records"]);
        var left = await PluginInstance.LaunchAsync(file, [], Path.Combine(records, "fake.json"), poller, TimeProvider.System, NullLogger.Instance, default);
        await using var driver = await PluginDriver.StartAsync(file, new([], JsonDocument.Parse("{}").RootElement), records, poller, TimeProvider.System, NullLogger.Instance, default);
        driver.Pid.ShouldBe(left.Pid);

        Proc.Signal(Proc.Identify(left.Pid)!, SignalNames.SIGKILL);

        await Wait.UntilAsync("another process", () => driver.Pid is > 0 and var now && now != left.Pid);
        await left.DisposeAsync();
    }

    [Fact]
    public async Task A_call_that_its_caller_gives_up_is_cancelled_and_the_plugin_hears_of_it()
    {
        await using var plugin = await FakePlugin.StartAsync(_folder);
        using var poller = Poller.Start();
        using var giveUp = new CancellationTokenSource();
        await using var driver = await PluginDriver.StartAsync(Path.Combine(_folder["plugins"], "fake"), new([], JsonDocument.Parse("{}").RootElement), _folder["records"], poller, TimeProvider.System, NullLogger.Instance, default);
        plugin.Hangs = "InspectTask";
        var call = driver.InspectTaskAsync("any", giveUp.Token);
        await Wait.UntilAsync("the call", () => plugin.Calls.Contains("InspectTask"));

        await giveUp.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => call);
        await Wait.UntilAsync("its end", () => plugin.LetGo.Contains("InspectTask"));
    }

    [Fact]
    public async Task A_client_that_is_stopped_while_it_looks_for_a_plugin_left_behind_leaves_neither_call_nor_process()
    {
        await using var plugin = await FakePlugin.StartAsync(_folder);
        using var poller = Poller.Start();
        using var stop = new CancellationTokenSource();
        var record = _folder["fake.json"];
        await using var left = await PluginInstance.LaunchAsync(Path.Combine(_folder["plugins"], "fake"), [], record, poller, TimeProvider.System, NullLogger.Instance, default);
        plugin.Hangs = "PluginInfo";
        var look = PluginInstance.ReattachAsync(record, poller, TimeProvider.System, stop.Token);
        await Wait.UntilAsync("the question", () => plugin.Calls.Contains("PluginInfo"));

        await stop.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => look);
        plugin.LetGo.ShouldContain("PluginInfo");
        await left.Exited.WaitAsync(TimeSpan.FromSeconds(5));
        File.Exists(record).ShouldBeFalse();
    }

    [Theory]
    [InlineData("hello", "Unrecognized remote plugin message: hello")]
    [InlineData("1|1|unix|/x|grpc", "incompatible API version with plugin")]
    [InlineData("2|2|unix|/x|grpc", "incompatible core API version with plugin")]
    [InlineData("1|2|unix|/x", "unsupported plugin protocol \"netrpc\"")]
    public async Task A_file_that_is_no_plugin_of_ours_is_refused(string line, string why)
    {
        Directory.CreateDirectory(_folder["plugins"]);
        var file = Path.Combine(_folder["plugins"], "odd");
        await File.WriteAllTextAsync(file, $"#!/bin/sh\necho '{line}'\nexec sleep 1000\n");
        File.SetUnixFileMode(file, (UnixFileMode)493);

        (await Should.ThrowAsync<PluginException>(() => StartAsync(_folder, _servers, WithPlugins))).Message.ShouldStartWith(why);
    }

    public void Dispose() => _folder.Dispose();

    private ClientOptions WithPlugins(ClientOptions options) => options with
    {
        PluginDir = _folder["plugins"],
        Plugins = new Dictionary<string, PluginOptions> { ["fake"] = new([], JsonDocument.Parse("""{"greeting":"hi"}""").RootElement) },
    };

    private static Job Fake(int attempts = 0) => Specimens.Job(type: JobType.Batch, group: g => g["RestartPolicy"] = Restart(attempts), task: t =>
    {
        t["Driver"] = "fake";
        t["Config"] = new JsonObject { ["role"] = "server on ${node.unique.name}" };
    });
}
