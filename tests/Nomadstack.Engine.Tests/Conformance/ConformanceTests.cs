// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Json.Nodes;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Conformance;

public sealed class EmbeddedConformanceTests(EmbeddedEngine engine) : ConformanceTests(engine), IClassFixture<EmbeddedEngine>;

public sealed class HashiCorpConformanceTests(HashiCorpEngine engine) : ConformanceTests(engine), IClassFixture<HashiCorpEngine>;

/// <summary>What both engines do alike, as a user of the API sees it. HashiCorp's is the reference: a difference is a bug of ours.</summary>
public abstract class ConformanceTests(EngineUnderTest engine)
{
    private const string Missing = "00000000-0000-0000-0000-000000000000";

    [SkippableFact]
    public async Task A_registered_service_runs_and_is_counted()
    {
        Need();
        var reply = await RegisterAsync(Job("counted", "service", "exec sleep 600", count: 2));
        Text(reply["EvalID"]).Length.ShouldBe(36);
        ((long)reply["JobModifyIndex"]!).ShouldBeGreaterThan(0);
        await RunningAsync("counted", 2);

        var job = await engine.GetAsync("/v1/job/counted");
        Text(job["Status"]).ShouldBe("running");
        ((long)job["Version"]!).ShouldBe(0);
        var stub = (await engine.GetAsync("/v1/jobs?prefix=counted"))[0]!;
        Text(stub["Type"]).ShouldBe("service");
        ((int)stub["JobSummary"]!["Summary"]!["g"]!["Running"]!).ShouldBe(2);
        var allocations = await AllocationsAsync("counted");
        allocations.Select(a => Text(a["Name"])).Order().ShouldBe(["counted.g[0]", "counted.g[1]"]);
        allocations.ShouldAllBe(a => Text(a["TaskGroup"]) == "g" && Text(a["DesiredStatus"]) == "run" && Text(a["NodeName"]) == "n1");
        var one = await engine.GetAsync($"/v1/allocation/{Text(allocations[0]["ID"])}");
        Text(one["TaskStates"]!["t"]!["State"]).ShouldBe("running");
        one["TaskStates"]!["t"]!["Events"]!.AsArray().Select(e => Text(e!["Type"])).ShouldBe(["Received", "Task Setup", "Started"]);
        Text(one["Job"]!["ID"]).ShouldBe("counted");
    }

    [SkippableFact]
    public async Task A_plan_says_what_a_registration_would_do_and_does_nothing()
    {
        Need();
        var body = new JsonObject { ["Job"] = Job("planned", "service", "exec sleep 600", count: 3), ["Diff"] = true };
        var plan = await engine.SendOkAsync("PUT", "/v1/job/planned/plan", body.DeepClone());
        ((int)plan["Annotations"]!["DesiredTGUpdates"]!["g"]!["Place"]!).ShouldBe(3);
        Text(plan["Diff"]!["Type"]).ShouldBe("Added");
        ((long)plan["JobModifyIndex"]!).ShouldBe(0);
        (await engine.SendAsync("GET", "/v1/job/planned")).Status.ShouldBe(404);

        await RegisterAsync(Job("planned", "service", "exec sleep 600", count: 3));
        await RunningAsync("planned", 3);
        plan = await engine.SendOkAsync("PUT", "/v1/job/planned/plan", body);
        ((int)plan["Annotations"]!["DesiredTGUpdates"]!["g"]!["Ignore"]!).ShouldBe(3);
        Text(plan["Diff"]!["Type"]).ShouldBe("None");
    }

    [SkippableFact]
    public async Task A_stopped_job_is_dead_and_a_purged_one_unknown()
    {
        Need();
        await RegisterAsync(Job("stopped", "service", "exec sleep 600"));
        await RunningAsync("stopped", 1);
        Text((await engine.SendOkAsync("DELETE", "/v1/job/stopped"))["EvalID"]).Length.ShouldBe(36);

        await engine.EventuallyAsync("the job is dead", async () => Text((await engine.GetAsync("/v1/job/stopped"))["Status"]) == "dead");
        await engine.EventuallyAsync("its allocation is over", async () => (await AllocationsAsync("stopped")).All(a => Text(a["ClientStatus"]) == "complete" && Text(a["DesiredStatus"]) == "stop"));
        await engine.SendOkAsync("DELETE", "/v1/job/stopped?purge=true");
        var (status, text, _) = await engine.SendAsync("GET", "/v1/job/stopped");
        (status, text.Trim()).ShouldBe((404, "job not found"));
    }

    [SkippableFact]
    public async Task A_batch_job_ends_when_all_of_it_has_ended()
    {
        Need();
        await RegisterAsync(Job("batch", "batch", "exit 0", count: 5));
        await engine.EventuallyAsync("the job is dead", async () => Text((await engine.GetAsync("/v1/job/batch"))["Status"]) == "dead");
        var allocations = await AllocationsAsync("batch");
        allocations.Count.ShouldBe(5);
        allocations.ShouldAllBe(a => Text(a["ClientStatus"]) == "complete" && Text(a["DesiredStatus"]) == "run");
        ((int)(await engine.GetAsync("/v1/job/batch/summary"))["Summary"]!["g"]!["Complete"]!).ShouldBe(5);
    }

    [SkippableFact]
    public async Task A_failing_task_is_restarted_as_its_policy_says()
    {
        Need();
        var job = Job("failing", "batch", "exit 3");
        job["TaskGroups"]![0]!["RestartPolicy"] = new JsonObject { ["Attempts"] = 1, ["Delay"] = 100_000_000, ["Interval"] = 3_600_000_000_000, ["Mode"] = "fail" };
        job["TaskGroups"]![0]!["ReschedulePolicy"] = new JsonObject { ["Attempts"] = 0, ["Unlimited"] = false };
        await RegisterAsync(job);
        await engine.EventuallyAsync("it has failed", async () => (await AllocationsAsync("failing")).Any(a => Text(a["ClientStatus"]) == "failed"));
        var state = (await AllocationsAsync("failing"))[0]["TaskStates"]!["t"]!;
        ((int)state["Restarts"]!).ShouldBe(1);
        ((bool)state["Failed"]!).ShouldBeTrue();
        var events = state["Events"]!.AsArray();
        events.Select(e => Text(e!["Type"])).ShouldBe(["Received", "Task Setup", "Started", "Terminated", "Restarting", "Started", "Terminated", "Not Restarting"]);
        Text(events[3]!["DisplayMessage"]).ShouldBe("Exit Code: 3");
        Text(events[7]!["DisplayMessage"]).ShouldContain("Exceeded allowed attempts 1 in interval 1h0m0s");
    }

    [SkippableFact]
    public async Task A_change_that_a_task_need_not_notice_keeps_it_and_any_other_replaces_it()
    {
        Need();
        var job = Job("changed", "service", "exec sleep 600", count: 2);
        await RegisterAsync(job.DeepClone());
        await RunningAsync("changed", 2);
        var first = await IdsAsync("changed");

        job["TaskGroups"]![0]!["Tasks"]![0]!["KillTimeout"] = 2_000_000_000;
        await RegisterAsync(job.DeepClone());
        await engine.EventuallyAsync("both have the new version", async () => (await AllocationsAsync("changed")).All(a => (long)a["JobVersion"]! == 1));
        (await IdsAsync("changed")).ShouldBe(first);

        job["TaskGroups"]![0]!["Tasks"]![0]!["Env"] = new JsonObject { ["A"] = "b" };
        await RegisterAsync(job);
        await engine.EventuallyAsync("both are replaced", async () => (await AllocationsAsync("changed")).Count(a => Text(a["ClientStatus"]) == "running" && (long)a["JobVersion"]! == 2) == 2);
        (await IdsAsync("changed")).Intersect(first).ShouldBeEmpty();
        (await engine.GetAsync("/v1/job/changed/versions"))["Versions"]!.AsArray().Select(v => (long)v!["Version"]!).ShouldBe([2, 1, 0]);
    }

    [SkippableFact]
    public async Task A_smaller_count_stops_the_last_ones()
    {
        Need();
        await RegisterAsync(Job("shrunk", "service", "exec sleep 600", count: 3));
        await RunningAsync("shrunk", 3);
        await RegisterAsync(Job("shrunk", "service", "exec sleep 600", count: 1));
        await RunningAsync("shrunk", 1);
        (await AllocationsAsync("shrunk")).Where(a => Text(a["DesiredStatus"]) == "run").Select(a => Text(a["Name"])).ShouldBe(["shrunk.g[0]"]);
    }

    [SkippableFact]
    public async Task A_job_is_scaled_and_reverted()
    {
        Need();
        var job = Job("scaled", "service", "exec sleep 600");
        job["Update"] = new JsonObject { ["MinHealthyTime"] = 100_000_000, ["HealthyDeadline"] = 60_000_000_000, ["ProgressDeadline"] = 120_000_000_000 };
        await RegisterAsync(job.DeepClone());
        job["TaskGroups"]![0]!["Count"] = 3;
        await RegisterAsync(job);
        await RunningAsync("scaled", 3);
        (await engine.SendAsync("PUT", "/v1/job/scaled/revert", new JsonObject { ["JobID"] = "scaled", ["JobVersion"] = 1 })).Status.ShouldBe(500);
        await engine.SendOkAsync("PUT", "/v1/job/scaled/revert", new JsonObject { ["JobID"] = "scaled", ["JobVersion"] = 0 });
        var reverted = await engine.GetAsync("/v1/job/scaled");
        ((long)reverted["Version"]!, (int)reverted["TaskGroups"]![0]!["Count"]!).ShouldBe((2L, 1));
        await RunningAsync("scaled", 1);
        await DeployedAsync("scaled");

        // Last: 1.1.2 changes the count in its stored version too, and cannot be reverted past it.
        await engine.SendOkAsync("PUT", "/v1/job/scaled/scale", new JsonObject { ["Count"] = 2, ["Target"] = new JsonObject { ["Group"] = "g" } });
        await RunningAsync("scaled", 2);
        ((int)(await engine.GetAsync("/v1/job/scaled/scale"))["TaskGroups"]!["g"]!["Desired"]!).ShouldBe(2);
    }

    [SkippableFact]
    public async Task A_deployment_succeeds_once_all_are_healthy_and_can_be_failed_before()
    {
        Need();
        var job = Job("deployed", "service", "exec sleep 600", count: 2);
        job["Update"] = new JsonObject { ["MaxParallel"] = 1, ["MinHealthyTime"] = 200_000_000, ["HealthyDeadline"] = 60_000_000_000, ["ProgressDeadline"] = 120_000_000_000 };
        await RegisterAsync(job.DeepClone());
        await DeployedAsync("deployed");
        var deployment = await engine.GetAsync("/v1/job/deployed/deployment");
        ((int)deployment["TaskGroups"]!["g"]!["HealthyAllocs"]!).ShouldBe(2);
        (await engine.GetAsync($"/v1/deployment/allocations/{Text(deployment["ID"])}")).AsArray().Count.ShouldBe(2);
        (await engine.GetAsync("/v1/deployments")).AsArray().Select(d => Text(d!["ID"])).ShouldContain(Text(deployment["ID"]));
        var (status, text, _) = await engine.SendAsync("PUT", $"/v1/deployment/fail/{Text(deployment["ID"])}", new JsonObject());
        (status, text).ShouldBe((500, "can't fail terminal deployment"));

        job["Update"]!["MinHealthyTime"] = 30_000_000_000;
        job["Meta"] = new JsonObject { ["v"] = "2" };
        await RegisterAsync(job);
        await engine.EventuallyAsync("the next one runs", async () => Text((await engine.GetAsync("/v1/job/deployed/deployment"))["Status"]) == "running");
        await engine.SendOkAsync("PUT", $"/v1/deployment/fail/{Text((await engine.GetAsync("/v1/job/deployed/deployment"))["ID"])}", new JsonObject());
        Text((await engine.GetAsync("/v1/job/deployed/deployment"))["Status"]).ShouldBe("failed");
    }

    [SkippableFact]
    public async Task An_ineligible_node_gets_nothing_until_it_is_eligible_again()
    {
        Need();
        var node = await NodeAsync();
        await EligibleAsync(node, "ineligible");
        try
        {
            await RegisterAsync(Job("waiting", "service", "exec sleep 600"));
            await engine.EventuallyAsync("it is blocked", async () => (await engine.GetAsync("/v1/job/waiting/evaluations")).AsArray().Any(e => Text(e!["Status"]) == "blocked"));
            (await AllocationsAsync("waiting")).ShouldBeEmpty();
            // Up to 1.x a job without allocations is pending; to 2.0 a service that is wanted runs.
            (engine.IsOurs ? ["pending"] : new[] { "pending", "running" }).ShouldContain(Text((await engine.GetAsync("/v1/job/waiting"))["Status"]));
        }
        finally
        {
            // All other tests share the node.
            await EligibleAsync(node, "eligible");
        }

        await RunningAsync("waiting", 1);
    }

    [SkippableFact]
    public async Task A_drained_node_is_empty_and_works_again_afterwards()
    {
        Need();
        await RegisterAsync(Job("drained", "service", "exec sleep 600"));
        await RunningAsync("drained", 1);
        var node = await NodeAsync();
        try
        {
            await engine.SendOkAsync("PUT", $"/v1/node/{node}/drain", new JsonObject { ["DrainSpec"] = new JsonObject { ["Deadline"] = -1 } });
            await engine.EventuallyAsync("the drain is over", async () => (await engine.GetAsync($"/v1/node/{node}"))["DrainStrategy"] is null);
            await engine.EventuallyAsync("nothing runs", async () => (await AllocationsAsync("drained")).All(a => Text(a["ClientStatus"]) == "complete"));
            Text((await engine.GetAsync($"/v1/node/{node}"))["SchedulingEligibility"]).ShouldBe("ineligible");
        }
        finally
        {
            await engine.SendOkAsync("PUT", $"/v1/node/{node}/drain", new JsonObject { ["DrainSpec"] = null, ["MarkEligible"] = true });
        }

        await RunningAsync("drained", 1);
    }

    [SkippableFact]
    public async Task A_node_tells_what_it_is()
    {
        Need();
        var stub = (await engine.GetAsync("/v1/nodes"))[0]!;
        (Text(stub["Name"]), Text(stub["Datacenter"]), Text(stub["Status"]), Text(stub["Address"])).ShouldBe(("n1", "dc1", "ready", "127.0.0.1"));
        ((bool)stub["Drivers"]!["raw_exec"]!["Healthy"]!).ShouldBeTrue();
        var node = await engine.GetAsync($"/v1/node/{Text(stub["ID"])}");
        Text(node["Attributes"]!["kernel.name"]).ShouldBe("linux");
        Text(node["Attributes"]!["driver.raw_exec"]).ShouldBe("1");
        ((long)node["NodeResources"]!["Cpu"]!["CpuShares"]!).ShouldBeGreaterThan(0);
        Text(node["SecretID"]).ShouldBe("");
        var client = (await engine.GetAsync("/v1/client/stats"))["Memory"]!;
        ((long)client["Total"]!).ShouldBeGreaterThan(0);
    }

    [SkippableFact]
    public async Task A_blocking_query_waits_for_a_change()
    {
        Need();
        await RegisterAsync(Job("watched", "service", "exec sleep 600"));
        await RunningAsync("watched", 1);
        var (_, _, index) = await engine.SendAsync("GET", "/v1/job/watched");
        index.ShouldBeGreaterThan(0);
        var (_, _, same) = await engine.SendAsync("GET", $"/v1/job/watched?index={index}&wait=300ms");
        same.ShouldBe(index);
        var waiting = engine.SendAsync("GET", $"/v1/job/watched?index={index}&wait=60s");
        await RegisterAsync(Job("watched", "service", "exec sleep 601"));
        var (_, text, later) = await waiting;
        later.ShouldBeGreaterThan(index);
        ((long)JsonNode.Parse(text)!["Version"]!).ShouldBe(1);
    }

    [SkippableTheory]
    [InlineData("GET", "/v1/job/nobody", 404, "job not found")]
    [InlineData("GET", "/v1/job/nobody/summary", 404, "job not found")]
    [InlineData("GET", "/v1/allocation/" + Missing, 404, "alloc not found")]
    [InlineData("GET", "/v1/evaluation/" + Missing, 404, "eval not found")]
    [InlineData("GET", "/v1/deployment/" + Missing, 404, "deployment not found")]
    [InlineData("GET", "/v1/node/" + Missing, 404, "node not found")]
    [InlineData("GET", "/v1/client/allocation/" + Missing + "/stats", 404, "Unknown allocation \"" + Missing + "\"")]
    [InlineData("PATCH", "/v1/jobs", 405, "Invalid method")]
    [InlineData("GET", "/v1/jobs/parse", 405, "Invalid method")]
    [InlineData("PUT", "/v1/jobs", 400, "Job must be specified")]
    [InlineData("PUT", "/v1/jobs/parse", 400, "Job spec is empty")]
    [InlineData("GET", "/v1/jobs?index=x", 400, "Invalid index")]
    [InlineData("GET", "/v1/jobs?wait=x", 400, "Invalid wait time")]
    [InlineData("DELETE", "/v1/operator/raft/peer?id=nobody", 500, "id \"nobody\" was not found in the Raft configuration")]
    public async Task What_is_wrong_is_refused_in_the_same_words(string method, string path, int status, string words)
    {
        Need();
        var (code, text, _) = await engine.SendAsync(method, path, method == "PUT" ? new JsonObject() : null);
        (code, text.Trim()).ShouldBe((status, words));
    }

    [SkippableFact]
    public async Task A_registration_can_insist_on_what_it_replaces()
    {
        Need();
        var body = new JsonObject { ["Job"] = Job("insisted", "service", "exec sleep 600"), ["EnforceIndex"] = true, ["JobModifyIndex"] = 0 };
        await engine.SendOkAsync("PUT", "/v1/jobs", body.DeepClone());
        var (status, text, _) = await engine.SendAsync("PUT", "/v1/jobs", body);
        status.ShouldBe(500);
        text.ShouldStartWith("Enforcing job modify index 0");
    }

    [SkippableFact]
    public async Task A_file_is_read_into_the_same_job()
    {
        Need();
        var job = await engine.SendOkAsync("PUT", "/v1/jobs/parse", new JsonObject { ["JobHCL"] = "job \"parsed\" {\n  datacenters = [\"dc1\"]\n  group \"g\" {\n    count = 2\n    task \"t\" {\n      driver = \"raw_exec\"\n      config {\n        command = \"/bin/true\"\n      }\n      kill_timeout = \"7s\"\n    }\n  }\n}\n", ["Canonicalize"] = true });
        (Text(job["ID"]), Text(job["Type"]), (int)job["Priority"]!).ShouldBe(("parsed", "service", 50));
        ((int)job["TaskGroups"]![0]!["Count"]!).ShouldBe(2);
        ((long)job["TaskGroups"]![0]!["Tasks"]![0]!["KillTimeout"]!).ShouldBe(7_000_000_000);
    }

    [SkippableFact]
    public async Task The_servers_tell_who_they_are()
    {
        Need();
        var server = (await engine.GetAsync("/v1/operator/raft/configuration"))["Servers"]!.AsArray().ShouldHaveSingleItem()!;
        (Text(server["Node"]), Text(server["Address"]), (bool)server["Leader"]!, (bool)server["Voter"]!).ShouldBe(("n1.global", engine.RpcAddress, true, true));
        ((string?)await engine.GetAsync("/v1/status/leader")).ShouldBe(engine.RpcAddress);
        (await engine.GetAsync("/v1/status/peers")).AsArray().Select(p => Text(p)).ShouldBe([engine.RpcAddress]);
        var member = (await engine.GetAsync("/v1/agent/members"))["Members"]!.AsArray().ShouldHaveSingleItem()!;
        (Text(member["Name"]), Text(member["Status"]), Text(member["Tags"]!["id"])).ShouldBe(("n1.global", "alive", Text(server["ID"])));
        var self = await engine.GetAsync("/v1/agent/self");
        Text(self["stats"]!["nomad"]!["leader"]).ShouldBe("true");
        Text(self["stats"]!["raft"]!["state"]).ShouldBe("Leader");
        Text(self["stats"]!["client"]!["node_id"]).ShouldBe(await NodeAsync());
        Text(self["stats"]!["client"]!["known_servers"]).ShouldBe(engine.RpcAddress);
        (await engine.GetAsync("/v1/agent/servers")).AsArray().Select(s => Text(s)).ShouldBe([engine.RpcAddress]);
        ((bool)(await engine.GetAsync("/v1/agent/health"))["server"]!["ok"]!).ShouldBeTrue();
        ((bool)(await engine.GetAsync("/v1/operator/autopilot/health"))["Healthy"]!).ShouldBeTrue();
    }

    [SkippableFact]
    public async Task A_snapshot_brings_a_purged_job_back()
    {
        Need();
        await RegisterAsync(Job("saved", "batch", "exit 0"));
        await engine.EventuallyAsync("it is over", async () => Text((await engine.GetAsync("/v1/job/saved"))["Status"]) == "dead");
        var snapshot = await engine.BytesAsync("/v1/operator/snapshot");
        await engine.SendOkAsync("DELETE", "/v1/job/saved?purge=true");
        (await engine.SendAsync("GET", "/v1/job/saved")).Status.ShouldBe(404);
        (await engine.PutBytesAsync("/v1/operator/snapshot", snapshot)).ShouldBe(200);
        await engine.EventuallyAsync("the job is back", async () => (await engine.SendAsync("GET", "/v1/job/saved")).Status == 200);
        (await engine.PutBytesAsync("/v1/operator/snapshot", Encoding.UTF8.GetBytes("no snapshot"))).ShouldBe(500);
    }

    [SkippableFact]
    public async Task Garbage_is_collected_when_asked()
    {
        Need();
        await RegisterAsync(Job("garbage", "batch", "exit 0"));
        await engine.EventuallyAsync("it is over", async () => Text((await engine.GetAsync("/v1/job/garbage"))["Status"]) == "dead");
        await engine.EventuallyAsync("it is gone", async () =>
        {
            await engine.SendOkAsync("PUT", "/v1/system/gc");
            return (await engine.SendAsync("GET", "/v1/job/garbage")).Status == 404;
        });
    }

    [SkippableFact]
    public async Task Evaluations_lead_to_their_allocations()
    {
        Need();
        var id = Text((await RegisterAsync(Job("evaluated", "batch", "exit 0", count: 2)))["EvalID"]);
        await engine.EventuallyAsync("it is complete", async () => Text((await engine.GetAsync($"/v1/evaluation/{id}"))["Status"]) == "complete");
        var evaluation = await engine.GetAsync($"/v1/evaluation/{id}");
        (Text(evaluation["JobID"]), Text(evaluation["TriggeredBy"]), Text(evaluation["Type"])).ShouldBe(("evaluated", "job-register", "batch"));
        (await engine.GetAsync($"/v1/evaluation/{id}/allocations")).AsArray().Count.ShouldBe(2);
        (await engine.GetAsync("/v1/evaluations")).AsArray().Select(e => Text(e!["ID"])).ShouldContain(id);
    }

    [SkippableFact]
    public async Task Logs_and_files_are_read_whole_in_part_and_as_they_grow()
    {
        Need();
        await RegisterAsync(Job("talking", "service", "echo first; echo bad >&2; while :; do echo tick; sleep 0.3; done"));
        await RunningAsync("talking", 1);
        var id = (await IdsAsync("talking"))[0];
        string Logs(string more) => $"/v1/client/fs/logs/{id}?task=t&{more}";
        await engine.EventuallyAsync("it has said something", async () => (await engine.SendAsync("GET", Logs("type=stdout&plain=true"))).Text.StartsWith("first\ntick\n", StringComparison.Ordinal));
        (await engine.SendAsync("GET", Logs("type=stderr&plain=true"))).Text.ShouldBe("bad\n");
        (await engine.SendAsync("GET", Logs("type=stdout&plain=true&offset=2"))).Text.ShouldStartWith("rst\ntick");
        (await engine.SendAsync("GET", Logs("type=stdout&plain=true&origin=end&offset=3"))).Text.ShouldStartWith("ck\n");
        (await engine.FollowAsync(Logs("type=stdout&plain=true&follow=true"), t => t.Split("tick").Length > 5)).ShouldStartWith("first\ntick\n");
        var framed = await engine.FollowAsync(Logs("type=stdout&follow=true"), t => t.Contains("Data", StringComparison.Ordinal) && t.Contains('}', StringComparison.Ordinal));
        framed.ShouldContain("alloc/logs/t.stdout.0");
        (await engine.SendAsync("GET", Logs("type=other"))).Status.ShouldBe(400);
        (await engine.GetAsync($"/v1/client/fs/ls/{id}?path=/")).AsArray().Select(f => Text(f!["Name"])).Order(StringComparer.Ordinal).ShouldBe(["alloc", "t"]);
        var stat = await engine.GetAsync($"/v1/client/fs/stat/{id}?path=alloc/logs/t.stderr.0");
        ((long)stat["Size"]!, (bool)stat["IsDir"]!, Text(stat["FileMode"])).ShouldBe((4L, false, "-rw-r--r--"));
        (await engine.SendAsync("GET", $"/v1/client/fs/cat/{id}?path=alloc/logs/t.stderr.0")).Text.ShouldBe("bad\n");
        (await engine.SendAsync("GET", $"/v1/client/fs/readat/{id}?path=alloc/logs/t.stderr.0&offset=1&limit=2")).Text.ShouldBe("ad");
        (await engine.SendAsync("GET", $"/v1/client/fs/stat/{id}?path=../../x")).Status.ShouldBe(500);
    }

    [SkippableFact]
    public async Task An_allocation_is_signalled_restarted_measured_and_stopped()
    {
        Need();
        await RegisterAsync(Job("handled", "service", "trap 'echo hup' HUP; echo up; while :; do sleep 0.1; done"));
        await RunningAsync("handled", 1);
        var id = (await IdsAsync("handled"))[0];
        Task<string> Log() => Text("type=stdout");
        async Task<string> Text(string type) => (await engine.SendAsync("GET", $"/v1/client/fs/logs/{id}?task=t&plain=true&{type}")).Text;
        await engine.EventuallyAsync("it is up", async () => await Log() == "up\n");
        await engine.SendOkAsync("PUT", $"/v1/client/allocation/{id}/signal", new JsonObject { ["Signal"] = "SIGHUP", ["Task"] = "t" });
        await engine.EventuallyAsync("it got the signal", async () => await Log() == "up\nhup\n");
        // Before the first measurement there is nothing, in 2.0 not even an empty list.
        await engine.EventuallyAsync("its memory is measured", async () => (long?)(await engine.GetAsync($"/v1/client/allocation/{id}/stats"))["Tasks"]?["t"]?["ResourceUsage"]?["MemoryStats"]?["RSS"] > 0);
        await engine.SendOkAsync("PUT", $"/v1/client/allocation/{id}/restart", new JsonObject { ["TaskName"] = "t" });
        await engine.EventuallyAsync("it is up again", async () => await Log() == "up\nhup\nup\n");
        await engine.SendOkAsync("PUT", $"/v1/allocation/{id}/stop");
        await engine.EventuallyAsync("another one runs", async () => (await AllocationsAsync("handled")).Any(a => (string)a["ClientStatus"]! == "running" && (string)a["ID"]! != id));
        (await engine.GetAsync($"/v1/allocation/{id}"))["NextAllocation"]!.GetValue<string>().Length.ShouldBe(36);
    }

    /// <summary>HashiCorp's 1.1.2 fails here: its client obeys a server that has not replayed its log yet (hashicorp/nomad issue 18267).</summary>
    [SkippableFact]
    public async Task A_restarted_agent_has_all_its_tasks_still()
    {
        Need();
        Skip.IfNot(engine.IsOurs, "Nomad 1.1.2 loses its allocations now and then when server and client start together (hashicorp/nomad issue 18267)");
        await RegisterAsync(Job("kept", "service", "echo $$; exec sleep 600", count: 3));
        await RunningAsync("kept", 3);
        var before = await Pids();
        for (var i = 0; i < 3; i++)
        {
            await engine.RestartAsync();
            await engine.EventuallyAsync("the node is ready", async () => (await engine.SendAsync("GET", "/v1/nodes")) is { Status: 200 } nodes && nodes.Text.Contains("\"ready\"", StringComparison.Ordinal));
            await RunningAsync("kept", 3);
            (await Pids()).ShouldBe(before);
            before.Values.ShouldAllBe(pid => Directory.Exists($"/proc/{pid}"));
        }

        async Task<SortedDictionary<string, string>> Pids()
        {
            var pids = new SortedDictionary<string, string>(StringComparer.Ordinal);
            foreach (var id in await IdsAsync("kept"))
            {
                await engine.EventuallyAsync("it has told its pid", async () => (await engine.SendAsync("GET", $"/v1/client/fs/logs/{id}?task=t&type=stdout&plain=true")).Text.EndsWith('\n'));
                pids[id] = (await engine.SendAsync("GET", $"/v1/client/fs/logs/{id}?task=t&type=stdout&plain=true")).Text.Trim();
            }

            return pids;
        }
    }

    [SkippableFact]
    public async Task Names_of_fields_are_read_in_any_case_and_keys_of_maps_as_they_are()
    {
        Need();
        var job = new JsonObject
        {
            ["id"] = "anycase",
            ["name"] = "anycase",
            ["type"] = "batch",
            ["datacenters"] = new JsonArray("dc1"),
            ["meta"] = new JsonObject { ["Key"] = "a", ["key"] = "b" },
            ["taskGroups"] = new JsonArray(new JsonObject
            {
                ["name"] = "g",
                ["count"] = 1,
                ["tasks"] = new JsonArray(new JsonObject { ["name"] = "t", ["driver"] = "raw_exec", ["config"] = new JsonObject { ["command"] = "/bin/true" } }),
            }),
        };
        await engine.SendOkAsync("PUT", "/v1/jobs", new JsonObject { ["job"] = job, ["enforceIndex"] = true, ["jobModifyIndex"] = 0 });

        var kept = await engine.GetAsync("/v1/job/anycase");
        Text(kept["TaskGroups"]![0]!["Tasks"]![0]!["Driver"]).ShouldBe("raw_exec");
        (Text(kept["Meta"]!["Key"]), Text(kept["Meta"]!["key"])).ShouldBe(("a", "b"));
        (await engine.SendAsync("PUT", "/v1/jobs", new JsonObject { ["job"] = job.DeepClone(), ["enforceIndex"] = true, ["jobModifyIndex"] = 0 })).Text.ShouldContain("job already exists");
    }

    [SkippableFact]
    public async Task A_parameterized_job_runs_only_what_is_dispatched_of_it()
    {
        Need();
        var template = Job("template", "batch", "echo $NOMAD_META_who; exec sleep 600");
        template["ParameterizedJob"] = new JsonObject { ["MetaRequired"] = new JsonArray("who"), ["MetaOptional"] = new JsonArray("how") };
        template["Meta"] = new JsonObject { ["where"] = "here" };
        var reply = await RegisterAsync(template);
        (Text(reply["EvalID"]), (long)reply["EvalCreateIndex"]!).ShouldBe(("", 0));
        Text((await engine.GetAsync("/v1/job/template"))["Status"]).ShouldBe("running");
        Text((await engine.GetAsync("/v1/job/template"))["ParameterizedJob"]!["Payload"]).ShouldBe("optional");

        var dispatched = await engine.SendOkAsync("PUT", "/v1/job/template/dispatch", new JsonObject { ["Meta"] = new JsonObject { ["who"] = "me" } });
        var id = Text(dispatched["DispatchedJobID"]);
        id.ShouldStartWith("template/dispatch-");
        await RunningAsync(Uri.EscapeDataString(id), 1);
        var child = await engine.GetAsync($"/v1/job/{Uri.EscapeDataString(id)}");
        (Text(child["ParentID"]), (bool)child["Dispatched"]!, Text(child["Meta"]!["who"]), Text(child["Meta"]!["where"])).ShouldBe(("template", true, "me", "here"));
        var allocation = (await IdsAsync(Uri.EscapeDataString(id)))[0];
        await engine.EventuallyAsync("it has told who", async () => (await engine.SendAsync("GET", $"/v1/client/fs/logs/{allocation}?task=t&type=stdout&plain=true")).Text.Trim() == "me");
        ((int)(await engine.GetAsync("/v1/job/template/summary"))["Children"]!["Running"]!).ShouldBe(1);
        var stubs = (await engine.GetAsync("/v1/jobs?prefix=template")).AsArray();
        stubs.Select(s => ((bool)s!["ParameterizedJob"]!, Text(s["ParentID"]))).ShouldBe([(true, ""), (false, "template")]);

        (await Refused("/v1/job/template/dispatch", [])).ShouldContain("Dispatch did not provide required meta keys: [who]");
        (await Refused("/v1/job/template/dispatch", new JsonObject { ["Meta"] = new JsonObject { ["who"] = "me", ["why"] = "so" } })).ShouldContain("Dispatch request included unpermitted metadata keys: [why]");
        (await Refused($"/v1/job/{Uri.EscapeDataString(id)}/dispatch", [])).ShouldContain("is not a parameterized job");
        (await Refused("/v1/job/template/evaluate", new JsonObject { ["JobID"] = "template" })).ShouldContain("can't evaluate parameterized job");
        (await Refused("/v1/jobs", new JsonObject { ["Job"] = Job("template", "batch", "true") })).ShouldContain("cannot update parameterized job to being non-parameterized");

        await engine.SendOkAsync("DELETE", "/v1/job/template");
        Text((await engine.GetAsync("/v1/job/template"))["Status"]).ShouldBe("dead");
        (await Refused("/v1/job/template/dispatch", new JsonObject { ["Meta"] = new JsonObject { ["who"] = "me" } })).ShouldContain("is stopped");

        async Task<string> Refused(string path, JsonObject body)
        {
            var (status, text, _) = await engine.SendAsync("PUT", path, body);
            status.ShouldBe(500);
            return text;
        }
    }

    private static JsonObject Job(string id, string type, string script, int count = 1) => new()
    {
        ["ID"] = id,
        ["Name"] = id,
        ["Type"] = type,
        ["Datacenters"] = new JsonArray("dc1"),
        ["TaskGroups"] = new JsonArray(new JsonObject
        {
            ["Name"] = "g",
            ["Count"] = count,
            ["Tasks"] = new JsonArray(new JsonObject
            {
                ["Name"] = "t",
                ["Driver"] = "raw_exec",
                ["Config"] = new JsonObject { ["command"] = "/bin/sh", ["args"] = new JsonArray("-c", script) },
                ["Resources"] = new JsonObject { ["CPU"] = 20, ["MemoryMB"] = 20 },
                ["KillTimeout"] = 1_000_000_000,
            }),
        }),
    };

    private static string Text(JsonNode? node) => (string?)node ?? "";

    private void Need() => Skip.If(engine.Missing is not null, engine.Missing);

    private Task<JsonNode> RegisterAsync(JsonNode job) => engine.SendOkAsync("PUT", "/v1/jobs", new JsonObject { ["Job"] = job });

    private async Task<List<JsonNode>> AllocationsAsync(string job) => [.. (await engine.GetAsync($"/v1/job/{job}/allocations")).AsArray().Select(a => a!)];

    private async Task<List<string>> IdsAsync(string job) => [.. (await AllocationsAsync(job)).Where(a => Text(a["DesiredStatus"]) == "run").Select(a => Text(a["ID"])).Order(StringComparer.Ordinal)];

    private Task RunningAsync(string job, int count) => engine.EventuallyAsync($"{count} of {job} run", async () =>
    {
        var all = await AllocationsAsync(job);
        return all.Count(a => Text(a["ClientStatus"]) == "running") == count && all.All(a => Text(a["DesiredStatus"]) == "run" || Text(a["ClientStatus"]) is "complete" or "failed");
    });

    private Task DeployedAsync(string job) => engine.EventuallyAsync($"the deployment of {job} succeeds", async () =>
        JsonNode.Parse((await engine.SendAsync("GET", $"/v1/job/{job}/deployment")).Text) is JsonObject { } latest && Text(latest["Status"]) == "successful");

    private async Task<string> NodeAsync() => Text((await engine.GetAsync("/v1/nodes"))[0]!["ID"]);

    private Task<JsonNode> EligibleAsync(string node, string eligibility) =>
        engine.SendOkAsync("PUT", $"/v1/node/{node}/eligibility", new JsonObject { ["NodeID"] = node, ["Eligibility"] = eligibility });
}
