// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Operations;
using Nomadstack.Products;
using Nomadstack.Servers;

namespace Nomadstack.Node;

/// <summary>
/// <c>nomadstack node drain</c>: Nomad's own drain, followed until the node's servers have moved too. Plain <c>nomad node drain</c> sets off
/// the same: the hand-over hangs on the driver's StopTask, not on this command.
/// </summary>
internal sealed class DrainOperation(NodeContext context, ServerJobs jobs)
{
    public const string Kind = "drain";

    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(8);

    /// <summary>Finds the node, refuses what cannot be, and gives Nomad the order.</summary>
    /// <exception cref="ProblemException"><c>node/unknown</c>, <c>cluster/no-leader</c>, <c>node/drain</c>.</exception>
    public async Task<NodeFacts> OrderAsync(string name, DrainRequest request, CancellationToken cancel)
    {
        var api = await jobs.AnyServerAsync(cancel) ?? throw new ProblemException(new("cluster/no-leader", "The cluster has no leader now.", "A drain is a decision of the cluster.", "See `nomadstack status` for who is missing; try again when it is back."));
        if (!(await api.NodesAsync(s_callDeadline, cancel)).Try(out var nodes)) throw Failed("the nodes cannot be read");
        var node = nodes.Where(n => n.Name == name || n.ID == name).OrderByDescending(n => n.ModifyIndex).FirstOrDefault()
            ?? throw new ProblemException(new("node/unknown", $"There is no node {name}.", $"Nomad knows {string.Join(", ", nodes.Select(n => n.Name).Distinct().Order())}.", "Give one of these names, or a node id."));
        DrainSpec? spec = request.Disable ? null : new(request.DeadlineSeconds > 0 ? TimeSpan.FromSeconds(request.DeadlineSeconds) : null);
        var answer = await api.DrainAsync(node.ID, spec, markEligible: request.Disable, s_callDeadline, cancel);
        return answer.IsOk ? node : throw Failed(answer.Complaint);
    }

    /// <summary>Follows on where the agent was killed or stopped while it followed: what it says at the end must be true then too.</summary>
    public async Task ResumeAsync(OperationRun run, CancellationToken cancel)
    {
        var name = run.Request.GetValueOrDefault("node", "");
        while (true)
        {
            if (await jobs.AnyServerAsync(cancel) is { } api && (await api.NodesAsync(s_callDeadline, cancel)).Try(out var nodes))
            {
                if (nodes.Where(n => n.Name == name).MaxBy(n => n.ModifyIndex) is { } node) await FollowAsync(run, node, cancel);
                else run.Fail(new("node/unknown", $"There is no node {name} any more.", "It was removed while this drain was followed.", "See `nomadstack node list`."));
                return;
            }

            run.WaitFor("a leader");
            await Task.Delay(s_poll, context.Time, cancel);
        }
    }

    /// <summary>Waits until the drain is over and no server of the node is left, or until it is plain that no other node can take them.</summary>
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

                if (now.Eligible)
                {
                    run.Fail(new("drain/ended", $"The drain of {node.Name} was ended before its servers had moved.", "The node takes allocations again.", "Order the drain again if the servers are to move."));
                    return;
                }

                if (await NobodyCanTakeThemAsync(api, node, left, cancel))
                {
                    run.Finish($"{string.Join(" and ", left.Select(p => p.Title))} stay on {node.Name} until another node can take them: the cluster wants that many servers and has no other eligible node");
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

    private static ProblemException Failed(string why) => new(new("node/drain", "The drain was not ordered.", why, "Try again; see `nomadstack status` for the state of the cluster."));
}
