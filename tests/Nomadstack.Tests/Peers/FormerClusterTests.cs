// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

public sealed class FormerClusterTests
{
    [Fact]
    public async Task AWipedNodeFindsTheClusterThatStillCallsIt()
    {
        await using var member = await TestNode.FirstAsync();
        var wiped = Machine(member);
        member.Membership.Admit(_ => new NodeEntry { Id = Guid.NewGuid().ToString(), Name = "n2", Address = wiped.Address, Ports = wiped.Ports });
        member.Run();

        var problem = await Expect.RefusalAsync(() => FormerCluster.RefuseAsync(wiped, TimeProvider.System, CancellationToken.None));

        problem.Code.ShouldBe("bootstrap/known-elsewhere");
        problem.Unsafe.ShouldBeTrue();
        problem.What.ShouldContain(member.Pki.ClusterId);
        problem.Why.ShouldContain(member.At.ToString());
    }

    [Fact]
    public async Task AClusterThatDoesNotKnowTheMachineIsNoReason()
    {
        await using var member = await TestNode.FirstAsync();
        member.Run();

        await FormerCluster.RefuseAsync(Machine(member), TimeProvider.System, CancellationToken.None);
    }

    [Fact]
    public async Task ACallerThatIsNoAgentIsNoReason()
    {
        await using var silent = new TestNode("n1");
        var machine = Machine(silent);
        var looking = FormerCluster.RefuseAsync(machine, TimeProvider.System, CancellationToken.None);
        using var caller = new System.Net.Sockets.TcpClient();
        await caller.ConnectAsync(machine.Address, machine.Ports.Peers);

        await looking;
    }

    /// <summary>Another address, with the peer port of the cluster's nodes.</summary>
    private static NodeFile Machine(TestNode like) =>
        new() { Id = Guid.NewGuid().ToString(), Name = "n2", Address = "127.0.0.2", Ports = new PortPlan { Peers = like.File.Ports.Peers } };
}
