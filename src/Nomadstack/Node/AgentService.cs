// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Life;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Recovery;
using Nomadstack.Securing;
using Nomadstack.Snapshots;
using Nomadstack.Timeline;

namespace Nomadstack.Node;

/// <summary>The local API's calls, each handed to the part that owns it.</summary>
internal sealed class AgentService(DaemonParts parts, Daemon daemon, StopRequest stop, Lifetime life) : IAgentService
{
    public Task<StatusDocument> StatusAsync(CancellationToken cancel) => parts.Status.ReadAsync(cancel);

    public Task<Operation> BootstrapAsync(BootstrapRequest request, CancellationToken cancel) => Task.FromResult(daemon.Bootstrap(request));

    public IReadOnlyList<Operation> Operations() => parts.Operations.All;

    public Operation? Operation(string id) => parts.Operations.Find(id)?.Current;

    public Task<TokenCreated> CreateTokenAsync(TokenRequest request, CancellationToken cancel) =>
        Task.FromResult(OnAServerNode("make a join token").Peers.CreateToken(request.TimeToLiveSeconds is { } s ? TimeSpan.FromSeconds(s) : null, request.Uses, request.Client));

    public IReadOnlyList<TokenStatus> Tokens() =>
        [.. (Context.Membership.Current?.Tokens.Values.Where(t => !Peers.Carriers.IsCarrier(t.Id)) ?? []).OrderBy(t => t.CreatedAt).Select(t => new TokenStatus(t.Id, t.CreatedAt, t.ExpiresAt, t.Revoked, t.Uses, Context.Membership.Current!.Nodes.Values.Count(n => n.JoinedWith == t.Id)) { Kind = t.Kind ?? Peers.NodeKind.Server })];

    public Task RevokeTokenAsync(string id, CancellationToken cancel)
    {
        OnAServerNode("revoke a join token").Peers.RevokeToken(id);
        return Task.CompletedTask;
    }

    public async Task<Operation> DrainAsync(string node, DrainRequest request, CancellationToken cancel)
    {
        var facts = await OnAServerNode("drain a node").Drain.OrderAsync(node, request, cancel);
        var run = parts.Operations.Begin(DrainOperation.Kind, new Dictionary<string, string> { ["node"] = facts.Name });
        if (request.Disable) run.Finish();
        else daemon.Follow(life, run);
        return run.Current;
    }

    public Task<Operation> SecureAsync(SecureRequest request, CancellationToken cancel)
    {
        if (!request.Undo) parts.Secure.CheckBegin();
        var run = parts.Operations.Unfinished(SecureOperation.Kind);
        if (request.Undo)
        {
            parts.Secure.Undo();
            run ??= parts.Operations.Begin(SecureOperation.Kind, new Dictionary<string, string> { ["undo"] = "true" });
            run.Finish("the cluster stays open");
        }
        else if (run is null)
        {
            run = parts.Operations.Begin(SecureOperation.Kind);
            daemon.Follow(life, run);
        }

        return Task.FromResult(run.Current);
    }

    public Task<Operation> RestoreAsync(RestoreRequest request, CancellationToken cancel) => daemon.RestoreAsync(request.Archive, request.Key, cancel);

    public async Task<Operation> RecoverAsync(RecoverRequest request, CancellationToken cancel)
    {
        if (parts.Operations.Unfinished(RecoverOperation.Kind) is { } running) return running.Current;
        var plans = await parts.Recover.PlanAsync(request.AcceptDataLoss ?? [], cancel);
        var asked = RecoverOperation.RequestOf(plans);
        // Between the plan and the consent a node may have come back.
        if (request.Seen is { } seen && !seen.SequenceEqual(Shown(plans).ToSeen())) throw new ProblemException(RecoveryProblems.PlanChanged());
        var run = parts.Operations.Begin(RecoverOperation.Kind, asked);
        daemon.Follow(life, run);
        return run.Current;
    }

    public async Task<RecoverPlan> PlanRecoveryAsync(RecoverRequest request, CancellationToken cancel) => Shown(await parts.Recover.PlanAsync(request.AcceptDataLoss ?? [], cancel));

    private static RecoverPlan Shown(IReadOnlyList<ProductPlan> plans) =>
        new([.. plans.Select(plan => plan switch
        {
            ProductPlan.GiveUp up => new RecoverPlanItem(up.Product, RecoverPlanItem.Recover, up.Keep.Node, up.InWords, null) { Term = up.Keep.Survey!.LastTerm, Index = up.Keep.Survey.LastIndex },
            ProductPlan.Refused refused => new(refused.Product, RecoverPlanItem.Refused, null, [], refused.Problem),
            ProductPlan.Nothing nothing => new(nothing.Product, RecoverPlanItem.Nothing, null, [nothing.Why], null),
            _ => throw new InvalidOperationException($"unknown plan {plan}"),
        })]);

    public Task<Operation> RotateAsync(RotateRequest request, CancellationToken cancel)
    {
        var wanted = parts.Rotate.Items(request.What, request.Product);
        if (parts.Operations.Unfinished(RotateOperation.Kind) is { } running)
        {
            // The same is followed; another one would replace what this one is replacing.
            return running.Request.GetValueOrDefault(RotateOperation.ItemsKey) == wanted ? Task.FromResult(running.Current) : throw new ProblemException(RotateProblems.UnderWay(running.Current.Id));
        }

        parts.Rotate.Order(request.What, request.Product);
        var run = parts.Operations.Begin(RotateOperation.Kind, new Dictionary<string, string> { [RotateOperation.ItemsKey] = wanted });
        daemon.Follow(life, run);
        return Task.FromResult(run.Current);
    }

    public RotatePlan PlanRotation(RotateRequest request)
    {
        var items = parts.Rotate.Plan(request.What, request.Product);
        return new([.. items.Select(i => i.ToString())], parts.Rotate.Away, [.. items.SelectMany(Context.Table.Scheduler.Effects).Distinct()]);
    }

    public async Task RemoveNodeAsync(string node, CancellationToken cancel)
    {
        var entry = OnAServerNode("remove a node").Context.Membership.Current?.Nodes.Values.FirstOrDefault(n => !n.Removed && (n.Name == node || n.Id == node))
            ?? throw new ProblemException(new("node/unknown", $"There is no node {node}.", "The membership does not contain it, or it was removed.", "See `nomadstack node list`."));
        if (entry.Id == Context.Node.Id || parts.Peers.IsReachable(entry.Id))
        {
            throw new ProblemException(new(
                "node/alive",
                $"Node {entry.Name} is alive.",
                "If a running node is removed, its servers and tasks run on outside the cluster.",
                $"Drain it (`nomadstack node drain {entry.Name}`), stop its agent, then remove it.")
            { Unsafe = true });
        }

        foreach (var product in Context.Products)
        {
            foreach (var server in entry.Servers.Where(s => s.Role == product.Name))
            {
                if (await IsVoterAsync(product, server.RaftId, cancel))
                {
                    throw new ProblemException(new(
                        "node/voter",
                        $"Node {entry.Name} still has a {product.Title} voter.",
                        "Raft still counts it for the quorum.",
                        "Wait until its server is replaced (`nomadstack status`), then remove the node.")
                    { Unsafe = true });
                }
            }
        }

        parts.Peers.Remove(entry.Id);
    }

    public Task FindNodeAsync(string node, string address, CancellationToken cancel)
    {
        var entry = Context.Membership.Others.FirstOrDefault(n => n.Name == node || n.Id == node)
            ?? throw new ProblemException(new("node/unknown", $"There is no other node {node}.", "The membership does not contain it, or it was removed, or it is this one.", "See `nomadstack node list`."));
        var at = Peers.JoinAddress.Parse(address);
        if (!IPAddress.TryParse(at.Host, out var ip)) throw new ProblemException(NodeProblems.NoSuchAddress(address));
        return parts.Peers.FindAsync(entry, new(ip, at.Port), cancel);
    }

    public Task<CredentialsMade> MakeCredentialsAsync(CredentialsRequest request, CancellationToken cancel) =>
        new CredentialDesk(OnAServerNode("make credentials for people").Context, parts.Products).MakeAsync(request, cancel);

    public Task<TimelineDocument> TimelineAsync(TimelineQuery query, CancellationToken cancel) => parts.Peers.TimelineAsync(query, cancel);

    public async Task<DrillReport> DrillAsync(DrillRequest request, CancellationToken cancel)
    {
        var drills = OnAServerNode("rehearse").Drills;
        DrillReport? report = null;
        // The agent's end waits until nothing of it is left.
        await life.Begin("a drill", async ending =>
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, ending);
            report = await drills.RunAsync(request.What, either.Token);
        });
        return report!;
    }

    public Task<AcceptPlan> PlanAcceptStateAsync(CancellationToken cancel)
    {
        var (waitsFor, stopped) = parts.Gate.Acceptable();
        return Task.FromResult(new AcceptPlan(waitsFor, [.. stopped.Select(a => new AcceptedLoss(a.Id, a.Name))]));
    }

    public Task AcceptStateAsync(AcceptRequest request, CancellationToken cancel)
    {
        parts.Gate.Accept(request.Seen);
        return Task.CompletedTask;
    }

    public async Task<ProgramUsed> UseProgramAsync(string product, string? file, CancellationToken cancel)
    {
        var row = Context.Products.FirstOrDefault(p => p.Name == product) ?? throw new ProblemException(ProgramProblems.UnknownProduct(product, Context.Products.Select(p => p.Name)));
        var (now, before) = await parts.Offers.UseAsync(row, file, cancel);
        await parts.Host.RefreshConfigurationsAsync(cancel);
        parts.Clients.Refresh();
        return new(row.Name, now.Version.ToString(), now.Path, before.Version.ToString());
    }

    public Endpoints Endpoints() => new(Context.Table.Shown.ToDictionary(p => p.Name, p => new ProductEndpoint(AddressOf(p), parts.Programs.Find(p) is { Kind: not EngineKind.Embedded } program ? [program.Path, .. program.LeadingArguments] : [], EnvironmentOf(p))))
    {
        Client = Context.Membership.IsClientNode ? Refusal("give a person or a tool its access to the products") : null,
    };

    /// <summary>The variables with which a product's own command line, run by whoever may ask this agent, reaches it and is let in.</summary>
    private Dictionary<string, string>? EnvironmentOf(Product product)
    {
        // A client node's own tokens are for its agents; who wants to see more is let in on a server node.
        if (Context.Membership.IsClientNode || product.Variables is not { } names || AddressOf(product) is not { } address) return null;
        var variables = new Dictionary<string, string> { [names.Address] = address };
        if (Context.Trust.Find(product) is not { } credentials) return variables;
        (variables[names.Ca], variables[names.Certificate], variables[names.Key]) = (credentials.CaFile, credentials.CertificateFile, credentials.KeyFile);
        if (Context.Trust.Token(product, Peers.SecretNames.Management) is { } token) variables[names.Token] = token;
        return variables;
    }

    public IReadOnlyList<SnapshotInfo> Snapshots() => OnAServerNode("show snapshots").SnapshotDesk.List();

    public Task<Operation> SaveSnapshotAsync(CancellationToken cancel) => Task.FromResult(BeginSnapshot(SnapshotDesk.SaveKind, new Dictionary<string, string>()));

    public Task<SnapshotInfo> InspectSnapshotAsync(SnapshotRequest request, CancellationToken cancel) => OnAServerNode("show snapshots").SnapshotDesk.InspectAsync(request.Of, cancel);

    public Task<Operation> VerifySnapshotAsync(SnapshotRequest request, CancellationToken cancel)
    {
        OnAServerNode("verify a snapshot").SnapshotDesk.PathOf(request.Of);
        return Task.FromResult(BeginSnapshot(SnapshotDesk.VerifyKind, new Dictionary<string, string> { [SnapshotDesk.NameKey] = request.Of }));
    }

    public Task<RestorePlan> PlanRestoreAsync(SnapshotRequest request, CancellationToken cancel) => OnAServerNode("restore a snapshot").SnapshotDesk.PlanAsync(request.Of, cancel);

    public async Task<Operation> RestoreSnapshotAsync(SnapshotRequest request, CancellationToken cancel)
    {
        var desk = OnAServerNode("restore a snapshot").SnapshotDesk;
        if (!request.Consent) throw new ProblemException(SnapshotProblems.NeedsConsent());
        return BeginSnapshot(RestoreOperation.Kind, await desk.Restore.OrderAsync(desk.PathOf(request.Of), cancel));
    }

    public PruneResult PruneSnapshots(PruneRequest request) => new(OnAServerNode("delete snapshots").SnapshotDesk.Prune(request.DryRun));

    public RecoveryKeyShown RecoveryKey() => new(OnAServerNode("show the recovery key").SnapshotDesk.Key());

    public Task<SnapshotPolicyStatus> SnapshotPolicyAsync(SnapshotPolicyRequest request, CancellationToken cancel) => OnAServerNode("change how snapshots are taken").SnapshotDesk.PolicyAsync(request, cancel);

    public Task<KitMade> MakeKitAsync(KitRequest request, CancellationToken cancel) => OnAServerNode("make a kit").SnapshotDesk.MakeKitAsync(request.Passphrase, cancel);

    private Operation BeginSnapshot(string kind, IReadOnlyDictionary<string, string> request)
    {
        if (Context.Membership.Current is null) throw new ProblemException(SnapshotProblems.NotHere());
        _ = OnAServerNode("take or restore a snapshot");
        foreach (var other in (string[])[SnapshotDesk.SaveKind, SnapshotDesk.VerifyKind, RestoreOperation.Kind])
        {
            if (parts.Operations.Unfinished(other) is { } running) throw new ProblemException(SnapshotProblems.UnderWay(running.Current.Id));
        }

        var run = parts.Operations.Begin(kind, request);
        daemon.Follow(life, run);
        return run.Current;
    }

    public Task StopEverythingAsync(CancellationToken cancel) => stop.AskAsync(cancel);

    private NodeContext Context => parts.Context;

    /// <param name="what">As in <see cref="NodeProblems.NeedsAServerNode"/>.</param>
    /// <exception cref="ProblemException"><c>node/client-node</c>.</exception>
    private DaemonParts OnAServerNode(string what) => Context.Membership.IsClientNode ? throw new ProblemException(Refusal(what)) : parts;

    private Problem Refusal(string what) =>
        NodeProblems.NeedsAServerNode(Context.Node.Name, what, Context.Membership.Others.Where(n => n.IsServer).Select(n => n.Name).Order(StringComparer.Ordinal).Take(5));

    /// <summary>This node's client, or its server while the client waits at the gate; null if the cluster does not have the product.</summary>
    private string? AddressOf(Product product) =>
        !Context.Products.Contains(product) ? null
        : product.HasClient && (!product.FencesClient || parts.Clients.Scheduler.Runs) ? Context.Endpoints.OfClient(product, Context.Node).Text
        : Context.Endpoints.OfServer(product, Context.Node.Address, Context.Node.Ports.Of(product, ProductPort.Server, ProductPort.Http)).Text;

    private async Task<bool> IsVoterAsync(Product product, string raftId, CancellationToken cancel)
    {
        var code = parts.Products[product.Name];
        if (await RaftView.AskAnyAsync(KnownServer.Of(Context.Membership.Current, product.Name).Select(s => code.Server(Context.Endpoints.Of(product, s))), cancel) is { HasLeader: true } view)
            return view.Member(raftId) is { Voter: true };
        throw new ProblemException(new("cluster/no-leader", $"No {product.Title} server knows a leader now.", "Without a leader, nobody can tell whether the node has a voter.", "See `nomadstack status`, and try again when there is a leader."));
    }
}
