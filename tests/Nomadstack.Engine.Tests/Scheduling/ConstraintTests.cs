// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.State;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Scheduling;

public sealed class ConstraintTests
{
    private static readonly Node Node = Specimens.Node("abc") with
    {
        NodeClass = "large",
        Attributes = new Dictionary<string, string> { ["kernel.name"] = "linux", ["nomad.version"] = "1.6.10", ["cpu.cores"] = "4" },
        Meta = new Dictionary<string, string> { ["rack"] = "r1", ["tags"] = "ssd, fast,quiet" },
    };

    [Theory]
    [InlineData("${attr.kernel.name}", "=", "linux", true)]
    [InlineData("${attr.kernel.name}", "is", "windows", false)]
    [InlineData("${attr.missing}", "=", "x", false)]
    [InlineData("${attr.missing}", "!=", "x", true)]
    [InlineData("${attr.kernel.name}", "!=", "linux", false)]
    [InlineData("${attr.kernel.name}", "not", "windows", true)]
    [InlineData("${node.class}", "=", "large", true)]
    [InlineData("${node.datacenter}", "=", "dc1", true)]
    [InlineData("${node.unique.id}", "=", "abc", true)]
    [InlineData("${node.unique.name}", "=", "node-abc", true)]
    [InlineData("${meta.rack}", "=", "r1", true)]
    [InlineData("r1", "=", "${meta.rack}", true)]
    [InlineData("${env.HOME}", "=", "/", false)]
    [InlineData("${attr.cpu.cores}", "<", "5", true)]
    [InlineData("${attr.cpu.cores}", ">=", "5", false)]
    // By letters, not by value: so does Nomad.
    [InlineData("${attr.cpu.cores}", "<", "16", false)]
    [InlineData("${attr.nomad.version}", "version", ">= 1.1, < 2.0", true)]
    [InlineData("${attr.nomad.version}", "version", ">= 1.7", false)]
    [InlineData("${attr.nomad.version}", "semver", ">= 1.6.0", true)]
    [InlineData("${attr.kernel.name}", "regexp", "^lin", true)]
    [InlineData("${attr.kernel.name}", "regexp", "win|mac", false)]
    [InlineData("${attr.kernel.name}", "regexp", "(", false)]
    [InlineData("${meta.tags}", "set_contains", "fast,ssd", true)]
    [InlineData("${meta.tags}", "set_contains_all", "fast,slow", false)]
    [InlineData("${meta.tags}", "set_contains_any", "slow,quiet", true)]
    [InlineData("${meta.rack}", "is_set", "", true)]
    [InlineData("${meta.row}", "is_set", "", false)]
    [InlineData("${meta.row}", "is_not_set", "", true)]
    public void AreJudgedAsNomadDoes(string left, string operand, string right, bool met) =>
        ConstraintCheck.Meets(Node, new Constraint { LTarget = left, Operand = operand, RTarget = right }).ShouldBe(met);

    [Fact]
    public void NameThemselvesWhereTheyLeaveNodesOut()
    {
        var cluster = new Cluster();
        cluster.Add(Specimens.Node("a"), Specimens.Node("bb"));

        cluster.Run(Specimens.Job(job: j => j["Constraints"] = new JsonArray(Specimens.Constraint("${attr.kernel.name}", "=", "plan9"))));

        var why = cluster.State.EvaluationsOf(new("default", "web")).First(e => e.Status == EvalStatus.Blocked).FailedTGAllocs!["g"];
        why.ConstraintFiltered!.ShouldBe(new Dictionary<string, int> { ["${attr.kernel.name} = plan9"] = 2 }, ignoreOrder: true);
        (why.NodesEvaluated, why.NodesFiltered, why.NodesAvailable!["dc1"]).ShouldBe((2, 2, 2));
    }

    [Fact]
    public void NeedADetectedAndHealthyDriver()
    {
        var cluster = new Cluster();
        cluster.Add(Specimens.Node("a") with { Drivers = new Dictionary<string, DriverStatus> { ["raw_exec"] = new() { Detected = true, Healthy = false } } });
        cluster.Run(Specimens.Job());
        cluster.Live().ShouldBeEmpty();
        cluster.State.EvaluationsOf(new("default", "web")).First(e => e.Status == EvalStatus.Blocked).FailedTGAllocs!["g"].ConstraintFiltered!.Keys.ShouldBe(["missing drivers"]);

        cluster.Add(Specimens.Node("a"));
        cluster.Settle();

        cluster.Live().Count.ShouldBe(1);
    }

    [Fact]
    public void DistinctHostsPutsNoTwoOnOneNode()
    {
        var cluster = new Cluster();
        cluster.Add(Specimens.Node("a"), Specimens.Node("bb"));

        cluster.Run(Specimens.Job(count: 3, job: j => j["Constraints"] = new JsonArray(Specimens.Constraint("", "distinct_hosts", "true"))));

        cluster.Live().Select(a => a.NodeID).Order().ShouldBe(["a", "bb"]);
    }

    [Fact]
    public void DistinctPropertyCountsOverTheWholeCluster()
    {
        var cluster = new Cluster();
        cluster.Add([.. "abcd".Select((c, i) => Specimens.Node(new string(c, i + 1)) with { Meta = new Dictionary<string, string> { ["rack"] = i < 3 ? "r1" : "r2" } })]);

        cluster.Run(Specimens.Job(count: 4, job: j => j["Constraints"] = new JsonArray(Specimens.Constraint("${meta.rack}", "distinct_property", "1"))));

        cluster.Live().Count.ShouldBe(2);
        cluster.Live().Select(a => cluster.State.Node(a.NodeID)!.Meta["rack"]).Order().ShouldBe(["r1", "r2"]);
    }

    [Fact]
    public void TakeEveryDatacenterThatAPatternMeans()
    {
        var cluster = new Cluster();
        cluster.Add(Specimens.Node("a", datacenter: "eu-1"), Specimens.Node("bb", datacenter: "us-1"));

        cluster.Run(Specimens.Job("sys", JobType.System, job: j => j["Datacenters"] = new JsonArray("eu-*")));

        cluster.Live("sys").Select(a => a.NodeID).ShouldBe(["a"]);
    }
}
