// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.Nomad;

namespace Nomadstack.Servers;

/// <summary>The jobs <c>nomad-server</c> and <c>consul-server</c> in Nomad's own state: read, registered, raised. Every call may be repeated.</summary>
internal sealed class ServerJobs(NodeContext context, Func<Uri, NomadApi> nomad)
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(5);

    /// <summary>
    /// A Nomad server that knows a leader, this node's own first; null while there is none.
    /// </summary>
    public async Task<NomadApi?> AnyServerAsync(CancellationToken cancel)
    {
        foreach (var server in KnownServer.Of(context.Membership.Current, Role.Nomad).OrderByDescending(s => s.NodeId == context.Node.Id).ThenBy(s => s.IsBootstrap))
        {
            var api = nomad(server.Http);
            if (await api.LeaderAsync(stale: true, s_deadline, cancel) is not null) return api;
        }

        return null;
    }

    /// <summary>What the job asks for; null when it cannot be read, 0 when it is absent or stopped.</summary>
    public static async Task<int?> DesiredAsync(NomadApi api, string role, CancellationToken cancel) =>
        (await api.JobAsync(Role.JobId(role), s_deadline, cancel)).Try(out var job) ? job is null || job.Stop ? 0 : job.Count : null;

    /// <summary>Registers the job unless it is there and runs. Whoever comes second finds it done.</summary>
    public async Task RegisterAsync(NomadApi api, string role, int count, CancellationToken cancel)
    {
        var answer = await api.JobAsync(Role.JobId(role), s_deadline, cancel);
        if (!answer.Try(out var job)) throw Failed(role, answer.Complaint);
        if (job is { Stop: false }) return;
        await RegisterAsync(api, role, new ServerJob { Role = role, Count = count, Ports = context.Node.Ports }.Render(), job?.JobModifyIndex ?? 0, cancel);
    }

    /// <summary>
    /// Raises the count, compare-and-set on the job's modify index: of several agents that see the need at once, one does it.
    /// </summary>
    /// <returns>True when this call raised it.</returns>
    public static async Task<bool> RaiseAsync(NomadApi api, string role, int to, CancellationToken cancel)
    {
        if (!(await api.JobAsync(Role.JobId(role), s_deadline, cancel)).Try(out var job) || job is null || job.Stop || job.Count >= to) return false;
        return await RegisterAsync(api, role, WithCount(job.Raw, to), job.JobModifyIndex, cancel);
    }

    private static async Task<bool> RegisterAsync(NomadApi api, string role, string json, long modifyIndex, CancellationToken cancel)
    {
        if (ServerJobLint.Check(json) is [var first, ..]) throw new ProblemException(first);
        return await api.RegisterJobAsync(json, modifyIndex, s_deadline, cancel) switch
        {
            JobRegistration.Registered => true,
            JobRegistration.Conflict => false,
            var refused => throw Failed(role, refused.ToString()!),
        };
    }

    /// <summary>The job as it is registered, whatever an operator changed in it, with another count.</summary>
    private static string WithCount(string raw, int count)
    {
        var job = JsonNode.Parse(raw)!;
        job["TaskGroups"]![0]!["Count"] = count;
        return job.ToJsonString();
    }

    private static ProblemException Failed(string role, string why) =>
        new(new("servers/job", $"The job {Role.JobId(role)} could not be registered.", why, "It is tried again by itself; if this stays, run `nomadstack nomad job status` and look at the server's log."));
}
