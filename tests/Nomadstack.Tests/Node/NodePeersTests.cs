// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Bootstrap;
using Nomadstack.Cluster;
using Nomadstack.Node;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Storage;
using Nomadstack.Tests.Peers;
using Nomadstack.Tests.Processes;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Node;

public sealed class NodePeersTests
{
    [Fact]
    public async Task ACertificateThatGrowsOldUnderARunningAgentIsRenewedAndPeersAreAnsweredOn()
    {
        var time = new PassingMinutes();
        var paths = new NodePaths(Directory.CreateTempSubdirectory("nomadstack-renewal-").FullName);
        var file = new NodeFile { Id = Guid.NewGuid().ToString(), Name = "n1", Address = "127.0.0.3", Ports = new PortPlan { Peers = TestNode.FreePort("127.0.0.3") } };
        using var peers = new NodePeers(new NodeContext(file, paths, new Membership(paths, file, time), ProductTable.Known, time, NullLoggerFactory.Instance), "0.1.0", new NodePrograms(paths, ProductTable.Known, new Dictionary<string, IReadOnlyList<ProductProgram>> { [Role.Nomad] = [new(Role.Nomad, "/bin/nomad", [], new(1, 10, 0))] }, () => null));
        using var agent = new CancellationTokenSource();
        await peers.MintAsync(new ClusterRequest(1, [Role.Nomad], Secure: true), null, agent.Token);
        var running = peers.RunAsync(agent.Token);
        var first = await File.ReadAllTextAsync(PkiFiles.NodeCertificate(paths));

        time.Leap(TimeSpan.FromDays(300));

        await ProcessFolder.Eventually("the certificate is another one", () => File.ReadAllText(PkiFiles.NodeCertificate(paths)) != first);
        await ProcessFolder.Eventually("the peer port answers", () => Joining.ClusterAtAsync(new JoinAddress(file.Address, file.Ports.Peers), time, default).Result is not null);
        running.IsCompleted.ShouldBeFalse();
        await agent.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => running);
        await peers.StopAsync();
        Directory.Delete(paths.Data, recursive: true);
    }

    [Fact]
    public async Task AClientNodesCertificateIsRenewedByAServerNodeAlsoWhenItEndedWhileTheNodeWasOff()
    {
        var time = new PassingMinutes();
        var (server, client) = (New("n1", "127.0.0.4", time), New("n2", "127.0.0.5", time));
        await server.Peers.MintAsync(new ClusterRequest(1, [Role.Nomad], Secure: true), null, CancellationToken.None);
        var tokenFile = Path.Combine(client.Context.Paths.Data, "token");
        await File.WriteAllTextAsync(tokenFile, server.Peers.CreateToken(TimeSpan.FromDays(1), null, client: true).Token);
        await client.Peers.JoinAsync($"{server.Context.Node.Address}:{server.Context.Node.Ports.Peers}", tokenFile, CancellationToken.None);
        await client.Peers.StartAsync(CancellationToken.None);
        using var agent = new CancellationTokenSource();
        var (serving, running) = (server.Peers.RunAsync(agent.Token), client.Peers.RunAsync(agent.Token));
        var first = await File.ReadAllTextAsync(PkiFiles.NodeCertificate(client.Context.Paths));

        // Under the running agent, as a third is left.
        time.Leap(TimeSpan.FromDays(300));
        await ProcessFolder.Eventually("the certificate is another one", () => File.ReadAllText(PkiFiles.NodeCertificate(client.Context.Paths)) != first);
        await ProcessFolder.Eventually("the server node hears it", () => server.Peers.IsReachable(client.Context.Node.Id) && client.Peers.IsReachable(server.Context.Node.Id));

        // And after its end.
        await agent.CancelAsync();
        foreach (var loop in new[] { serving, running }) await Should.ThrowAsync<OperationCanceledException>(() => loop);
        await client.Peers.StopAsync();
        await server.Peers.StopAsync();
        time.Leap(TimeSpan.FromDays(500));
        await server.Peers.StartAsync(CancellationToken.None);
        await client.Peers.StartAsync(CancellationToken.None);

        using (var pki = Pki.Load(client.Context.Paths, client.Context.Node, time)) pki.Counts(time.GetUtcNow()).ShouldBeTrue();
        foreach (var node in new[] { client, server })
        {
            await node.Peers.StopAsync();
            node.Peers.Dispose();
            Directory.Delete(node.Context.Paths.Data, recursive: true);
        }
    }

    private static (NodeContext Context, NodePeers Peers) New(string name, string address, TimeProvider time)
    {
        var paths = new NodePaths(Directory.CreateTempSubdirectory("nomadstack-renewal-").FullName);
        var file = new NodeFile { Id = Guid.NewGuid().ToString(), Name = name, Address = address, Ports = new PortPlan { Peers = TestNode.FreePort(address) } };
        var context = new NodeContext(file, paths, new Membership(paths, file, time), ProductTable.Known, time, NullLoggerFactory.Instance);
        return (context, new NodePeers(context, "0.1.0", new NodePrograms(paths, ProductTable.Known, new Dictionary<string, IReadOnlyList<ProductProgram>> { [Role.Nomad] = [new(Role.Nomad, "/bin/nomad", [], new(1, 10, 0))] }, () => null)));
    }

    /// <summary>A clock on which a minute of waiting passes at once, and that can leap ahead.</summary>
    private sealed class PassingMinutes : TimeProvider
    {
        private TimeSpan _ahead;

        public void Leap(TimeSpan by) => _ahead += by;

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + _ahead;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime >= TimeSpan.FromMinutes(1) ? TimeSpan.FromMilliseconds(10) : dueTime, period);
    }
}
