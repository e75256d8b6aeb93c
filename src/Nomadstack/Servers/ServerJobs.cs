// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.Products;

namespace Nomadstack.Servers;

/// <summary>The jobs that place the servers of all products, in the scheduler's own state: read, registered, raised. Every call may be repeated.</summary>
internal sealed class ServerJobs(NodeContext context, ISchedulerProduct scheduler)
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(5);

    /// <summary>
    /// A server of the scheduler that knows a leader, preferably this node's own; null if there is none.
    /// </summary>
    public async Task<IScheduler?> AnyServerAsync(CancellationToken cancel)
    {
        foreach (var server in KnownServer.Of(context.Membership.Current, scheduler.Row.Name).OrderByDescending(s => s.NodeId == context.Node.Id).ThenBy(s => s.IsBootstrap))
        {
            var endpoint = context.Endpoints.Of(scheduler.Row, server);
            if (await scheduler.Server(endpoint).LeaderAsync(s_deadline, cancel) is not null) return scheduler.Scheduler(endpoint);
        }

        return null;
    }

    /// <summary>The count of the job; null if it cannot be read, 0 if it does not exist or is stopped.</summary>
    public static async Task<int?> DesiredAsync(IScheduler api, Product product, CancellationToken cancel) =>
        (await api.JobAsync(product.JobId, s_deadline, cancel)).Try(out var job) ? job is null || job.Stop ? 0 : job.Count : null;

    /// <summary>Registers the job unless it exists and runs. A second caller finds it done.</summary>
    public async Task RegisterAsync(IScheduler api, Product product, int count, CancellationToken cancel)
    {
        var answer = await api.JobAsync(product.JobId, s_deadline, cancel);
        if (!answer.Try(out var job)) throw Failed(product, answer.Complaint);
        if (job is { Stop: false }) return;
        await RegisterAsync(api, product, scheduler.ServerJob(product, count, context.Node.Ports), job?.JobModifyIndex ?? 0, cancel);
    }

    /// <summary>
    /// Raises the count, with compare-and-set on the job's modify index: if several agents try at once, one succeeds.
    /// </summary>
    /// <returns>True when this call raised it.</returns>
    public static async Task<bool> RaiseAsync(IScheduler api, Product product, int to, CancellationToken cancel)
    {
        if (!(await api.JobAsync(product.JobId, s_deadline, cancel)).Try(out var job) || job is null || job.Stop || job.Count >= to) return false;
        return await RegisterAsync(api, product, WithCount(job.Raw, to), job.JobModifyIndex, cancel);
    }

    /// <summary>Whether every server the job asks for runs in an allocation of the job's own version: no update of it is under way.</summary>
    public static async Task<bool> IsSettledAsync(IScheduler api, Product product, CancellationToken cancel)
    {
        if (!(await api.JobAsync(product.JobId, s_deadline, cancel)).Try(out var job) || job is null || job.Stop) return false;
        if (!(await api.AllocationsAsync(product.JobId, s_deadline, cancel)).Try(out var allocations)) return false;
        var wanted = allocations.Where(a => a.DesiredStatus == "run").ToList();
        return wanted.Count == job.Count && wanted.TrueForAll(a => a.Running && a.JobVersion == job.Version);
    }

    /// <summary>Whether an older release wrote the registered job.</summary>
    public async Task<bool> IsOutdatedAsync(IScheduler api, Product product, CancellationToken cancel) =>
        (await api.JobAsync(product.JobId, s_deadline, cancel)).Try(out var job) && job is { Stop: false } && scheduler.MigratedJob(product, job, context.Node.Ports) is not null;

    /// <summary>Registers the job as this release writes it where an older one wrote it. Of several agents that see the need at once, one does it.</summary>
    /// <returns>True when this call changed it.</returns>
    public async Task<bool> MigrateAsync(IScheduler api, Product product, CancellationToken cancel)
    {
        if (!(await api.JobAsync(product.JobId, s_deadline, cancel)).Try(out var job) || job is null || job.Stop) return false;
        return scheduler.MigratedJob(product, job, context.Node.Ports) is { } migrated && await RegisterAsync(api, product, migrated, job.JobModifyIndex, cancel);
    }

    private static async Task<bool> RegisterAsync(IScheduler api, Product product, string json, long modifyIndex, CancellationToken cancel) =>
        await api.RegisterServerJobAsync(json, modifyIndex, s_deadline, cancel) switch
        {
            JobRegistration.Registered => true,
            JobRegistration.Conflict => false,
            var refused => throw Failed(product, refused.ToString()!),
        };

    /// <summary>The registered job, with all changes of an operator, and another count.</summary>
    private static string WithCount(string raw, int count)
    {
        var job = JsonNode.Parse(raw)!;
        job["TaskGroups"]![0]!["Count"] = count;
        return job.ToJsonString();
    }

    private static ProblemException Failed(Product product, string why) => new(ServerProblems.JobNotRegistered(product, why));
}
