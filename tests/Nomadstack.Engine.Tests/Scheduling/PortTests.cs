// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.State;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Scheduling;

public sealed class PortTests
{
    [Fact]
    public void AStaticPortIsTakenOncePerNode()
    {
        var cluster = new Cluster();
        cluster.Add(Specimens.Node("a"), Specimens.Node("bb"));

        cluster.Run(Specimens.Job(count: 3, group: g => g["Networks"] = new JsonArray(Specimens.Network([8080]))));

        cluster.Live().Select(a => a.NodeID).Order().ShouldBe(["a", "bb"]);
        var resources = cluster.Live()[0].AllocatedResources.Shared;
        resources.Ports!.Single().ShouldBe(new AllocatedPort("p8080", 8080, 0, resources.Networks!.Single().IP));
        cluster.State.EvaluationsOf(new("default", "web")).First(e => e.Status == EvalStatus.Blocked).FailedTGAllocs!["g"].DimensionExhausted!.Keys.ShouldBe(["network: reserved port collision p8080=8080"]);
    }

    [Fact]
    public void DynamicPortsAreUniqueAndKeepOutOfWhatTheNodeReserves()
    {
        var node = Specimens.Node("a", cpu: 100_000, memory: 100_000);
        node = node with
        {
            NodeResources = node.NodeResources with { MinDynamicPort = 20000, MaxDynamicPort = 20020 },
            ReservedResources = node.ReservedResources with { Networks = new ReservedNetworks("20000-20009,20015") },
        };
        var cluster = new Cluster();
        cluster.Add(node);

        cluster.Run(Specimens.Job(count: 12, group: g => g["Networks"] = new JsonArray(Specimens.Network(dynamic: ["one"]))));

        var ports = cluster.Live().Select(a => a.AllocatedResources.Shared.Ports!.Single().Value).Order();
        ports.ShouldBe([20010, 20011, 20012, 20013, 20014, 20016, 20017, 20018, 20019, 20020]);
        cluster.State.EvaluationsOf(new("default", "web")).First(e => e.Status == EvalStatus.Blocked).FailedTGAllocs!["g"].DimensionExhausted!.Keys.ShouldBe(["network: dynamic port selection failed"]);
    }

    [Fact]
    public void AGroupKnowsItsPortsByLabelAndByNetwork()
    {
        var cluster = new Cluster();
        cluster.Add(Specimens.Node("a", address: "192.168.1.5"));

        cluster.Run(Specimens.Job(group: g => g["Networks"] = new JsonArray(Specimens.Network([9000], ["http", "admin"]))));

        var shared = cluster.Live().Single().AllocatedResources.Shared;
        shared.Ports!.Select(p => p.Label).ShouldBe(["p9000", "http", "admin"]);
        shared.Ports!.ShouldAllBe(p => p.HostIP == "192.168.1.5");
        shared.Networks!.Single().IP.ShouldBe("192.168.1.5");
        shared.Networks!.Single().DynamicPorts!.Select(p => p.Value).ShouldBe(shared.Ports!.Skip(1).Select(p => p.Value));
        shared.Ports!.Skip(1).ShouldAllBe(p => p.Value >= PortIndex.MinDynamicPort && p.Value <= PortIndex.MaxDynamicPort);
    }

    [Theory]
    [InlineData("22,80", new[] { 22, 80 })]
    [InlineData("8000-8002, 9", new[] { 8000, 8001, 8002, 9 })]
    [InlineData("", new int[0])]
    [InlineData("x,70000,5-2", new int[0])]
    public void RangesAreReadAsAgentsWriteThem(string text, int[] ports) => PortRanges.Parse(text).ShouldBe(ports);
}
