// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using System.Net;
using Nomadstack.Cluster;
using Nomadstack.Timeline;

namespace Nomadstack.Peers;

/// <summary>Everything a member does with its peers, wired together: its peer port, calls to peers, and the exchange that keeps memberships the same.</summary>
internal sealed class Peering : IAsyncDisposable
{
    private readonly Membership _membership;
    private readonly AgentIdentity _identity;
    private readonly TimeProvider _time;
    private readonly PeerHost _host;

    /// <param name="pki">Used but not owned: dispose it after this.</param>
    /// <param name="clients">What this node does for client nodes; null for nothing.</param>
    /// <param name="snapshots">What this node gives to other server nodes; null for nothing.</param>
    /// <param name="timelineFile">What happened on this node, which peers may ask for; empty for nothing.</param>
    /// <param name="seed">Seed for the order in which peers are called.</param>
    public Peering(Membership membership, Pki pki, AgentIdentity identity, TimeProvider time, int seed, SecretStore? secrets = null, IClientDesk? clients = null, ISnapshotDesk? snapshots = null, ISurveyDesk? surveys = null, ILogger? log = null, Journal? timeline = null, string timelineFile = "")
    {
        (_membership, _identity, _time) = (membership, identity, time);
        Client = new PeerClient(pki, membership, time);
        Health = new PeerHealth(time);
        Secrets = secrets ?? new SecretStore(membership);
        Sync = new AntiEntropy(membership, Client, Health, Secrets, time, seed);
        _host = new PeerHost(membership, pki, identity, new JoinDesk(membership, pki, Client, Health, time) { Timeline = timeline ?? Journal.Nowhere }, new SyncDesk(membership), Secrets, Health, time, clients, snapshots) { Surveys = surveys, TimelineFile = timelineFile };
        Whereabouts = new Whereabouts(membership, Health, FoundAsync, time, log ?? NullLogger.Instance);
    }

    /// <summary>Finds members that came back under other addresses.</summary>
    public Whereabouts Whereabouts { get; }

    public PeerClient Client { get; }

    public PeerHealth Health { get; }

    public AntiEntropy Sync { get; }

    /// <summary>Connections to the peer port without a certificate, now.</summary>
    internal int StrangersNow => _host.StrangersNow;

    public SecretStore Secrets { get; }

    /// <summary>Checks whether a running agent elsewhere is this node. To call before <see cref="StartAsync"/>, and before this node sends anything about itself.</summary>
    /// <exception cref="ProblemException"><c>agent/cloned</c>.</exception>
    public Task CheckIdentityAsync(CancellationToken cancel) => IdentityGuard.CheckAsync(_membership, Sync, Client, _identity, _time, cancel);

    /// <summary>Opens the peer port on this node's address.</summary>
    /// <exception cref="ProblemException"><c>peers/cannot-listen</c>.</exception>
    public Task StartAsync(CancellationToken cancel) =>
        _host.StartAsync(IPAddress.Parse(_membership.Node.Address), _membership.Node.Ports.Peers, cancel);

    /// <summary>Exchanges with peers until cancelled, then returns.</summary>
    public Task RunAsync(CancellationToken cancel) => Task.WhenAll(Sync.RunAsync(cancel), Whereabouts.RunAsync(cancel));

    /// <summary>Somebody says that a member is there: it is asked. If its certificate agrees, the exchange brings its new address here and ours there.</summary>
    /// <returns>Whether it was there.</returns>
    public async Task<bool> AskAtAsync(string nodeId, IPEndPoint at, CancellationToken cancel)
    {
        Client.FoundAt(nodeId, at);
        try
        {
            await Sync.ExchangeAsync(nodeId, cancel);
            return Health.Of(nodeId) is { Failures: 0, LastHeard: not null };
        }
        finally
        {
            Client.Forget(nodeId);
        }
    }

    /// <summary>Anybody in the network can say so. Only where a node of our cluster answers are calls to that member sent there.</summary>
    private async Task FoundAsync(string nodeId, IPEndPoint at, CancellationToken cancel)
    {
        if (await Client.TryAskAsync(at.Address.ToString(), at.Port, cancel) is { } answer && answer.NodeId == nodeId) await AskAtAsync(nodeId, at, cancel);
    }

    /// <summary>This node itself is always reachable; a peer until two attempts fail.</summary>
    public bool IsReachable(string nodeId) => nodeId == _membership.Node.Id || Health.IsReachable(nodeId);

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        Client.Dispose();
    }
}
