// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Nomad;
using Nomadstack.Products;
using Nomadstack.Storage;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Nomad;

/// <summary>What the rendered configurations make a real Nomad do. Skipped where there is none.</summary>
public sealed class RealNomadTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SkippableFact]
    public async Task AServerStartsLeadsIsMovedAndLeaves()
    {
        Skip.IfNot(RealAgent.Has("nomad"), "no nomad program on PATH");
        var ports = Ports();
        var jobFolder = _folder.Sub("job");
        Directory.CreateDirectory(Path.Combine(jobFolder, "data", "server"));
        var raftId = Guid.NewGuid().ToString();
        await File.WriteAllTextAsync(Path.Combine(jobFolder, "data", "server", "node-id"), raftId);

        var first = NomadServerConfig.For(Role.Site(Role.Nomad, _folder.Sub("boot"), ports, "127.0.0.1", bootstrap: true, "n1-bootstrap"), [$"127.0.0.1:{ports.Of("nomadServerSerf")}"]) with { Bootstrap = true, MinQuorum = 1, ServerStabilizationTime = TimeSpan.FromSeconds(1) };
        var second = NomadServerConfig.For(Role.Site(Role.Nomad, jobFolder, ports, "127.0.0.1"), []);
        await using var boot = RealAgent.Start("nomad", _folder.Path, first.Render());
        var bootApi = new NomadApi(Role.Endpoint(ports.Of("nomadBootstrapHttp")), TimeProvider.System);
        await boot.EventuallyAsync("the bootstrap server leads", async () => await bootApi.LeaderAsync(NomadApi.Quick, default) == $"127.0.0.1:{ports.Of("nomadBootstrapRpc")}");
        (await bootApi.BarrierAsync(NomadApi.WithLeader, default)).ShouldBeOfType<Answer<Done>.Ok>();
        (await bootApi.ConsistentReadAsync(NomadApi.WithLeader, default)).ShouldBeOfType<Answer<long>.Ok>();
        (await bootApi.GetAutopilotConfigurationAsync(NomadApi.WithLeader, default)).Try(out var autopilot).ShouldBeTrue();
        autopilot!.MinQuorum.ShouldBe(1);
        autopilot.ServerStabilizationTime.ShouldBe(TimeSpan.FromSeconds(1));
        (await bootApi.PutAutopilotConfigurationAsync(autopilot.With(minQuorum: 3), NomadApi.WithLeader, default)).Try(out var written).ShouldBeTrue();
        written.ShouldBeTrue();
        (await bootApi.PutAutopilotConfigurationAsync(autopilot.With(minQuorum: 5), NomadApi.WithLeader, default)).Try(out written).ShouldBeTrue();
        written.ShouldBeFalse();

        // No join list and no call: the bootstrap server finds the job server by itself.
        await using var job = RealAgent.Start("nomad", jobFolder, second.Render());
        var jobApi = new NomadApi(Role.Endpoint(ports.Of("nomadServerHttp")), TimeProvider.System);
        await job.EventuallyAsync("the job server votes", async () =>
            (await bootApi.RaftConfigurationAsync(true, NomadApi.Quick, default)).Try(out var raft) && raft.Voters.Any(v => v.ID == raftId && v.Address == $"127.0.0.1:{ports.Of("nomadServerRpc")}"));
        (await jobApi.AgentSelfAsync(NomadApi.Quick, default)).Try(out var self).ShouldBeTrue();
        self!.ServerId.ShouldBe(raftId);
        self.MemberName.ShouldBe("n1-server.global");
        self.Raft!.ProtocolVersion.ShouldBe(3);
        self.Raft.Peers.Count.ShouldBe(2);
        (await jobApi.AutopilotHealthAsync(NomadApi.WithLeader, default)).Try(out var health).ShouldBeTrue();
        health!.Servers.Count.ShouldBe(2);
        (await bootApi.TransferLeadershipAsync(raftId, NomadApi.WithLeader, default)).ShouldNotBeOfType<LeadershipTransfer.Failed>();
        (await jobApi.MembersAsync(NomadApi.Quick, default)).Try(out var members).ShouldBeTrue();
        members!.Select(m => m.RpcAddress).Order().ShouldBe(new[] { $"127.0.0.1:{ports.Of("nomadBootstrapRpc")}", $"127.0.0.1:{ports.Of("nomadServerRpc")}" }.Order());

        boot.Signal(2);
        await boot.ExitAsync();

        await job.EventuallyAsync("the job server leads alone", async () =>
            (await jobApi.RaftConfigurationAsync(false, NomadApi.WithLeader, default)).Try(out var raft) && raft.Servers.Count == 1 && raft.Leader?.ID == raftId);
        (await jobApi.MembersAsync(NomadApi.Quick, default)).Try(out members).ShouldBeTrue();
        members!.Single(m => m.Name == "n1-bootstrap.global").Status.ShouldBe("left");
    }

    [SkippableFact]
    public async Task AClientStartsAndFindsItsServer()
    {
        Skip.IfNot(RealAgent.Has("nomad"), "no nomad program on PATH");
        var ports = Ports();
        await using var server = RealAgent.Start("nomad", _folder.Sub("s"), (NomadServerConfig.For(Role.Site(Role.Nomad, _folder.Sub("s"), ports, "127.0.0.1"), []) with { Bootstrap = true }).Render());
        var serverApi = new NomadApi(Role.Endpoint(ports.Of("nomadServerHttp")), TimeProvider.System);
        await server.EventuallyAsync("the server leads", async () => await serverApi.LeaderAsync(NomadApi.Quick, default) is not null);

        var nodeId = Guid.NewGuid().ToString();
        var configuration = NomadClientConfig.For(Role.Row(Role.Nomad), new NodeFile { Id = nodeId, Name = "n1", Address = "127.0.0.1", Ports = ports }, _folder.Sub("c/data"), _folder.Sub("plugins")) with
        {
            Servers = [$"127.0.0.1:{ports.Of("nomadServerRpc")}"],
            NetworkInterface = "lo",
        };
        await using var client = RealAgent.Start("nomad", _folder.Sub("c"), configuration.Render());
        var api = new NomadApi(Role.Endpoint(ports.Of("nomadClientHttp")), TimeProvider.System);
        NodeFacts? node = null;
        await client.EventuallyAsync("the node is ready", async () => (await api.NodesAsync(NomadApi.WithLeader, default)).Try(out var nodes) && (node = nodes.SingleOrDefault()) is { Ready: true });
        (await api.AgentSelfAsync(NomadApi.Quick, default)).Try(out var self).ShouldBeTrue();
        self!.ClientNodeId.ShouldBe(node!.ID);
        self.KnownServers.ShouldBe([$"127.0.0.1:{ports.Of("nomadServerRpc")}"]);
        (await api.NodeAsync(node.ID, NomadApi.WithLeader, default)).Try(out var whole).ShouldBeTrue();
        whole!.Meta["nomadstack.node_id"].ShouldBe(nodeId);
        whole.Drivers["raw_exec"].Healthy.ShouldBeTrue();
        client.Log.ShouldNotContain("169.254.169.254");

        (await api.EligibilityAsync(node.ID, false, NomadApi.WithLeader, default)).ShouldBeOfType<Answer<Done>.Ok>();
        (await api.NodeAsync(node.ID, NomadApi.WithLeader, default)).Try(out whole).ShouldBeTrue();
        whole!.Eligible.ShouldBeFalse();
        (await api.DrainAsync(node.ID, null, markEligible: true, NomadApi.WithLeader, default)).ShouldBeOfType<Answer<Done>.Ok>();
        (await api.NodeAsync(node.ID, NomadApi.WithLeader, default)).Try(out whole).ShouldBeTrue();
        whole!.Eligible.ShouldBeTrue();

        // Nomad takes the job as it is, gives it back sound, and guards it by its index.
        var job = new ServerJob { Product = Role.Row(Role.Nomad), Count = 1, Ports = ports };
        var registered = (await api.RegisterJobAsync(job.Render(), 0, NomadApi.WithLeader, default)).ShouldBeOfType<JobRegistration.Registered>();
        (await api.RegisterJobAsync(job.Render(), 0, NomadApi.WithLeader, default)).ShouldBeOfType<JobRegistration.Conflict>();
        (await api.JobAsync("nomad-server", NomadApi.WithLeader, default)).Try(out var facts).ShouldBeTrue();
        facts!.Count.ShouldBe(1);
        facts.JobModifyIndex.ShouldBe(registered.JobModifyIndex);
        facts.Meta[ServerJob.SchemaKey].ShouldBe("2");
        ServerJobLint.Check(facts.Raw).ShouldBeEmpty();
        (await api.RegisterJobAsync((job with { Count = 3 }).Render(), facts.JobModifyIndex, NomadApi.WithLeader, default)).ShouldBeOfType<JobRegistration.Registered>();
        (await api.RegisterJobAsync("""{"ID":"broken"}""", null, NomadApi.WithLeader, default)).ShouldBeOfType<JobRegistration.Refused>();
        (await api.AllocationsAsync("nomad-server", NomadApi.WithLeader, default)).Try(out var allocations).ShouldBeTrue();
        // There is no such driver here.
        allocations!.ShouldBeEmpty();
        (await api.EvaluateJobAsync("nomad-server", false, NomadApi.WithLeader, default)).ShouldBeOfType<Answer<string>.Ok>();
        (await api.StopJobAsync("nomad-server", purge: true, NomadApi.WithLeader, default)).ShouldBeOfType<Answer<Done>.Ok>();
        (await api.JobAsync("nomad-server", NomadApi.WithLeader, default)).ShouldBe(new Answer<JobFacts?>.Ok(null));
        (await api.SystemGcAsync(NomadApi.WithLeader, default)).ShouldBeOfType<Answer<Done>.Ok>();

        // SIGTERM must leave nothing behind and nothing undone.
        client.Signal(15);
        await client.ExitAsync();
    }

    internal static PortPlan Ports() => Role.FreePorts(RealAgent.FreePort, Role.Nomad);
}
