// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Consul;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Storage;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Consul;

/// <summary>What the rendered configurations make a real Consul do. Skipped where there is none.</summary>
public sealed class RealConsulTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SkippableFact]
    public async Task AServerStartsLeadsIsMovedAndLeavesBesideAClient()
    {
        Skip.IfNot(RealAgent.Has("consul"), "no consul program on PATH");
        var version = (await new ProgramProbe(TimeProvider.System).ProbeAsync(Role.Row(Role.Consul), null, null, null, default)).OrThrow().Version;
        var ports = Role.FreePorts(RealAgent.FreePort, Role.Consul);
        var raftId = Guid.NewGuid().ToString();
        await File.WriteAllTextAsync(Path.Combine(_folder.Sub("job/data"), "node-id"), raftId);

        var first = ConsulServerConfig.For(Role.Site(Role.Consul, _folder.Sub("boot"), ports, "127.0.0.1", bootstrap: true, "n1-bootstrap"), [$"127.0.0.1:{ports.Of("consulServerSerf")}"], version) with { Bootstrap = true, MinQuorum = 1, ServerStabilizationTime = TimeSpan.FromSeconds(1) };
        await using var boot = RealAgent.Start("consul", _folder.Sub("boot"), first.Render());
        var bootApi = new ConsulApi(Role.Endpoint(ports.Of("consulBootstrapHttp")), TimeProvider.System);
        await boot.EventuallyAsync("the bootstrap server leads", async () => await bootApi.LeaderAsync(ConsulApi.Quick, default) == $"127.0.0.1:{ports.Of("consulBootstrapRpc")}");
        await boot.EventuallyAsync("a write is accepted", async () => (await bootApi.PutKeyAsync("a/b c", "1", ConsulApi.WithLeader, default)).Try(out var put) && put);
        (await bootApi.GetAutopilotConfigurationAsync(ConsulApi.WithLeader, default)).Try(out var autopilot).ShouldBeTrue();
        autopilot!.MinQuorum.ShouldBe(1);
        (await bootApi.PutAutopilotConfigurationAsync(autopilot.With(minQuorum: 3), ConsulApi.WithLeader, default)).Try(out var written).ShouldBeTrue();
        written.ShouldBeTrue();
        (await bootApi.PutAutopilotConfigurationAsync(autopilot.With(minQuorum: 5), ConsulApi.WithLeader, default)).Try(out written).ShouldBeTrue();
        written.ShouldBeFalse();
        (await bootApi.BarrierAsync(ConsulApi.WithLeader, default)).ShouldBeOfType<Answer<Done>.Ok>();

        await using var job = RealAgent.Start("consul", _folder.Sub("job"), ConsulServerConfig.For(Role.Site(Role.Consul, _folder.Sub("job"), ports, "127.0.0.1"), [], version).Render());
        var clientConfig = ConsulClientConfig.For(Role.Row(Role.Consul), new NodeFile { Id = Guid.NewGuid().ToString(), Name = "n1", Address = "127.0.0.1", Ports = ports }, _folder.Sub("client/data"), version) with { Join = [$"127.0.0.1:{ports.Of("consulServerSerf")}"] };
        await using var client = RealAgent.Start("consul", _folder.Sub("client"), clientConfig.Render());
        var jobApi = new ConsulApi(Role.Endpoint(ports.Of("consulServerHttp")), TimeProvider.System);
        var clientApi = new ConsulApi(Role.Endpoint(ports.Of("consulClientHttp")), TimeProvider.System);
        await job.EventuallyAsync("the job server votes", async () => (await bootApi.RaftConfigurationAsync(true, ConsulApi.Quick, default)).Try(out var raft) && raft.Voters.Any(v => v.ID == raftId), seconds: 45);
        (await jobApi.AgentSelfAsync(ConsulApi.Quick, default)).Try(out var self).ShouldBeTrue();
        self!.ServerId.ShouldBe(raftId);
        self.Server.ShouldBeTrue();
        self.Raft!.Peers.Count.ShouldBe(2);
        (await jobApi.AutopilotHealthAsync(ConsulApi.WithLeader, default)).Try(out var health).ShouldBeTrue();
        health!.Servers.Count.ShouldBe(2);
        (await bootApi.TransferLeadershipAsync(raftId, ConsulApi.WithLeader, default)).ShouldNotBeOfType<LeadershipTransfer.Failed>();

        await bootApi.LeaveAsync(ConsulApi.Leaving, default);
        await boot.ExitAsync();

        await job.EventuallyAsync("the job server leads alone", async () =>
            (await jobApi.RaftConfigurationAsync(false, ConsulApi.WithLeader, default)).Try(out var raft) && raft.Servers.Count == 1 && raft.Leader?.ID == raftId);
        await client.EventuallyAsync("the client reads what was written before", async () => (await clientApi.GetKeyAsync("a/b c", ConsulApi.WithLeader, default)).Try(out var value) && value == "1");
        (await clientApi.GetKeyAsync("none", ConsulApi.WithLeader, default)).ShouldBe(new Answer<string?>.Ok(null));
        (await clientApi.MembersAsync(ConsulApi.Quick, default)).Try(out var members).ShouldBeTrue();
        members!.Single(m => m.Name == "n1").Server.ShouldBeFalse();
        members!.Single(m => m.Name == "n1-server").RpcAddress.ShouldBe($"127.0.0.1:{ports.Of("consulServerRpc")}");

        // A signal stops a client and takes it out of nothing.
        client.Signal(2);
        await client.ExitAsync();
        (await jobApi.MembersAsync(ConsulApi.Quick, default)).Try(out members).ShouldBeTrue();
        members!.Single(m => m.Name == "n1").Status.ShouldNotBe("left");
    }
}
