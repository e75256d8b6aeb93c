// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;
using Nomadstack.Ground.Kernel;
using Shouldly;
using Xunit;
using static Nomadstack.Engine.Tests.Client.TestClient;

namespace Nomadstack.Engine.Tests.Client;

/// <summary>A whole client with real processes. What tasks are said to have gone through is what HashiCorp's 1.1.2 said of the same jobs.</summary>
public sealed class ClientAgentTests : IDisposable
{
    private const string Forever = "echo $$; exec sleep 1000";

    private readonly TempFolder _folder = new();
    private readonly FakeServers _servers = new();

    [Fact]
    public async Task A_node_registers_and_becomes_ready()
    {
        await using var client = await StartAsync(_folder, _servers, o => o with { Datacenter = "dc7" });
        await _servers.WhenAsync(() => _servers.Heartbeats > 0);

        _servers.Node!.Datacenter.ShouldBe("dc7");
        _servers.Node.Attributes["driver.raw_exec"].ShouldBe("1");
        _servers.Node.Drivers["raw_exec"].Healthy.ShouldBeTrue();
        _servers.Node.SecretID.ShouldNotBeEmpty();
    }

    [Fact]
    public async Task A_batch_task_runs_to_its_end()
    {
        await using var client = await StartAsync(_folder, _servers);
        var id = _servers.Place(Shell("echo hello $NOMAD_TASK_NAME of ${NOMAD_JOB_NAME}; echo oops >&2")).ID;
        var done = await _servers.WhenAsync(id, ClientStatus.Complete);

        done.ClientDescription.ShouldBe("All tasks have completed");
        Events(done).ShouldBe(
        [
            "Received: Task received by client",
            "Task Setup: Building Task Directory",
            "Started: Task started by client",
            "Terminated: Exit Code: 0",
        ]);
        var task = done.TaskStates!["t"];
        task.Failed.ShouldBeFalse();
        task.FinishedAt.ShouldNotBeNull().ShouldBeGreaterThanOrEqualTo(task.StartedAt!.Value);
        client.Log(id).ShouldBe("hello t of web\n");
        client.Log(id, "stderr").ShouldBe("oops\n");
    }

    [Fact]
    public async Task A_failing_task_is_restarted_as_its_policy_says_and_then_given_up()
    {
        await using var client = await StartAsync(_folder, _servers);
        var id = _servers.Place(Shell("exit 3", group: g => g["RestartPolicy"] = Restart(1, interval: 10))).ID;
        var failed = await _servers.WhenAsync(id, ClientStatus.Failed);

        var events = Events(failed);
        events[..4].ShouldBe(["Received: Task received by client", "Task Setup: Building Task Directory", "Started: Task started by client", "Terminated: Exit Code: 3"]);
        events[4].ShouldStartWith("Restarting: Task restarting in ");
        events[5..].ShouldBe(["Started: Task started by client", "Terminated: Exit Code: 3", "Not Restarting: Exceeded allowed attempts 1 in interval 10s and mode is \"fail\""]);
        failed.ClientDescription.ShouldBe("Failed tasks");
        failed.TaskStates!["t"].Restarts.ShouldBe(1);
        failed.TaskStates["t"].Failed.ShouldBeTrue();
        failed.TaskStates["t"].Events![^1].Details!["fails_task"].ShouldBe("true");
    }

    [Fact]
    public async Task Stopping_an_allocation_ends_its_task_in_order()
    {
        await using var client = await StartAsync(_folder, _servers);
        var id = _servers.Place(Shell(Forever, JobType.Service, t => t["KillTimeout"] = Scheduling.Specimens.Seconds(2))).ID;
        await _servers.WhenAsync(id, ClientStatus.Running);
        _servers.Stop(id);

        Events(await _servers.WhenAsync(id, ClientStatus.Complete))[3..].ShouldBe(
        [
            "Killing: Sent interrupt. Waiting 2s before force killing",
            "Terminated: Exit Code: 130, Signal: 2",
            "Killed: Task successfully killed",
        ]);
    }

    [Fact]
    public async Task The_jobs_own_kill_signal_is_sent()
    {
        await using var client = await StartAsync(_folder, _servers);
        var id = _servers.Place(Shell(Forever, JobType.Service, t => t["KillSignal"] = "SIGTERM")).ID;
        await _servers.WhenAsync(id, ClientStatus.Running);
        _servers.Stop(id);

        Events(await _servers.WhenAsync(id, ClientStatus.Complete)).ShouldContain("Terminated: Exit Code: 143, Signal: 15");
    }

    [Fact]
    public async Task A_configuration_that_does_not_fit_fails_the_task_without_a_restart()
    {
        await using var client = await StartAsync(_folder, _servers);
        var id = _servers.Place(Shell("", group: g => g["RestartPolicy"] = Restart(5), task: t => t["Config"] = new JsonObject { ["command"] = "/bin/echo", ["args"] = new JsonArray("${nope}") })).ID;

        Events(await _servers.WhenAsync(id, ClientStatus.Failed))[2..].ShouldBe(
        [
            "Failed Validation: 2 errors occurred:\n\t* failed to parse config: \n\t* Unknown variable: There is no variable named \"nope\".\n\n",
            "Not Restarting: Error was unrecoverable",
        ]);
    }

    [Fact]
    public async Task A_driver_failure_is_told_and_so_is_a_driver_that_is_not_there()
    {
        await using var client = await StartAsync(_folder, _servers);
        var missing = _servers.Place(Shell("", task: t => t["Config"] = new JsonObject { ["command"] = "/bin/nonexistent" })).ID;
        var unknown = _servers.Place(Shell("", task: t => t["Driver"] = "docker")).ID;

        Events(await _servers.WhenAsync(missing, ClientStatus.Failed)).ShouldContain(e => e.StartsWith("Driver Failure: failed to launch command with executor", StringComparison.Ordinal));
        Events(await _servers.WhenAsync(unknown, ClientStatus.Failed)).ShouldContain(e => e.StartsWith("Driver Failure: failed to initialize driver", StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_tasks_failure_ends_the_others()
    {
        await using var client = await StartAsync(_folder, _servers);
        var job = Shell(Forever, JobType.Service, group: g =>
        {
            g["RestartPolicy"] = Restart(0);
            var bad = g["Tasks"]![0]!.DeepClone();
            bad["Name"] = "bad";
            bad["Config"] = new JsonObject { ["command"] = "/bin/false" };
            ((JsonArray)g["Tasks"]!).Add(bad);
        });
        var id = _servers.Place(job).ID;
        var failed = await _servers.WhenAsync(id, a => a.TaskStates?.Values.All(s => s.State == TaskState.Dead) == true);

        failed.ClientStatus.ShouldBe(ClientStatus.Failed);
        Events(failed, "t").ShouldContain("Sibling Task Failed: Task's sibling \"bad\" failed");
        failed.TaskStates!["t"].Failed.ShouldBeFalse();
    }

    [Fact]
    public async Task Tasks_survive_the_client_and_the_next_one_takes_them_over_without_a_server()
    {
        string id;
        int pid;
        await using (var first = await StartAsync(_folder, _servers))
        {
            id = _servers.Place(Shell(Forever, JobType.Service)).ID;
            await _servers.WhenAsync(id, ClientStatus.Running);
            pid = await PidAsync(first, id);
        }

        _servers.Unreachable = true;
        await using var second = await StartAsync(_folder, _servers);
        await Wait.UntilAsync("restored", () => second.Agent.Find(id)?.Tasks["t"].State.State == TaskState.Running);
        Proc.StatOf(pid).ShouldNotBeNull();
        second.Agent.ServersContacted.IsCompleted.ShouldBeFalse();

        _servers.Unreachable = false;
        _servers.Stop(id);
        var stopped = await _servers.WhenAsync(id, ClientStatus.Complete);
        Events(stopped).Count(e => e.StartsWith("Started", StringComparison.Ordinal)).ShouldBe(1);
        await Wait.UntilAsync("the process is gone", () => Proc.StatOf(pid) is null or { State: 'Z' });
    }

    [Fact]
    public async Task What_ended_while_no_client_ran_is_reported_and_not_run_again()
    {
        string id;
        var runs = _folder["runs"];
        await using (await StartAsync(_folder, _servers))
        {
            id = _servers.Place(Shell($"echo x >> {runs}; until [ -e {_folder["go"]} ]; do sleep 0.05; done; exit 4")).ID;
            await _servers.WhenAsync(id, ClientStatus.Running);
            await Wait.UntilAsync("it runs", () => File.Exists(runs));
        }

        File.WriteAllText(_folder["go"], "");
        await Wait.UntilAsync("it ended", () => Directory.EnumerateFiles(_folder[Path.Combine("client", "raw_exec")], "exit", SearchOption.AllDirectories).Any(f => new FileInfo(f).Length > 0));
        await using var second = await StartAsync(_folder, _servers);

        Events(await _servers.WhenAsync(id, ClientStatus.Failed)).ShouldContain("Terminated: Exit Code: 4");
        File.ReadAllText(runs).ShouldBe("x\n");
    }

    [Fact]
    public async Task A_service_that_cannot_be_found_again_waits_for_a_server_and_a_system_task_does_not()
    {
        string service, system;
        await using (var first = await StartAsync(_folder, _servers))
        {
            service = _servers.Place(Shell(Forever, JobType.Service)).ID;
            system = _servers.Place(Shell(Forever, JobType.System)).ID;
            await _servers.WhenAsync(service, ClientStatus.Running);
            await _servers.WhenAsync(system, ClientStatus.Running);
            // As after a reboot: neither process nor record of its end.
            await EndWithoutTraceAsync(first, service, system);
        }

        _servers.Unreachable = true;
        await using var second = await StartAsync(_folder, _servers);
        await Wait.UntilAsync("the system task runs again", () => second.Agent.Find(system)?.Tasks["t"].State is { State: TaskState.Running, Events.Count: > 3 });
        second.Agent.Find(service)!.Tasks["t"].State.State.ShouldBe(TaskState.Pending);
        second.Agent.Find(service)!.Tasks["t"].State.Events![^1].Type.ShouldBe("Failed Restoring Task");

        _servers.Unreachable = false;
        await _servers.WhenAsync(service, a => a.TaskStates?["t"].Events?[^1].Type == "Started");
        await StopAllAsync(service, system);
    }

    [Fact]
    public async Task No_server_is_no_reason_to_end_a_task()
    {
        await using var client = await StartAsync(_folder, _servers);
        var id = _servers.Place(Shell(Forever, JobType.Service)).ID;
        await _servers.WhenAsync(id, ClientStatus.Running);
        var pid = await PidAsync(client, id);
        var beats = _servers.Heartbeats;
        _servers.Unreachable = true;
        _servers.Wake();
        await Task.Delay(TimeSpan.FromSeconds(3));

        Proc.StatOf(pid).ShouldNotBeNull().State.ShouldNotBe('Z');
        _servers.Unreachable = false;
        await _servers.WhenAsync(() => _servers.Heartbeats > beats + 1);
        await StopAllAsync(id);
    }

    [Fact]
    public async Task A_list_that_is_older_than_the_last_is_not_obeyed()
    {
        await using var client = await StartAsync(_folder, _servers);
        var id = _servers.Place(Shell(Forever, JobType.Service)).ID;
        await _servers.WhenAsync(id, ClientStatus.Running);
        var pid = await PidAsync(client, id);

        _servers.Lie = new(0, new Dictionary<string, long>());
        _servers.Wake();
        await Wait.UntilAsync("the lie was told", () => _servers.Lie is null);
        var other = _servers.Place(Shell("exit 0")).ID;
        await _servers.WhenAsync(other, ClientStatus.Complete);

        Proc.StatOf(pid).ShouldNotBeNull().State.ShouldNotBe('Z');
        client.Agent.Find(id).ShouldNotBeNull();
        await StopAllAsync(id);
    }

    [Fact]
    public async Task What_the_servers_have_collected_is_stopped_and_deleted()
    {
        await using var client = await StartAsync(_folder, _servers);
        var id = _servers.Place(Shell(Forever, JobType.Service)).ID;
        await _servers.WhenAsync(id, ClientStatus.Running);
        var pid = await PidAsync(client, id);
        _servers.Remove(id);

        await Wait.UntilAsync("it is gone, and so is its record", () =>
            client.Agent.Find(id) is null && !Directory.Exists(_folder[Path.Combine("alloc", id)]) && !Directory.EnumerateFiles(_folder[Path.Combine("client", "allocations")]).Any());
        (Proc.StatOf(pid) is null or { State: 'Z' }).ShouldBeTrue();
    }

    [Fact]
    public async Task A_replacement_starts_after_its_predecessor_has_ended()
    {
        await using var client = await StartAsync(_folder, _servers);
        var old = _servers.Place(Shell($"trap 'sleep 0.5; echo old >> {_folder["order"]}; exit 0' INT; echo up; while :; do sleep 0.05; done", JobType.Service)).ID;
        await _servers.WhenAsync(old, ClientStatus.Running);
        await Wait.UntilAsync("it listens", () => client.Log(old) == "up\n");
        _servers.Stop(old);
        var next = _servers.Place(Shell($"echo new >> {_folder["order"]}"), with: a => a with { PreviousAllocation = old }).ID;
        await _servers.WhenAsync(next, ClientStatus.Complete);

        File.ReadAllText(_folder["order"]).ShouldBe("old\nnew\n");
    }

    [Fact]
    public async Task A_predecessor_on_another_node_is_waited_for_through_the_servers()
    {
        await using var client = await StartAsync(_folder, _servers);
        var elsewhere = new Allocation { ID = "elsewhere", Job = Shell("exit 0"), TaskGroup = "g", DesiredStatus = DesiredStatus.Stop, ClientStatus = ClientStatus.Running };
        _servers.Elsewhere = elsewhere;
        var id = _servers.Place(Shell($"echo new >> {_folder["order"]}"), with: a => a with { PreviousAllocation = elsewhere.ID }).ID;
        await _servers.WhenAsync(id, ClientStatus.Pending);
        await _servers.WhenAsync(() => _servers.AskedFor.Contains(elsewhere.ID));
        File.AppendAllText(_folder["order"], "old\n");
        _servers.Elsewhere = elsewhere with { ClientStatus = ClientStatus.Complete };
        _servers.Wake();
        await _servers.WhenAsync(id, ClientStatus.Complete);

        File.ReadAllText(_folder["order"]).ShouldBe("old\nnew\n");
    }

    [Fact]
    public async Task An_allocation_that_shall_stop_before_it_began_is_complete_and_never_ran()
    {
        await using var client = await StartAsync(_folder, _servers);
        var id = _servers.Place(Shell($"echo x > {_folder["ran"]}"), with: a => a with { DesiredStatus = DesiredStatus.Stop }).ID;
        await _servers.WhenAsync(id, ClientStatus.Complete);

        File.Exists(_folder["ran"]).ShouldBeFalse();
    }

    [Fact]
    public async Task A_running_task_is_healthy_after_min_healthy_time_and_says_so_once()
    {
        await using var client = await StartAsync(_folder, _servers);
        var id = _servers.Place(Shell(Forever, JobType.Service, group: g =>
        {
            g["Update"] = new JsonObject { ["MaxParallel"] = 1, ["MinHealthyTime"] = Scheduling.Specimens.Seconds(0.3), ["HealthyDeadline"] = Scheduling.Specimens.Seconds(60), ["ProgressDeadline"] = Scheduling.Specimens.Seconds(120), ["HealthCheck"] = "task_states" };
        }), with: a => a with { DeploymentID = "d1" }).ID;
        var healthy = await _servers.WhenAsync(id, a => a.DeploymentStatus?.Healthy is not null);

        healthy.DeploymentStatus!.Healthy.ShouldBe(true);
        (healthy.DeploymentStatus.Timestamp - healthy.TaskStates!["t"].StartedAt!.Value).ShouldBeGreaterThanOrEqualTo(TimeSpan.FromSeconds(0.29));
        await StopAllAsync(id);
    }

    [Fact]
    public async Task A_task_that_dies_makes_its_deployment_unhealthy()
    {
        await using var client = await StartAsync(_folder, _servers);
        var id = _servers.Place(Shell("exit 1", JobType.Service, group: g =>
        {
            g["RestartPolicy"] = Restart(0);
            g["Update"] = new JsonObject { ["MaxParallel"] = 1 };
        }), with: a => a with { DeploymentID = "d1" }).ID;
        var dead = await _servers.WhenAsync(id, a => a.DeploymentStatus?.Healthy is not null);

        dead.DeploymentStatus!.Healthy.ShouldBe(false);
        await _servers.WhenAsync(id, a => Events(a).Contains("Alloc Unhealthy: Unhealthy because of failed task"));
    }

    [Fact]
    public async Task An_in_place_update_keeps_the_process_and_takes_the_new_policy()
    {
        await using var client = await StartAsync(_folder, _servers);
        var id = _servers.Place(Shell(Forever, JobType.Service)).ID;
        await _servers.WhenAsync(id, ClientStatus.Running);
        var pid = await PidAsync(client, id);
        _servers.Put(_servers.Get(id) with { Job = Shell(Forever, JobType.Service, t => t["KillTimeout"] = Scheduling.Specimens.Seconds(9)) });
        await Wait.UntilAsync("updated", () => client.Agent.Find(id)!.Allocation.Job.Group("g")!.Task("t")!.KillTimeout == TimeSpan.FromSeconds(9));

        Proc.StatOf(pid).ShouldNotBeNull();
        _servers.Stop(id);
        Events(await _servers.WhenAsync(id, ClientStatus.Complete)).ShouldContain("Killing: Sent interrupt. Waiting 9s before force killing");
    }

    [Fact]
    public async Task An_operators_restart_and_signal_reach_the_task()
    {
        await using var client = await StartAsync(_folder, _servers);
        var id = _servers.Place(Shell("trap 'echo got' USR1; echo up; while :; do sleep 0.05; done", JobType.Service)).ID;
        await _servers.WhenAsync(id, ClientStatus.Running);
        await Wait.UntilAsync("it listens", () => client.Log(id) == "up\n");
        (await client.Agent.Find(id)!.Tasks["t"].SignalAsync("SIGUSR1", default)).ShouldBeTrue();
        await Wait.UntilAsync("the signal came", () => client.Log(id) == "up\ngot\n");
        (await client.Agent.Find(id)!.Tasks["t"].RestartAsync(default)).ShouldBeTrue();
        var restarted = await _servers.WhenAsync(id, a => a.TaskStates!["t"] is { Restarts: 1, State: TaskState.Running });

        Events(restarted).ShouldContain("Restart Signaled: User requested restart");
        Events(restarted).ShouldContain("Restarting: Task restarting in 0s");
        await StopAllAsync(id);
    }

    [Fact]
    public async Task Servers_that_forgot_the_node_get_it_again()
    {
        await using var client = await StartAsync(_folder, _servers);
        await _servers.WhenAsync(() => _servers.Heartbeats > 0);
        _servers.Forget();

        await _servers.WhenAsync(() => _servers.Registrations == 2);
        _servers.Node.ShouldNotBeNull();
    }

    [Fact]
    public async Task Ended_allocations_beyond_the_limit_are_deleted_and_not_run_again()
    {
        await using var client = await StartAsync(_folder, _servers, o => o with { GcMaxAllocs = 2 });
        var ids = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            ids.Add(_servers.Place(Shell($"echo x >> {_folder["runs"]}")).ID);
            await _servers.WhenAsync(ids[^1], ClientStatus.Complete);
        }

        await Wait.UntilAsync("the oldest are gone", () => client.Agent.Allocations.Count == 2);
        _servers.Wake();
        Directory.EnumerateDirectories(_folder["alloc"]).Select(d => Path.GetFileName(d)!).ShouldBe(ids[^2..], ignoreOrder: true);
        (await File.ReadAllLinesAsync(_folder["runs"])).Length.ShouldBe(5);
    }

    [Fact]
    public async Task A_hundred_allocations_run_once_each()
    {
        await using var client = await StartAsync(_folder, _servers);
        var ids = Enumerable.Range(0, 100).Select(_ => _servers.Place(Shell($"echo x >> {_folder["runs"]}")).ID).ToList();
        foreach (var id in ids) await _servers.WhenAsync(id, ClientStatus.Complete);

        (await File.ReadAllLinesAsync(_folder["runs"])).Length.ShouldBe(100);
    }

    public void Dispose() => _folder.Dispose();

    private static List<string> Events(Allocation allocation, string task = "t") => [.. (allocation.TaskStates![task].Events ?? []).Select(e => $"{e.Type}: {e.DisplayMessage}")];

    private static async Task<int> PidAsync(TestClient client, string id)
    {
        await Wait.UntilAsync("its pid", () => client.Log(id).EndsWith('\n'));
        return int.Parse(client.Log(id), CultureInfo.InvariantCulture);
    }

    private async Task StopAllAsync(params string[] ids)
    {
        foreach (var id in ids) _servers.Stop(id);
        foreach (var id in ids) await _servers.WhenAsync(id, a => a.ClientTerminal);
    }

    /// <summary>Kills the tasks, and the shells above them before these can write anything down, once their client is gone.</summary>
    private static async Task EndWithoutTraceAsync(TestClient client, params string[] ids)
    {
        var processes = new List<ProcessIdentity>();
        foreach (var id in ids)
        {
            var task = Proc.StatOf(await PidAsync(client, id))!;
            processes.Add(Proc.Identify(task.Parent)!);
            processes.Add(Proc.Identify(task.Pid)!);
        }

        await client.DisposeAsync();
        foreach (var process in processes) Proc.Signal(process, SignalNames.SIGKILL);
        await Wait.UntilAsync("all are gone", () => processes.All(p => Proc.StatOf(p.Pid) is null or { State: 'Z' }));
        // The test is still their parent; a client after a reboot would not be.
        foreach (var run in Directory.EnumerateDirectories(Path.Combine(Path.GetDirectoryName(client.Agent.Allocations[0].Folders.Root)!, "..", "client", "raw_exec"))) File.Delete(Path.Combine(run, ExecutorScript.ExitFile));
    }
}
