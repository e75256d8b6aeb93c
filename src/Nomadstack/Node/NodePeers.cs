// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Microsoft.Extensions.Logging;
using Nomadstack.Api;
using Nomadstack.Bootstrap;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Recovery;
using Nomadstack.Storage;
using Nomadstack.Timeline;

namespace Nomadstack.Node;

/// <summary>
/// This node's part in the membership: creates it at bootstrap, enters it at a join, and exchanges it with peers while the agent runs.
/// </summary>
internal sealed partial class NodePeers(NodeContext context, string version, NodePrograms programs) : IDisposable
{
    /// <summary>A clock that was set right shows within it. A look costs a millisecond.</summary>
    private static readonly TimeSpan s_renewalCheck = TimeSpan.FromMinutes(1);

    private readonly AgentIdentity _identity = AgentIdentity.Mint(version);
    private readonly ILogger _log = context.Logs.CreateLogger<NodePeers>();
    private bool _listens, _toldClock;
    private Pki? _pki;
    private Peering? _peering;
    private Task _exchange = Task.CompletedTask;
    private CancellationTokenSource _stop = new();

    private readonly TaskCompletionSource<Problem> _removed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when this node's peers say that it was removed.</summary>
    public Task<Problem> Removed => _removed.Task;

    /// <summary>Makes the certificate authority, the certificate and the cluster document, in this order. The cluster exists once the document does. Repeatable.</summary>
    /// <exception cref="ProblemException"><c>bootstrap/known-elsewhere</c>: a cluster already has this machine as one of its nodes.</exception>
    /// <param name="restoration">What the cluster is made from; null for nothing.</param>
    public async Task MintAsync(ClusterRequest request, Restoration? restoration, CancellationToken cancel)
    {
        if (restoration is not null)
        {
            if (context.Membership.Current is null) await FormerCluster.RefuseAsync(context.Node, context.Time, cancel);
            await restoration.SeedAsync(Self, cancel);
            await StartAsync(cancel);
            return;
        }

        if (context.Membership.Current is null)
        {
            await FormerCluster.RefuseAsync(context.Node, context.Time, cancel);
            using var pki = Pki.Mint(context.Paths, Guid.NewGuid().ToString(), context.Node, context.Time);
            context.Membership.Create(new ClusterDocument
            {
                ClusterId = pki.ClusterId,
                CreatedAt = context.Time.GetUtcNow(),
                CaPin = pki.CaPin,
                FirstMaxServers = request.Servers,
                FirstWhole = context.Table.Stack.Where(p => p is { InFirstRelease: true, Schedules: false }).All(p => request.Products.Contains(p.Name)),
                FirstEngine = programs.For(context.Table.Scheduler, null).Kind,
                Nodes = new Dictionary<string, NodeEntry> { [context.Node.Id] = Self(pki) },
            });
        }

        await StartAsync(cancel);
        context.Trust.Mint(request.Secure);
    }

    /// <summary>Asks a member to admit this node. When this returns, the membership is on disk.</summary>
    /// <exception cref="ProblemException"><c>join/*</c>, or the token file cannot be read.</exception>
    public async Task JoinAsync(string host, string tokenFile, CancellationToken cancel)
    {
        string token;
        try
        {
            token = (await File.ReadAllTextAsync(tokenFile, cancel)).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(new("join/token-file", $"The token file {tokenFile} cannot be read.", e.Message, "Write the output of `nomadstack token create` into a file, and name that file with --token-file."), e);
        }

        await Joining.JoinAsync(JoinAddress.Parse(host), token, context.Membership, context.Paths, version, context.Time, cancel);
    }

    /// <summary>
    /// Begins to answer peers, after a check that no other running agent is this node. Repeatable.
    /// </summary>
    /// <exception cref="ProblemException"><c>agent/cloned</c>, <c>peers/cannot-listen</c>, <c>peers/clock</c>.</exception>
    public async Task StartAsync(CancellationToken cancel)
    {
        if (_peering is not null) return;
        Listen();
        _pki = await LoadAsync(cancel);
        var peering = new Peering(context.Membership, _pki, _identity, context.Time, Random.Shared.Next(), context.Trust.Secrets, Clients, Snapshots, Surveys, context.Logs.CreateLogger<Whereabouts>(), context.Timeline, context.Paths.Timeline);
        peering.Health.Changed += TellContact;
        peering.Health.Disk = Disk;
        peering.Health.Removed += problem => _removed.TrySetResult(problem);
        await peering.CheckIdentityAsync(cancel);
        await peering.StartAsync(cancel);
        _peering = peering;
        // The address may have changed while this node had no servers, and nomadstack may be a newer version.
        context.Membership.UpdateSelf(self => self with { Address = context.Node.Address, Ports = context.Node.Ports, Version = version });
        context.Membership.Vouch();
        _exchange = peering.RunAsync(_stop.Token);
    }

    /// <summary>Runs the exchange that keeps memberships the same. It begins at the start and goes on while a cold boot waits.</summary>
    /// <remarks>A certificate is valid for a year, and an agent may run longer. A certificate that is due is renewed here; meanwhile there are no peers for a moment.</remarks>
    public async Task RunAsync(CancellationToken cancel)
    {
        while (true)
        {
            if (await Task.WhenAny(_exchange, Task.Delay(s_renewalCheck, context.Time, cancel)) == _exchange)
            {
                await _exchange;
                return;
            }

            cancel.ThrowIfCancellationRequested();
            if (_pki is not { } pki || !pki.IsDue(context.Node, context.Time.GetUtcNow()) || await IsClockOffAsync(cancel)) continue;
            if (!pki.CanSign && !await AskForCertificateAsync(pki, cancel)) continue;
            await StopAsync();
            await StartAsync(cancel);
            context.Timeline.Tell(EventKinds.CertificateRenewed, "The certificate that this node shows its peers was renewed.");
        }
    }

    /// <summary>A certificate of a clock in the future would be valid for nobody else, and the old one still is.</summary>
    private async Task<Pki> LoadAsync(CancellationToken cancel)
    {
        var pki = Pki.Load(context.Paths, context.Node, context.Time, mayIssue: false);
        if (!pki.IsDue(context.Node, context.Time.GetUtcNow()) || await IsClockOffAsync(cancel)) return pki;
        // One that still counts is renewed once peers are answered: they may have to learn this node's address first.
        if (!pki.CanSign && (pki.Counts(context.Time.GetUtcNow()) || !await AskForCertificateAsync(pki, cancel))) return pki;
        pki.Dispose();
        return Pki.Load(context.Paths, context.Node, context.Time);
    }

    private async Task<bool> IsClockOffAsync(CancellationToken cancel)
    {
        var clocks = await PeerClocks.AskAsync(context.Membership.Others, context.Time, cancel);
        if (clocks.Own is null) return false;
        if (!_toldClock) _log.LogError("This node's certificate is to be renewed, but {Clock}. The old one is kept until the clock is right", clocks.InWords());
        _toldClock = true;
        return true;
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _exchange;
        if (_peering is not null) await _peering.DisposeAsync();
        _pki?.Dispose();
        _stop.Dispose();
        (_peering, _pki, _stop, _exchange) = (null, null, new CancellationTokenSource(), Task.CompletedTask);
    }

    public void Dispose() => _stop.Dispose();

    /// <summary>This node's disk, which its peers are told.</summary>
    public Func<DiskSpace?> Disk { get; init; } = () => null;

    /// <summary>What this node does for client nodes.</summary>
    public IClientDesk? Clients { get; set; }

    /// <summary>What this node tells of its raft data.</summary>
    public ISurveyDesk? Surveys { get; set; }

    /// <summary>The raft data of the server nodes that answer, this one's included. Those that do not answer are left out.</summary>
    public async Task<IReadOnlyList<NodeSurvey>> SurveyAsync(CancellationToken cancel)
    {
        var own = Surveys is { } desk ? [await desk.SurveyAsync(cancel)] : Array.Empty<NodeSurvey>();
        if (_peering is not { } peering) return own;
        return [.. own, .. (await Task.WhenAll(context.Membership.Others.Where(n => n.IsServer && peering.IsReachable(n.Id)).ToList().Select(n => AskAsync(n.Id, n.Name)))).OfType<NodeSurvey>()];

        async Task<NodeSurvey?> AskAsync(string id, string name)
        {
            try
            {
                // A node speaks for itself, whatever it writes into the answer.
                return await peering.Client.SurveyAsync(id, cancel) with { NodeId = id };
            }
            catch (ProblemException e)
            {
                _log.LogInformation("Node {Node} does not tell its raft data: {Problem}", name, e.Problem);
                return e.Problem.Code == PeerProblems.NoSuchRouteCode ? new(id, name, []) { IsTooOld = true } : null;
            }
        }
    }

    /// <summary>Asks for a member at an address that a person names.</summary>
    /// <exception cref="ProblemException"><c>node/not-there</c>.</exception>
    public async Task FindAsync(NodeEntry node, IPEndPoint at, CancellationToken cancel)
    {
        if (_peering is not { } peering || !await peering.AskAtAsync(node.Id, at, cancel)) throw new ProblemException(NodeProblems.NotThere(node.Name, at.ToString(), _peering?.Health.Of(node.Id).LastError));
    }

    /// <summary>What this node gives to other server nodes. To be set before <see cref="StartAsync"/>.</summary>
    public ISnapshotDesk? Snapshots { get; set; }

    /// <summary>Calls to peers; null before <see cref="StartAsync"/> and on the way to a new certificate.</summary>
    public PeerClient? Calls => _peering?.Client;

    /// <summary>How the clocks of the nodes lie to each other; null while there are no peers.</summary>
    public PeerClocks? Clocks => _peering?.Health.Clocks(context.Membership.Others);

    /// <summary>What a peer last said of its disk.</summary>
    public DiskSpace? DiskOf(string nodeId) => _peering?.Health.DiskOf(nodeId);

    /// <summary>Why a peer does not answer, where more is known than that.</summary>
    public Problem? WhySilent(string nodeId) => _peering?.Health.Of(nodeId).LastError is { Code: PeerProblems.LargePacketsLostCode } why ? why : null;

    public bool IsReachable(string nodeId) => _peering?.IsReachable(nodeId) ?? nodeId == context.Node.Id;

    /// <summary>Long enough for the machines that are set up today; whoever finds the file tomorrow finds nothing.</summary>
    internal static readonly TimeSpan TokenLife = TimeSpan.FromHours(24);

    /// <param name="timeToLive">Null for <see cref="TokenLife"/>.</param>
    /// <exception cref="ProblemException"><c>token/*</c>, <c>peers/no-cluster</c>.</exception>
    /// <param name="client">Whether it lets nodes in as client nodes.</param>
    public TokenCreated CreateToken(TimeSpan? timeToLive, int? uses, bool client)
    {
        if (uses is < 1 or > MembershipRules.MaxNodes) throw new ProblemException(TokenProblems.Uses(uses.Value));
        if (timeToLive is { Ticks: <= 0 }) throw new ProblemException(TokenProblems.Life(timeToLive.Value));
        if (client && context.Membership.Current?.Nodes.Values.FirstOrDefault(n => n.IsReleased) is { } older) throw new ProblemException(TokenProblems.OlderAgents(older.Name));
        var token = context.Membership.CreateToken(timeToLive ?? TokenLife, uses, client);
        return new(token.Id, token.Reveal(), context.Membership.Current!.Tokens[token.Id].ExpiresAt);
    }

    public void RevokeToken(string id) => context.Membership.RevokeToken(id);

    public void Remove(string nodeId)
    {
        var name = NameOf(nodeId);
        context.Membership.RemoveNode(nodeId);
        context.Timeline.Tell(EventKinds.Removal, $"{name} was removed from the cluster, as asked here.", (EventFields.Peer, name));
    }

    /// <summary>Logs what peers sent and was refused, and what was moved out of the file.</summary>
    private void Listen()
    {
        if (_listens) return;
        _listens = true;
        context.Membership.Changed += () =>
        {
            // The removal itself came with an exchange: as good as being told by those who refuse us.
            if (context.Membership.Self is { Removed: true, Signed: not null }) _removed.TrySetResult(NodeProblems.Removed(context.Node.Name));
        };
        foreach (var entry in context.Membership.Quarantined) LogPutAside(_log, entry.Name, entry.Key, entry.Why, context.Paths.Quarantine);
        context.Membership.Refusals.Told += problem => LogRefused(_log, problem.What, problem.Why, problem.Fix);
    }

    [LoggerMessage(EventName = "peers-refused", Level = LogLevel.Warning, Message = "{What} {Why} {Fix}")]
    private static partial void LogRefused(ILogger log, string what, string why, string fix);

    [LoggerMessage(EventName = "membership-entry-put-aside", Level = LogLevel.Warning, Message = "The entry of {Name} in cluster.json cannot be used ({Key}: {Why}). It was moved to {File}. The agent runs without it.")]
    private static partial void LogPutAside(ILogger log, string name, string key, string why, string file);

    private NodeEntry Self(Pki pki) => new()
    {
        Id = context.Node.Id,
        Name = context.Node.Name,
        Address = context.Node.Address,
        Ports = context.Node.Ports,
        Version = version,
        KeyPin = pki.KeyPin,
    };
}
