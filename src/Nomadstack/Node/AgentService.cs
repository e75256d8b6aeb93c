// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Life;
using Nomadstack.Operations;
using Nomadstack.Products;

namespace Nomadstack.Node;

/// <summary>The local API's calls, each handed to the part that owns it.</summary>
internal sealed class AgentService(DaemonParts parts, Daemon daemon, DrainOperation drain, StopRequest stop, Lifetime life) : IAgentService
{
    public Task<StatusDocument> StatusAsync(CancellationToken cancel) => parts.Status.ReadAsync(cancel);

    public Task<Operation> BootstrapAsync(BootstrapRequest request, CancellationToken cancel) => Task.FromResult(daemon.Bootstrap(request));

    public IReadOnlyList<Operation> Operations() => parts.Operations.All;

    public Operation? Operation(string id) => parts.Operations.Find(id)?.Current;

    public Task<TokenCreated> CreateTokenAsync(TimeSpan? timeToLive, int? uses, CancellationToken cancel) => Task.FromResult(parts.Peers.CreateToken(timeToLive, uses));

    public IReadOnlyList<TokenStatus> Tokens() =>
        [.. (Context.Membership.Current?.Tokens.Values.Where(t => !Peers.Carriers.IsCarrier(t.Id)) ?? []).OrderBy(t => t.CreatedAt).Select(t => new TokenStatus(t.Id, t.CreatedAt, t.ExpiresAt, t.Revoked, t.Uses, Context.Membership.Current!.Nodes.Values.Count(n => n.JoinedWith == t.Id)))];

    public Task RevokeTokenAsync(string id, CancellationToken cancel)
    {
        parts.Peers.RevokeToken(id);
        return Task.CompletedTask;
    }

    public async Task<Operation> DrainAsync(string node, DrainRequest request, CancellationToken cancel)
    {
        var facts = await drain.OrderAsync(node, request, cancel);
        var run = parts.Operations.Begin(DrainOperation.Kind, new Dictionary<string, string> { ["node"] = facts.Name });
        if (request.Disable) run.Finish();
        else _ = life.Begin($"the drain of {facts.Name}", ending => FollowAsync(run, () => drain.FollowAsync(run, facts, ending)));
        return run.Current;
    }

    public async Task RemoveNodeAsync(string node, CancellationToken cancel)
    {
        var entry = Context.Membership.Current?.Nodes.Values.FirstOrDefault(n => !n.Removed && (n.Name == node || n.Id == node))
            ?? throw new ProblemException(new("node/unknown", $"There is no node {node}.", "The membership does not name it, or it was removed already.", "See `nomadstack node list`."));
        if (entry.Id == Context.Node.Id || parts.Peers.IsReachable(entry.Id))
            throw new ProblemException(new("node/alive", $"Node {entry.Name} is alive.", "Removing a node that runs would leave its servers and tasks running as strangers.", $"Drain it (`nomadstack node drain {entry.Name}`), stop its agent, then remove it.") { Unsafe = true });
        foreach (var product in Context.Products)
        {
            foreach (var server in entry.Servers.Where(s => s.Role == product.Name))
            {
                if (await IsVoterAsync(product, server.RaftId, cancel))
                    throw new ProblemException(new("node/voter", $"Node {entry.Name} still holds a {product.Title} voter.", "Removing it now would change the quorum behind raft's back.", "Wait until its server was replaced (`nomadstack status`), then remove it.") { Unsafe = true });
            }
        }

        parts.Peers.Remove(entry.Id);
    }

    public Endpoints Endpoints() => new(Context.Table.Shown.ToDictionary(p => p.Name, p => new ProductEndpoint(AddressOf(p), parts.Programs.Find(p) is { } program ? [program.Path, .. program.LeadingArguments] : [])));

    public Task StopEverythingAsync(CancellationToken cancel) => stop.AskAsync(cancel);

    private NodeContext Context => parts.Context;

    /// <summary>This node's client, or its server while the client waits at the gate; null where the cluster has none of the product.</summary>
    private string? AddressOf(Product product) =>
        !Context.Products.Contains(product) ? null
        : product.HasClient && (!product.FencesClient || parts.Clients.Scheduler.Runs) ? Context.Endpoints.OfClient(product, Context.Node).Text
        : Context.Endpoints.Of(product, Context.Node.Address, Context.Node.Ports.Of(product, ProductPort.Server, ProductPort.Http)).Text;

    private async Task<bool> IsVoterAsync(Product product, string raftId, CancellationToken cancel)
    {
        var code = parts.Products[product.Name];
        if (await RaftView.AskAnyAsync(KnownServer.Of(Context.Membership.Current, product.Name).Select(s => code.Server(Context.Endpoints.Of(product, s))), cancel) is { HasLeader: true } view)
            return view.Member(raftId) is { Voter: true };
        throw new ProblemException(new("cluster/no-leader", $"No {product.Title} server knows a leader now.", "Whether the node holds a voter cannot be told.", "See `nomadstack status`; try again when there is a leader."));
    }

    /// <summary>The operation owns its failure: whoever follows it is shown it.</summary>
    private static async Task FollowAsync(OperationRun run, Func<Task> follow)
    {
        try
        {
            await follow();
        }
        catch (ProblemException e)
        {
            run.Fail(e.Problem);
        }
        catch (OperationCanceledException)
        {
            run.Fail(new Problem("drain/unwatched", "The agent was stopped; the drain itself goes on.", "Nomad and the node's own agent carry it out.", "See `nomadstack status`, or order the drain again to follow it."));
        }
    }
}
