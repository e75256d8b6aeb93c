// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Storage;
using Shouldly;

namespace Nomadstack.Tests.Peers;

/// <summary>The clock, set wrong by a fixed amount.</summary>
internal sealed class ShiftedTime(TimeSpan shift) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + shift;
}

/// <summary>One node in this process: a data folder, real TLS on a loopback address, and no server.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private Pki? _pki;
    private Task _loop = Task.CompletedTask;

    public TestNode(string name, string address = "127.0.0.1", TimeProvider? time = null, string? folder = null, NodeFile? file = null)
    {
        Time = time ?? TimeProvider.System;
        Folder = folder ?? Directory.CreateTempSubdirectory("nomadstack-peers-").FullName;
        Paths = new NodePaths(Folder);
        File = file ?? new NodeFile { Id = Guid.NewGuid().ToString(), Name = name, Address = address, Ports = new PortPlan { Peers = FreePort(address) } };
        Membership = new Membership(Paths, File, Time);
    }

    public TimeProvider Time { get; }
    public string Folder { get; }
    public NodePaths Paths { get; }
    public NodeFile File { get; }
    public Membership Membership { get; }
    public AgentIdentity Identity { get; } = AgentIdentity.Mint("0.1.0");
    public Peering? Peering { get; private set; }

    /// <summary>What it does for client nodes, and the secrets with which; set before its port opens.</summary>
    public (IClientDesk Desk, SecretStore Secrets)? ForClients { get; set; }

    public Pki Pki => _pki!;
    public JoinAddress At => new(File.Address, File.Ports.Peers);

    /// <summary>A cluster of one whose peer port is open.</summary>
    public static async Task<TestNode> FirstAsync(string name = "n1", string address = "127.0.0.1", TimeProvider? time = null, Action<TestNode>? before = null)
    {
        var node = new TestNode(name, address, time);
        var clusterId = Guid.NewGuid().ToString();
        using (var pki = Pki.Mint(node.Paths, clusterId, node.File, node.Time))
        {
            var self = new NodeEntry { Id = node.File.Id, Name = name, Address = address, Ports = node.File.Ports, KeyPin = pki.KeyPin, Version = "0.1.0" };
            node.Membership.Create(new ClusterDocument { ClusterId = clusterId, CreatedAt = node.Time.GetUtcNow(), CaPin = pki.CaPin, Nodes = new Dictionary<string, NodeEntry> { [self.Id] = self } });
        }

        before?.Invoke(node);
        await node.OpenAsync();
        return node;
    }

    public string Token(TimeSpan? ttl = null) => Membership.CreateToken(ttl).Reveal();

    public Task<JoinOutcome> JoinAsync(JoinAddress at, string token) =>
        Joining.JoinAsync(at, token, Membership, Paths, "0.1.0", Time, CancellationToken.None);

    public void WirePeering(int seed = 1)
    {
        _pki = Pki.Load(Paths, File, Time);
        Peering = new Peering(Membership, _pki, Identity, Time, seed, ForClients?.Secrets, ForClients?.Desk);
    }

    public async Task OpenAsync()
    {
        WirePeering();
        await Peering!.StartAsync(CancellationToken.None);
    }

    public void Run() => _loop = Peering!.RunAsync(_stop.Token);

    /// <summary>Joins the other's cluster and opens its own port.</summary>
    public async Task EnterAsync(TestNode member)
    {
        await JoinAsync(member.At, member.Token());
        await OpenAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        if (Peering is not null) await Peering.DisposeAsync();
        _pki?.Dispose();
        _stop.Dispose();
        if (Directory.Exists(Folder)) Directory.Delete(Folder, recursive: true);
    }

    public static int FreePort(string address)
    {
        using var listener = new TcpListener(IPAddress.Parse(address), 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

internal static class Expect
{
    /// <summary>The refusal's code; it must come in time.</summary>
    public static async Task<Problem> RefusalAsync(Func<Task> act)
    {
        var clock = Stopwatch.StartNew();
        var refused = await Should.ThrowAsync<ProblemException>(act);
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(10));
        refused.Problem.Why.ShouldNotBeEmpty();
        refused.Problem.Fix.ShouldNotBeEmpty();
        return refused.Problem;
    }

    public static async Task EventuallyAsync(string what, TimeSpan deadline, Func<bool> condition)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            clock.Elapsed.ShouldBeLessThan(deadline, what);
            await Task.Delay(5);
        }
    }
}
