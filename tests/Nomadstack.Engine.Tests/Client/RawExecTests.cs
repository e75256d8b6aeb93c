// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Engine.State;
using Nomadstack.Engine.Tests.Scheduling;
using Nomadstack.Ground.Kernel;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Client;

/// <summary>Real processes; a driver that is disposed stands for a client that was killed.</summary>
public sealed class RawExecTests : IAsyncLifetime, IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Poller _poller = Poller.Start();
    private readonly FileWatch _files;
    private readonly List<RawExec> _drivers = [];
    private readonly RawExec _driver;

    public RawExecTests()
    {
        _files = new FileWatch(_poller);
        _driver = NewDriver();
    }

    [Theory]
    [InlineData("exit 0", 0, 0)]
    [InlineData("exit 3", 3, 0)]
    [InlineData("kill -TERM $$", 143, 15)]
    [InlineData("kill -KILL $$", 137, 9)]
    public async Task It_tells_how_a_task_ended(string script, int code, int signal)
    {
        var handle = await StartAsync(script);

        (await _driver.WaitTaskAsync(handle.TaskId, default)).ShouldBe(new ExitResult(code, signal));
    }

    [Fact]
    public async Task Stopping_sends_the_signal_and_kills_what_does_not_listen()
    {
        var polite = await StartAsync("exec sleep 1000");
        await _driver.StopTaskAsync(polite.TaskId, TimeSpan.FromSeconds(30), "", default);
        (await _driver.WaitTaskAsync(polite.TaskId, default)).ShouldBe(new ExitResult(130, 2));

        var asked = await StartAsync("exec sleep 1000", "a2");
        await _driver.StopTaskAsync(asked.TaskId, TimeSpan.FromSeconds(30), "SIGTERM", default);
        (await _driver.WaitTaskAsync(asked.TaskId, default)).Signal.ShouldBe(15);

        var deaf = await StartAsync("trap '' INT; echo ready; while :; do sleep 1; done", "a3");
        await OutputAsync("a3", "ready\n");
        await _driver.StopTaskAsync(deaf.TaskId, TimeSpan.FromMilliseconds(200), "", default);
        (await _driver.WaitTaskAsync(deaf.TaskId, default)).ShouldBe(new ExitResult(137, 9));
    }

    [Fact]
    public async Task An_unknown_kill_signal_is_refused_and_an_unknown_task_is_stopped_already()
    {
        var handle = await StartAsync("exec sleep 1000");

        (await Should.ThrowAsync<DriverException>(() => _driver.StopTaskAsync(handle.TaskId, TimeSpan.FromSeconds(1), "SIGNOPE", default))).Message.ShouldBe("error unknown signal given for shutdown: SIGNOPE");
        await _driver.StopTaskAsync("none/t/00000000", TimeSpan.FromSeconds(1), "", default);
        await _driver.DestroyTaskAsync(handle.TaskId, force: true, default);
    }

    [Fact]
    public async Task What_a_task_leaves_behind_ends_with_it()
    {
        var handle = await StartAsync("sleep 1000 & echo $!; exit 0");
        await _driver.WaitTaskAsync(handle.TaskId, default);

        var left = int.Parse(ReadLog("a1"), CultureInfo.InvariantCulture);
        await Wait.UntilAsync("the child is gone", () => Proc.StatOf(left) is null or { State: 'Z' });
    }

    [Fact]
    public async Task A_task_that_signals_its_whole_group_is_still_accounted_for()
    {
        var handle = await StartAsync("trap 'exit 7' TERM; kill -TERM 0; sleep 1000");

        (await _driver.WaitTaskAsync(handle.TaskId, default)).ExitCode.ShouldBe(7);
    }

    [Fact]
    public async Task A_task_gets_its_environment_whole_and_its_own_folder()
    {
        var handle = await StartAsync("env; pwd", environment: new() { ["A"] = "it's \"quoted\" $X", ["D"] = "two\nlines", ["PATH"] = "/usr/bin:/bin" });
        await _driver.WaitTaskAsync(handle.TaskId, default);

        var lines = ReadLog("a1").Split('\n');
        lines.ShouldContain("A=it's \"quoted\" $X");
        lines.ShouldContain("D=two");
        lines.ShouldContain(_folder[Path.Combine("alloc", "a1", "t")]);
    }

    [Fact]
    public async Task A_variable_that_no_shell_would_pass_on_reaches_the_program()
    {
        var handle = await StartAsync(["/usr/bin/env"], new() { ["B.C"] = "odd 'name'", ["PATH"] = "/usr/bin:/bin" });
        await _driver.WaitTaskAsync(handle.TaskId, default);

        ReadLog("a1").Split('\n').ShouldContain("B.C=odd 'name'");
    }

    [Fact]
    public async Task A_program_that_is_not_there_is_no_task() =>
        (await Should.ThrowAsync<DriverException>(() => StartAsync(["/bin/nonexistent"], []))).Message
            .ShouldBe("failed to launch command with executor: rpc error: code = Unknown desc = binary \"/bin/nonexistent\" could not be found");

    [Fact]
    public async Task A_program_in_the_tasks_own_folder_comes_first_and_is_made_executable()
    {
        var config = Config("a1", ["hello"], []);
        await File.WriteAllTextAsync(Path.Combine(config.Folders.Local("t"), "hello"), "#!/bin/sh\necho local\n");
        var handle = await _driver.StartTaskAsync(config, default);
        await _driver.WaitTaskAsync(handle.TaskId, default);

        ReadLog("a1").ShouldBe("local\n");
    }

    [Fact]
    public async Task A_task_survives_its_client_and_the_next_one_stops_it()
    {
        var handle = await StartAsync("echo one; read x < \"$GO\"; echo two; exec sleep 1000", environment: Go());
        await OutputAsync("a1", "one\n");
        await _driver.DisposeAsync();
        await File.WriteAllTextAsync(_folder["go"], "go\n");

        var next = NewDriver();
        await next.RecoverTaskAsync(handle, Config("a1", [], []), default);
        await next.RecoverTaskAsync(handle, Config("a1", [], []), default);
        await OutputAsync("a1", "one\ntwo\n");
        await next.StopTaskAsync(handle.TaskId, TimeSpan.FromSeconds(30), "", default);

        (await next.WaitTaskAsync(handle.TaskId, default)).ShouldBe(new ExitResult(130, 2));
    }

    [Fact]
    public async Task How_a_task_ended_while_no_client_ran_is_known()
    {
        var handle = await StartAsync("read x < \"$GO\"; echo late; exit 5", environment: Go());
        await _driver.DisposeAsync();
        await File.WriteAllTextAsync(_folder["go"], "go\n");
        await Wait.UntilAsync("the task ended", () => Directory.EnumerateFiles(_folder["run"], "exit", SearchOption.AllDirectories).Any(f => new FileInfo(f).Length > 0));

        var next = NewDriver();
        await next.RecoverTaskAsync(handle, Config("a1", [], []), default);

        (await next.WaitTaskAsync(handle.TaskId, default)).ShouldBe(new ExitResult(5));
        ReadLog("a1").ShouldBe("late\n");
    }

    [Fact]
    public async Task A_task_whose_handle_was_never_written_is_found_by_its_id()
    {
        var config = Config("a1", ["/bin/sh", "-c", "exec sleep 1000"], []);
        await _driver.StartTaskAsync(config, default);
        await _driver.DisposeAsync();

        var next = NewDriver();
        var found = (await next.FindTaskAsync(config, default)).ShouldNotBeNull();
        await next.RecoverTaskAsync(found, config, default);
        await next.StopTaskAsync(found.TaskId, TimeSpan.FromSeconds(30), "", default);

        (await next.WaitTaskAsync(found.TaskId, default)).Signal.ShouldBe(2);
        (await next.FindTaskAsync(Config("a9", [], []), default)).ShouldBeNull();
    }

    [Fact]
    public async Task A_task_that_ended_before_its_handle_was_written_down_is_found_with_its_end()
    {
        var config = Config("a8", ["/bin/sh", "-c", "exit 7"], []);
        var handle = await _driver.StartTaskAsync(config, default);
        await _driver.WaitTaskAsync(handle.TaskId, default);
        await _driver.DisposeAsync();

        var next = NewDriver();
        var found = (await next.FindTaskAsync(config, default)).ShouldNotBeNull();
        await next.RecoverTaskAsync(found, config, default);

        (await next.WaitTaskAsync(found.TaskId, default)).ExitCode.ShouldBe(7);
        await next.DestroyTaskAsync(found.TaskId, force: true, default);
    }

    [Fact]
    public async Task A_task_of_an_earlier_boot_or_of_a_pid_that_came_around_is_gone()
    {
        var handle = await StartAsync("exec sleep 1000");
        var state = System.Text.Json.JsonSerializer.Deserialize(handle.State, RawExecJson.Default.RawExecState)!;
        var next = NewDriver();

        foreach (var other in new[] { state.Executor with { BootId = "another" }, state.Executor with { StartTicks = state.Executor.StartTicks + 1 } })
        {
            var stale = handle with { State = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(state with { Executor = other }, RawExecJson.Default.RawExecState) };
            await Should.ThrowAsync<DriverException>(() => next.RecoverTaskAsync(stale, Config("a1", [], []), default));
        }

        Proc.StatOf(state.Executor.Pid).ShouldNotBeNull();
        await _driver.DestroyTaskAsync(handle.TaskId, force: true, default);
    }

    [Fact]
    public async Task A_killed_executor_takes_its_task_along()
    {
        var handle = await StartAsync("exec sleep 1000");
        var executor = System.Text.Json.JsonSerializer.Deserialize(handle.State, RawExecJson.Default.RawExecState)!.Executor;
        await Wait.UntilAsync("the task runs", () => Proc.Children(executor.Pid).Count == 1);
        var task = Proc.Children(executor.Pid)[0];
        Proc.Signal(executor, SignalNames.SIGKILL);

        (await _driver.WaitTaskAsync(handle.TaskId, default)).ShouldBe(new ExitResult(137, 9));
        await Wait.UntilAsync("the task is gone", () => Proc.StatOf(task) is null or { State: 'Z' });
    }

    [Fact]
    public async Task Output_is_rotated_and_nothing_of_it_is_lost()
    {
        var handle = await StartAsync("i=0; while [ $i -lt 40000 ]; do i=$((i+1)); echo \"line $i of a log that is longer than a megabyte\"; done");
        await _driver.WaitTaskAsync(handle.TaskId, default);

        var logs = _folder[Path.Combine("alloc", "a1", "alloc", "logs")];
        var files = Directory.EnumerateFiles(logs, "t.stdout.*").OrderBy(f => int.Parse(Path.GetExtension(f)[1..], CultureInfo.InvariantCulture)).ToList();
        files.Count.ShouldBe(2);
        files.ShouldAllBe(f => new FileInfo(f).Length <= 1024 * 1024);
        string.Concat(files.Select(File.ReadAllText)).Split('\n').Length.ShouldBe(40001);
        File.ReadAllText(files[^1]).ShouldEndWith("line 40000 of a log that is longer than a megabyte\n");
    }

    [Fact]
    public async Task Destroying_a_task_forgets_it()
    {
        var handle = await StartAsync("exec sleep 1000");

        await Should.ThrowAsync<DriverException>(() => _driver.DestroyTaskAsync(handle.TaskId, force: false, default));
        await Wait.UntilAsync("its command's process", async () => await _driver.TaskUsageAsync(handle.TaskId, default) is not null);
        await _driver.DestroyTaskAsync(handle.TaskId, force: true, default);

        Directory.EnumerateDirectories(_folder["run"]).ShouldBeEmpty();
        await Should.ThrowAsync<DriverException>(() => _driver.WaitTaskAsync(handle.TaskId, default));
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var driver in _drivers) await driver.DisposeAsync();
        foreach (var pid in Proc.Pids().Where(p => Proc.CommandLine(p) is ["/bin/sh", var script] && script.StartsWith(_folder.Path, StringComparison.Ordinal)))
            foreach (var child in Proc.Children(pid)) Process.GetProcessById(child).Kill();
        await _files.DisposeAsync();
    }

    public void Dispose()
    {
        _poller.Dispose();
        _folder.Dispose();
    }

    private RawExec NewDriver()
    {
        var driver = new RawExec(_folder["run"], _poller, _files, TimeProvider.System, NullLogger<RawExec>.Instance);
        _drivers.Add(driver);
        return driver;
    }

    private Dictionary<string, string> Go()
    {
        Libc.MkFifo(_folder["go"], Convert.ToInt32("600", 8)).ShouldBe(0);
        return new() { ["GO"] = _folder["go"], ["PATH"] = "/usr/bin:/bin" };
    }

    private Task<TaskHandle> StartAsync(string script, string allocation = "a1", Dictionary<string, string>? environment = null) =>
        _driver.StartTaskAsync(Config(allocation, ["/bin/sh", "-c", script], environment ?? new() { ["PATH"] = "/usr/bin:/bin" }), default);

    private Task<TaskHandle> StartAsync(string[] command, Dictionary<string, string> environment) => _driver.StartTaskAsync(Config("a1", command, environment), default);

    private TaskConfig Config(string allocation, string[] command, Dictionary<string, string> environment)
    {
        var folders = new AllocDir(_folder[Path.Combine("alloc", allocation)]);
        folders.BuildShared();
        folders.BuildTask("t");
        Directory.CreateDirectory(_folder["run"]);
        var job = Specimens.Job(task: t => t["LogConfig"] = new System.Text.Json.Nodes.JsonObject { ["MaxFiles"] = 9, ["MaxFileSizeMB"] = 1 });
        return new()
        {
            Id = $"{allocation}/t/12345678",
            Allocation = new Allocation { ID = allocation, Job = job, TaskGroup = "g" },
            Task = job.Group("g")!.Task("t")!,
            Config = command.Length == 0 ? null : new Dictionary<string, object?> { ["command"] = command[0], ["args"] = command[1..].Cast<object?>().ToList() },
            Environment = environment,
            Folders = folders,
        };
    }

    private Task OutputAsync(string allocation, string text) => Wait.UntilAsync($"output \"{text}\"", () => ReadLog(allocation) == text);

    private string ReadLog(string allocation)
    {
        var file = _folder[Path.Combine("alloc", allocation, "alloc", "logs", "t.stdout.0")];
        return File.Exists(file) ? File.ReadAllText(file) : "";
    }
}
