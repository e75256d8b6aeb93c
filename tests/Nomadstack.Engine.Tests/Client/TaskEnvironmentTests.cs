// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.State;
using Nomadstack.Engine.Tests.Scheduling;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Client;

/// <summary>The names and values are those that HashiCorp's 1.1.2 gave a task of the same job.</summary>
public sealed class TaskEnvironmentTests
{
    private static readonly Dictionary<string, string> s_host = new() { ["PATH"] = "/bin", ["GREETING"] = "from ${node.unique.name}" };

    [Fact]
    public void A_task_is_told_what_Nomad_tells()
    {
        var all = Environment().Variables;

        all["NOMAD_ALLOC_DIR"].ShouldBe("/a/1/alloc");
        all["NOMAD_TASK_DIR"].ShouldBe("/a/1/t/local");
        all["NOMAD_SECRETS_DIR"].ShouldBe("/a/1/t/secrets");
        all["NOMAD_ALLOC_ID"].ShouldBe("1");
        all["NOMAD_ALLOC_NAME"].ShouldBe("web.g[3]");
        all["NOMAD_ALLOC_INDEX"].ShouldBe("3");
        all["NOMAD_JOB_ID"].ShouldBe("web");
        all["NOMAD_DC"].ShouldBe("dc1");
        all["NOMAD_REGION"].ShouldBe("global");
        all["NOMAD_CPU_LIMIT"].ShouldBe("500");
        all["NOMAD_MEMORY_LIMIT"].ShouldBe("300");
        all.ContainsKey("NOMAD_MEMORY_MAX_LIMIT").ShouldBeFalse();
        all["PATH"].ShouldBe("/bin");
    }

    [Fact]
    public void A_dispatched_task_is_told_its_parent_and_every_task_its_short_id()
    {
        var all = Environment(change: a => a with { ID = "0123456789abcdef", Job = a.Job with { ParentID = "template" } }).Variables;

        (all["NOMAD_SHORT_ALLOC_ID"], all["NOMAD_JOB_PARENT_ID"]).ShouldBe(("01234567", "template"));
        Environment().Variables.ContainsKey("NOMAD_JOB_PARENT_ID").ShouldBeFalse();
    }

    /// <summary>Whoever stops a node finds its tasks by that mark.</summary>
    [Fact]
    public void The_mark_of_the_client_is_handed_on_and_what_an_operator_denies_is_not()
    {
        System.Environment.SetEnvironmentVariable("NOMADSTACK_PROCESS", "/data:nomad-client");
        System.Environment.SetEnvironmentVariable("NOMADSTACK_TEST_OTHER", "yes");
        var options = new ClientOptions { StateDir = "", AllocDir = "", Version = "", EnvironmentDenylist = ["NOMADSTACK_TEST_OTHER"] };
        var host = new TaskSite(options, null!, () => null!, Task.CompletedTask, TimeProvider.System, new Random(1)).HostEnvironment().Select(e => e.Key).ToList();

        host.ShouldContain("NOMADSTACK_PROCESS");
        host.ShouldNotContain("NOMADSTACK_TEST_OTHER");
    }

    [Fact]
    public void Ports_have_their_address_under_names_that_a_shell_can_read()
    {
        var all = Environment().Variables;

        all["NOMAD_ADDR_http"].ShouldBe("10.0.0.1:8080");
        all["NOMAD_HOST_ADDR_http"].ShouldBe("10.0.0.1:8080");
        all["NOMAD_IP_http"].ShouldBe("10.0.0.1");
        all["NOMAD_PORT_http"].ShouldBe("80");
        all["NOMAD_ALLOC_PORT_http"].ShouldBe("80");
        all["NOMAD_HOST_PORT_http"].ShouldBe("8080");
        all["NOMAD_PORT_my_port"].ShouldBe("23456");
        all["NOMAD_ADDR_my_port"].ShouldBe("10.0.0.1:23456");
    }

    [Fact]
    public void The_nearer_metadata_wins_and_has_two_spellings()
    {
        var all = Environment().Variables;

        all["NOMAD_META_owner"].ShouldBe("task");
        all["NOMAD_META_OWNER"].ShouldBe("task");
        all["NOMAD_META_a_b"].ShouldBe("x");
        all["NOMAD_META_A_B"].ShouldBe("x");
    }

    [Fact]
    public void Variables_name_the_node_and_each_other_and_what_is_unknown_stays()
    {
        var all = Environment().Variables;

        all["FOO"].ShouldBe("3-n1-linux-r1-${nope}");
        all["GREETING"].ShouldBe("from n1");
    }

    [Fact]
    public void An_isolated_task_sees_its_folders_at_the_root() => Environment(isolated: true).Variables["NOMAD_TASK_DIR"].ShouldBe("/local");

    [Theory]
    [InlineData("${NOMAD_TASK_NAME}/${attr.cpu.arch}", "t/amd64")]
    [InlineData("${meta.rack} ${node.meta.rack} ${node.datacenter}", "r1 r1 dc1")]
    [InlineData("${env.FOO}|${env[\"PATH\"]}", "3-n1-linux-r1-${nope}|/bin")]
    [InlineData("$${kept} and $1 and 100%", "${kept} and $1 and 100%")]
    [InlineData("%%{kept}", "%{kept}")]
    public void A_drivers_texts_are_templates(string text, string expected) => ConfigTemplate.Evaluate(text, Environment()).ShouldBe(expected);

    [Theory]
    [InlineData("${nope}", "Unknown variable: There is no variable named \"nope\".")]
    [InlineData("${node.meta.nope}", "Unsupported attribute: This object does not have an attribute named \"nope\".")]
    [InlineData("${upper(\"x\")}", "Unsupported expression: the embedded engine looks up names alone, not \"upper(\"x\")\".")]
    [InlineData("%{if true}", "Invalid template control keyword: the embedded engine knows no \"if\".")]
    [InlineData("${open", "Unterminated template string: No closing marker was found for the string.")]
    public void A_text_that_names_nothing_is_refused(string text, string complaint) =>
        Should.Throw<FormatException>(() => ConfigTemplate.Evaluate(text, Environment())).Message.ShouldBe(complaint);

    private static TaskEnvironment Environment(bool isolated = false, Func<Allocation, Allocation>? change = null)
    {
        var job = Specimens.Job(job: j => j["Meta"] = new JsonObject { ["owner"] = "job", ["a-b"] = "x" }, task: t =>
        {
            t["Meta"] = new JsonObject { ["owner"] = "task" };
            t["Env"] = new JsonObject { ["FOO"] = "${NOMAD_ALLOC_INDEX}-${node.unique.name}-${attr.kernel.name}-${meta.rack}-${nope}" };
        });
        var allocation = new Allocation
        {
            ID = "1",
            Name = "web.g[3]",
            Job = job,
            JobID = "web",
            TaskGroup = "g",
            AllocatedResources = new()
            {
                Tasks = new Dictionary<string, AllocatedTaskResources> { ["t"] = new() { Cpu = new() { CpuShares = 500 }, Memory = new() { MemoryMB = 300 } } },
                Shared = new() { Ports = [new("http", 8080, 80, "10.0.0.1"), new("my-port", 23456, 0, "10.0.0.1")] },
            },
        };
        var node = Specimens.Node("n") with
        {
            Name = "n1",
            Attributes = new Dictionary<string, string> { ["kernel.name"] = "linux", ["cpu.arch"] = "amd64" },
            Meta = new Dictionary<string, string> { ["rack"] = "r1" },
        };
        return TaskEnvironment.For(node, "global", change is null ? allocation : change(allocation), job.Group("g")!.Task("t")!, new AllocDir("/a/1"), isolated, s_host);
    }
}
