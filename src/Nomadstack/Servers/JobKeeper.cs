// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Operations;
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
        var moving = false;
        // The cluster's products, not those for which this node has a program.
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

        return moving;
    }
}
