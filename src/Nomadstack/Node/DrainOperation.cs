// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
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

    /// <summary>Follows an ordered drain to its end, also where another agent began to.</summary>
    public Task FollowAsync(OperationRun run, CancellationToken cancel) => new Following(context, jobs, run.Request.GetValueOrDefault("node", "")).RunAsync(run, cancel);

    private static ProblemException Failed(string why) => new(new("node/drain", "The drain was not started.", why, "See `nomadstack status` for the state of the cluster, and try again."));

    private sealed class Following(NodeContext context, ServerJobs jobs, string name) : Flow<DrainFacts, DrainStep>(context.Time, context.Logs.CreateLogger<DrainOperation>())
    {
        protected override TimeSpan Poll { get; } = TimeSpan.FromMilliseconds(500);

        /// <summary>The order is given, and is Nomad's to carry out: what fails here is only the looking.</summary>
        protected override bool IsPastTheCommitPoint => true;

        protected override Next<DrainStep> Decide(DrainFacts facts) => DrainDecision.Next(facts, name);

        protected override Task ActAsync(DrainStep step, OperationRun run, CancellationToken cancel) => Task.CompletedTask;

        protected override async Task<DrainFacts> ObserveAsync(Action<string> say, CancellationToken cancel)
        {
            if (await jobs.AnyServerAsync(cancel) is not { } api || !(await api.NodesAsync(s_callDeadline, cancel)).Try(out var nodes))
            {
                say("a leader");
                return new(false, false, false, false, [], false);
            }

            var left = context.Products.Where(p => KnownServer.Of(context.Membership.Current, p.Name).Any(s => s.NodeName == name)).ToList();
            if (nodes.Where(n => n.Name == name).MaxBy(n => n.ModifyIndex) is not { } node) return new(true, false, false, false, [], false);
            say(node.Drain ? "Nomad to stop the node's allocations" : $"the {string.Join(" and ", left.Select(p => p.Title))} server to be taken over");
            return new(true, true, node.Drain, node.Eligible, [.. left.Select(p => p.Title)], !node.Drain && left.Count > 0 && await NobodyCanTakeThemAsync(api, nodes, node, left, cancel));
        }

        private static async Task<bool> NobodyCanTakeThemAsync(IScheduler api, IReadOnlyList<NodeFacts> nodes, NodeFacts node, List<Product> products, CancellationToken cancel)
        {
            var others = nodes.Count(n => n.TakesServers && n.ID != node.ID);
            foreach (var product in products)
            {
                if (await ServerJobs.DesiredAsync(api, product, cancel) is not { } desired || others >= desired) return false;
            }

            return true;
        }
    }
}
