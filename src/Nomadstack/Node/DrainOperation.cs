// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Operations;
using Nomadstack.Products;
using Nomadstack.Servers;

namespace Nomadstack.Node;

/// <summary>
/// <c>nomadstack node drain</c>: Nomad's own drain, followed until the node's servers have moved too. Plain <c>nomad node drain</c> has the same
/// effect: the driver's StopTask starts the hand-over, not this command.
/// </summary>
internal sealed class DrainOperation(NodeContext context, ServerJobs jobs)
{
    public const string Kind = "drain";

    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(8);

    /// <summary>Finds the node, refuses what is impossible, and starts Nomad's drain.</summary>
    /// <exception cref="ProblemException"><c>node/unknown</c>, <c>cluster/no-leader</c>, <c>node/drain</c>.</exception>
    public async Task<NodeFacts> OrderAsync(string name, DrainRequest request, CancellationToken cancel)
    {
        var api = await jobs.AnyServerAsync(cancel) ?? throw new ProblemException(new("cluster/no-leader", "The cluster has no leader now.", "Nomad needs a leader to drain a node.", "`nomadstack status` shows which servers are missing. Try again when they are back."));
        if (!(await api.NodesAsync(s_callDeadline, cancel)).Try(out var nodes)) throw Failed("Nomad's list of nodes cannot be read.");
        var node = nodes.Where(n => n.Name == name || n.ID == name).OrderByDescending(n => n.ModifyIndex).FirstOrDefault()
            ?? throw new ProblemException(new("node/unknown", $"There is no node {name}.", $"Nomad knows {string.Join(", ", nodes.Select(n => n.Name).Distinct().Order())}.", "Use one of these names, or a node id."));
        DrainSpec? spec = request.Disable ? null : new(request.DeadlineSeconds > 0 ? TimeSpan.FromSeconds(request.DeadlineSeconds) : null);
        var answer = await api.DrainAsync(node.ID, spec, markEligible: request.Disable, s_callDeadline, cancel);
        return answer.IsOk ? node : throw Failed(answer.Complaint);
    }

    /// <summary>Waits until the drain is over and no server is left on the node, or until it is clear that no other node can take them.</summary>
    public async Task FollowAsync(OperationRun run, NodeFacts node, CancellationToken cancel)
    {
        run.Step($"drain {node.Name}: its allocations move");
        while (true)
        {
            var api = await jobs.AnyServerAsync(cancel);
            if (api is null)
            {
                run.WaitFor("a leader");
            }
            else if ((await api.NodeAsync(node.ID, s_callDeadline, cancel)).Try(out var now) && now is { Drain: false })
            {
                run.Step($"move the servers of {node.Name}");
                var left = ServersOn(node.Name);
                if (left.Count == 0)
                {
                    run.Finish();
                    return;
                }

                if (await NobodyCanTakeThemAsync(api, node, left, cancel))
                {
                    run.Finish($"{string.Join(" and ", left.Select(p => p.Title))} stay on {node.Name} until another node can take them: the cluster has no other eligible node for this number of servers");
                    return;
                }

                run.WaitFor($"the {string.Join(" and ", left.Select(p => p.Title))} server to be taken over");
            }
            else
            {
                run.WaitFor("Nomad to stop the node's allocations");
            }

            await Task.Delay(s_poll, context.Time, cancel);
        }
    }

    private List<Product> ServersOn(string node) =>
        [.. context.Products.Where(p => KnownServer.Of(context.Membership.Current, p.Name).Any(s => s.NodeName == node))];

    private static async Task<bool> NobodyCanTakeThemAsync(IScheduler api, NodeFacts node, List<Product> products, CancellationToken cancel)
    {
        if (!(await api.NodesAsync(s_callDeadline, cancel)).Try(out var nodes)) return false;
        var others = nodes.Count(n => n.TakesServers && n.ID != node.ID);
        foreach (var product in products)
        {
            if (await ServerJobs.DesiredAsync(api, product, cancel) is not { } desired || others >= desired) return false;
        }

        return true;
    }

    private static ProblemException Failed(string why) => new(new("node/drain", "The drain was not started.", why, "See `nomadstack status` for the state of the cluster, and try again."));
}
