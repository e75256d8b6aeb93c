// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Operations;
using Nomadstack.Servers;

namespace Nomadstack.Node;

/// <summary>The local API's calls, each handed to the part that owns it.</summary>
internal sealed class AgentService(DaemonParts parts, Daemon daemon, DrainOperation drain, Func<CancellationToken, Task> stopEverything, CancellationToken lifetime) : IAgentService
{
    public Task<StatusDocument> StatusAsync(CancellationToken cancel) => parts.Status.ReadAsync(cancel);

    public Task<Operation> BootstrapAsync(BootstrapRequest request, CancellationToken cancel) => Task.FromResult(daemon.Bootstrap(request));

    public IReadOnlyList<Operation> Operations() => parts.Operations.All;

    public Operation? Operation(string id) => parts.Operations.Find(id)?.Current;

    public Task<TokenCreated> CreateTokenAsync(TimeSpan? timeToLive, CancellationToken cancel) => Task.FromResult(parts.Peers.CreateToken(timeToLive));

    public IReadOnlyList<TokenStatus> Tokens() =>
        [.. (Context.Membership.Current?.Tokens.Values.Where(t => !Peers.Carriers.IsCarrier(t.Id)) ?? []).OrderBy(t => t.CreatedAt).Select(t => new TokenStatus(t.Id, t.CreatedAt, t.ExpiresAt, t.Revoked))];

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
        else _ = FollowAsync(run, () => drain.FollowAsync(run, facts, lifetime));
        return run.Current;
    }

    public async Task RemoveNodeAsync(string node, CancellationToken cancel)
    {
        var entry = Context.Membership.Current?.Nodes.Values.FirstOrDefault(n => !n.Removed && (n.Name == node || n.Id == node))
            ?? throw new ProblemException(new("node/unknown", $"There is no node {node}.", "The membership does not name it, or it was removed already.", "See `nomadstack node list`."));
        if (entry.Id == Context.Node.Id || parts.Peers.IsReachable(entry.Id))
            throw new ProblemException(new("node/alive", $"Node {entry.Name} is alive.", "Removing a node that runs would leave its servers and tasks running as strangers.", $"Drain it (`nomadstack node drain {entry.Name}`), stop its agent, then remove it.") { Unsafe = true });
        foreach (var role in Role.All)
        {
            foreach (var server in entry.Servers.Where(s => s.Role == role))
            {
                if (await IsVoterAsync(role, server.RaftId, cancel))
                    throw new ProblemException(new("node/voter", $"Node {entry.Name} still holds a {role} voter.", "Removing it now would change the quorum behind raft's back.", "Wait until its server was replaced (`nomadstack status`), then remove it.") { Unsafe = true });
            }
        }

        parts.Peers.Remove(entry.Id);
    }

    public Endpoints Endpoints()
    {
        var (node, cluster) = (Context.Node, Context.Membership.Current);
        return new(
            cluster is null ? null : "http://" + HostPort.Join(node.Address, parts.Clients.Nomad.Runs ? node.Ports.NomadClientHttp : node.Ports.NomadServerHttp),
            Program(Role.Nomad),
            cluster is { Consul: true } ? "http://" + HostPort.Join(node.Address, node.Ports.ConsulClientHttp) : null,
            Program(Role.Consul));
    }

    public Task StopEverythingAsync(CancellationToken cancel) => stopEverything(cancel);

    private NodeContext Context => parts.Context;

    private IReadOnlyList<string> Program(string product) =>
        parts.Programs.Find(product) is { } program ? [program.Path, .. program.LeadingArguments] : [];

    private async Task<bool> IsVoterAsync(string role, string raftId, CancellationToken cancel)
    {
        if (await RaftView.AskAnyAsync(parts.Host.Product(role), KnownServer.Of(Context.Membership.Current, role).Select(s => s.Http), cancel) is { HasLeader: true } view)
            return view.Member(raftId) is { Voter: true };
        throw new ProblemException(new("cluster/no-leader", $"No {role} server knows a leader now.", "Whether the node holds a voter cannot be told.", "See `nomadstack status`; try again when there is a leader."));
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
