// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Operations;
using Nomadstack.Peers;
using Nomadstack.Products;

namespace Nomadstack.Servers;

/// <summary>Keeps the server jobs of all products registered and their counts raised. Any agent may do this; with compare-and-set only one succeeds.</summary>
internal sealed class JobKeeper(NodeContext context, ServerJobs jobs, OperationLog operations)
{
    /// <summary>A stopped or purged job is registered again after this time. Without the job, no server would ever be replaced.</summary>
    private static readonly TimeSpan s_jobGrace = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(5);

    private readonly ILogger _log = context.Logs.CreateLogger<JobKeeper>();
    private readonly Graces _graces = new(context.Time);

    /// <returns>True while something is under way.</returns>
    public async Task<bool> KeepAsync(IScheduler api, CancellationToken cancel)
    {
        if (context.Membership.Current is not { } cluster || operations.Unfinished("bootstrap") is not null) return false;
        if (!(await api.NodesAsync(s_callDeadline, cancel)).Try(out var nodes)) return false;
        var eligible = nodes.Count(n => n.TakesServers);
        var moving = await ForgetRemovedAsync(api, cluster, nodes, cancel);
        // The cluster's products, not what this node happens to have a program for.
        foreach (var product in context.Products)
        {
            if (await ServerJobs.DesiredAsync(api, product, cancel) is not { } desired) continue;
            if (_graces.HasLasted(product.Name, desired == 0, s_jobGrace))
            {
                _log.LogWarning("The job {Job} is missing or stopped. Without it no server is replaced, so it is registered again", product.JobId);
                await jobs.RegisterAsync(api, product, DesiredServers.For(eligible, 1, cluster.MaxServers), cancel);
            }

            var target = DesiredServers.For(eligible, desired, cluster.MaxServers);
            if (desired == 0 || target == desired) continue;
            moving = true;
            await Fault.AroundAsync("raise-" + product.Name, async () =>
            {
                if (await ServerJobs.RaiseAsync(api, product, target, cancel))
                    _log.LogInformation("{Eligible} nodes can run servers: the count of {Job} is raised from {From} to {To}", eligible, product.JobId, desired, target);
            });
        }

        return moving || await MigrateAsync(api, cluster, cancel);
    }

    /// <summary>A removed node gets no allocation any more: the scheduler forgets it, and drains it first where its client still runs.</summary>
    /// <returns>True when there was one.</returns>
    private async Task<bool> ForgetRemovedAsync(IScheduler api, ClusterDocument cluster, IReadOnlyList<NodeFacts> nodes, CancellationToken cancel)
    {
        var live = cluster.Nodes.Values.Where(n => !n.Removed).Select(n => n.Name).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var removed = cluster.Nodes.Values.Where(n => n.Removed && !live.Contains(n.Name)).Select(n => n.Name).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var gone = nodes.Where(n => removed.Contains(n.Name)).ToList();
        foreach (var node in gone)
        {
            if (!node.Ready)
            {
                await Fault.AroundAsync("purge-node", () => api.PurgeNodeAsync(node.ID, s_callDeadline, cancel));
                _log.LogInformation("Node {Node} was removed from the cluster, and is now removed from {Scheduler}", node.Name, context.Table.Scheduler.Title);
            }
            else if (node is { Eligible: true, Drain: false })
            {
                await api.DrainAsync(node.ID, new DrainSpec(TimeSpan.Zero), markEligible: false, s_callDeadline, cancel);
            }
        }

        return gone.Count > 0;
    }

    /// <summary>
    /// Brings a job that an older release registered up to this one's: one job at a time, only while all servers of all products are there, and only once no agent is older
    /// than this one, for the tasks of the new job are theirs to run too.
    /// </summary>
    private async Task<bool> MigrateAsync(IScheduler api, ClusterDocument cluster, CancellationToken cancel)
    {
        if (cluster.Nodes.GetValueOrDefault(context.Node.Id)?.Version is not { } own || cluster.Nodes.Values.Any(n => !n.Removed && IsOlder(n.Version, own))) return false;
        List<Product> outdated = [];
        foreach (var product in context.Products)
        {
            if (await jobs.IsOutdatedAsync(api, product, cancel)) outdated.Add(product);
        }

        // At rest the answer ends here: allocations are read only when there is something to migrate.
        if (outdated.Count == 0) return false;
        foreach (var product in context.Products)
        {
            if (!await ServerJobs.IsSettledAsync(api, product, cancel)) return false;
        }

        foreach (var product in outdated)
        {
            var migrated = false;
            await Fault.AroundAsync("migrate-" + product.Name, async () => migrated = await jobs.MigrateAsync(api, product, cancel));
            if (!migrated) continue;
            _log.LogInformation("The job {Job} was written by an older release. It is updated; its servers run on", product.JobId);
            return true;
        }

        return false;
    }

    /// <summary>A version that cannot be read counts as older.</summary>
    private static bool IsOlder(string version, string own) => version != own && !(SemVer.Parse(version) is { } theirs && SemVer.Parse(own) is { } ours && theirs >= ours);
}
