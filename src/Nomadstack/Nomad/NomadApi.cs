// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.HashiCorp;
using Nomadstack.Products;

namespace Nomadstack.Nomad;

/// <summary>
/// All our calls to one Nomad agent. They are the same for every Nomad since 1.1.
/// A server that is down, has no leader or refuses is an answer, never an exception.
/// </summary>
/// <param name="endpoint">A server's or a client's. A client passes on what needs a server.</param>
internal sealed partial class NomadApi(Endpoint endpoint, TimeProvider time, HttpMessageInvoker? transport = null)
    : HashiCorpServerApi(endpoint, "X-Nomad-Index", time, transport), IScheduler, IClientApi
{
    /// <summary>For calls that an agent answers by itself: self, members, and every stale read.</summary>
    public static readonly TimeSpan Quick = TimeSpan.FromSeconds(2);

    /// <summary>For calls that need a leader: a server keeps them waiting for 5 s while there is none.</summary>
    public static readonly TimeSpan WithLeader = TimeSpan.FromSeconds(8);

    protected override string SnapshotPath => "/v1/operator/snapshot";

    public override async Task<Answer<AgentSelf>> AgentSelfAsync(TimeSpan deadline, CancellationToken cancel) =>
        (await Http.GetAsync("/v1/agent/self", NomadJson.Default.SelfReply, deadline, cancel)).Map(self => self.ToSelf());

    /// <summary>Children of periodic and dispatched jobs are left out: leaders make and forget them by themselves. Variables exist since 1.4.</summary>
    public override Task<Answer<StateCounts>> CountAsync(TimeSpan deadline, CancellationToken cancel) => CountAsync(
        [
            ("jobs", "/v1/jobs?namespace=*", job => !job.TryGetProperty("ParentID", out var parent) || parent.GetString() is null or ""),
            ("nodes", "/v1/nodes", null),
            ("namespaces", "/v1/namespaces", null),
            ("variables", "/v1/vars?namespace=*", null),
        ],
        deadline, cancel);

    public async Task<Answer<IReadOnlyList<ListedJob>>> JobsAsync(TimeSpan deadline, CancellationToken cancel) =>
        (await Http.GetAsync("/v1/jobs?namespace=*", NomadJson.Default.IReadOnlyListListedJobReply, deadline, cancel))
            .Map<IReadOnlyList<ListedJob>>(all => [.. all.Where(j => string.IsNullOrEmpty(j.ParentID)).Select(j => j.ToListed())]);

    public async Task<Answer<Done>> StopJobAsync(ListedJob job, TimeSpan deadline, CancellationToken cancel)
    {
        var answer = await Http.DoAsync(HttpMethod.Delete, $"{Job(job.Id)}?namespace={Uri.EscapeDataString(job.Namespace)}", null, deadline, cancel);
        return answer.IsNotFound ? new Answer<Done>.Ok(default) : answer;
    }

    /// <summary>Exists since Nomad 1.7.</summary>
    public override Task<LeadershipTransfer> TransferLeadershipAsync(string id, TimeSpan deadline, CancellationToken cancel) =>
        TransferLeadershipAsync(HttpMethod.Put, "/v1/operator/raft/transfer-leadership", id, deadline, cancel);

    public override async Task<Answer<IReadOnlyList<GossipMember>>> MembersAsync(TimeSpan deadline, CancellationToken cancel) =>
        (await Http.GetAsync("/v1/agent/members", NomadJson.Default.MembersReply, deadline, cancel)).Map(reply => reply.ToMembers());

    /// <param name="member">The name with its region, as in gossip: <c>n1.global</c>.</param>
    protected override Task<Answer<Done>> ForceLeaveAsync(string member, bool prune, TimeSpan deadline, CancellationToken cancel) =>
        Http.DoAsync(HttpMethod.Put, "/v1/agent/force-leave?node=" + Uri.EscapeDataString(member) + (prune ? "&prune=true" : ""), null, deadline, cancel);

    public override async Task<Answer<Done>> JoinAsync(string address, TimeSpan deadline, CancellationToken cancel)
    {
        // A failed join has status 200 and the reason in the body.
        var answer = await Http.JsonAsync(HttpMethod.Put, "/v1/agent/join?address=" + Uri.EscapeDataString(address), null, NomadJson.Default.JoinReply, deadline, cancel);
        return answer switch
        {
            Answer<JoinReply>.Ok { Value.NumJoined: 0 } failed => new Answer<Done>.Refused(200, failed.Value.Error ?? "no member joined"),
            _ => answer.Map(_ => default(Done)),
        };
    }

    /// <summary>
    /// A read through the leader. The leader answers only after it has applied everything that was in its log when it was elected. The value is the index of the nodes table.
    /// A leader that lost its followers less than half a second ago could still answer. <see cref="IServerApi.BarrierAsync"/> excludes that.
    /// </summary>
    public async Task<Answer<long>> ConsistentReadAsync(TimeSpan deadline, CancellationToken cancel)
    {
        // The prefix keeps the answer empty, however many nodes there are. The index is the same.
        var answer = await Http.SendAsync(HttpMethod.Get, "/v1/nodes?prefix=00000000-0000-0000-0000-000000000000", null, deadline, cancel);
        return answer.Map(reply => reply.Index);
    }

    /// <summary>Gives a client its servers (<c>ip:rpcport</c>). Nomad pings each and refuses the list if none answers.</summary>
    public Task<Answer<Done>> SetServersAsync(IEnumerable<string> servers, TimeSpan deadline, CancellationToken cancel) =>
        Http.DoAsync(HttpMethod.Put, "/v1/agent/servers?" + string.Join('&', servers.Select(s => "address=" + Uri.EscapeDataString(s))), null, deadline, cancel);

    public async Task<IReadOnlyList<string>?> ServersAsync(TimeSpan deadline, CancellationToken cancel) =>
        (await AgentSelfAsync(deadline, cancel)).Try(out var self) ? self.KnownServers : null;

    public async Task<string?> NodeIdAsync(TimeSpan deadline, CancellationToken cancel) => (await AgentSelfAsync(deadline, cancel)).Try(out var self) ? self.ClientNodeId : null;

    public override async Task<IReadOnlyList<SeenClient>> ClientsAsync(TimeSpan deadline, CancellationToken cancel) =>
        (await NodesAsync(deadline, cancel)).Try(out var nodes)
            ? [.. nodes.GroupBy(n => n.Name).Select(same => same.MaxBy(n => n.ModifyIndex)!).Select(n => new SeenClient(n.Name, n.ClientState, n.Ready))]
            : [];

    /// <summary>The job, or a null value if the cluster has no job with this id.</summary>
    public async Task<Answer<JobFacts?>> JobAsync(string id, TimeSpan deadline, CancellationToken cancel)
    {
        var answer = await Http.SendAsync(HttpMethod.Get, Job(id), null, deadline, cancel);
        if (answer.IsNotFound) return new Answer<JobFacts?>.Ok(null);
        if (answer is not Answer<HttpReply>.Ok { Value.Body: var body }) return answer.Map<JobFacts?>(_ => null);
        return JobReply.TryParse(body) is { } job
            ? new Answer<JobFacts?>.Ok(job)
            : new Answer<JobFacts?>.Refused(200, "the job has an unknown form");
    }

    /// <summary>Registers a job. Safe to repeat: the same job again is no change.</summary>
    /// <param name="jobJson">The job itself, as <c>{"ID":…}</c>, without an envelope.</param>
    /// <param name="enforceIndex">Null: in any case. 0: only if there is no such job. Otherwise: only if the job still has this JobModifyIndex.</param>
    public async Task<JobRegistration> RegisterJobAsync(string jobJson, long? enforceIndex, TimeSpan deadline, CancellationToken cancel)
    {
        var answer = await Http.JsonAsync(HttpMethod.Put, "/v1/jobs", Envelope(jobJson, enforceIndex), NomadJson.Default.JobRegisterReply, deadline, cancel);
        return answer switch
        {
            Answer<JobRegisterReply>.Ok ok => new JobRegistration.Registered(ok.Value.EvalID ?? "", ok.Value.JobModifyIndex, ok.Value.Warnings ?? ""),
            Answer<JobRegisterReply>.Refused r when r.Text.Contains("Enforcing job modify index", StringComparison.Ordinal) => new JobRegistration.Conflict(r.Text),
            Answer<JobRegisterReply>.Refused r => new JobRegistration.Refused(r.Text),
            _ => new JobRegistration.NotReached(answer.Complaint),
        };
    }

    public Task<JobRegistration> RegisterServerJobAsync(string jobJson, long? enforceIndex, TimeSpan deadline, CancellationToken cancel) =>
        ServerJobLint.Check(jobJson) is [var first, ..] ? throw new ProblemException(first) : RegisterJobAsync(jobJson, enforceIndex, deadline, cancel);

    /// <summary>Stops a job; with <paramref name="purge"/> also purges it. Also Ok if there is no such job.</summary>
    public async Task<Answer<Done>> StopJobAsync(string id, bool purge, TimeSpan deadline, CancellationToken cancel)
    {
        var answer = await Http.DoAsync(HttpMethod.Delete, $"{Job(id)}?purge={(purge ? "true" : "false")}", null, deadline, cancel);
        return answer.IsNotFound ? new Answer<Done>.Ok(default) : answer;
    }

    /// <summary>The leader's allocations of a job, including stopped ones that are not yet garbage-collected.</summary>
    public async Task<Answer<IReadOnlyList<AllocationFacts>>> AllocationsAsync(string jobId, TimeSpan deadline, CancellationToken cancel) =>
        (await Http.GetAsync(Job(jobId) + "/allocations", NomadJson.Default.IReadOnlyListAllocationReply, deadline, cancel))
            .Map<IReadOnlyList<AllocationFacts>>(all => [.. all.Select(a => a.ToFacts())]);

    public async Task<Answer<IReadOnlyList<NodeAllocation>>> AllocationsOnAsync(string nodeId, TimeSpan deadline, CancellationToken cancel)
    {
        var answer = await Http.GetAsync(Node(nodeId) + "/allocations", NomadJson.Default.IReadOnlyListNodeAllocationReply, deadline, cancel);
        if (answer.IsNotFound) return new Answer<IReadOnlyList<NodeAllocation>>.Ok([]);
        return answer.Map<IReadOnlyList<NodeAllocation>>(all => [.. all.Select(a => a.ToAllocation())]);
    }

    public async Task<Answer<StateNote>> ReadNoteAsync(TimeSpan deadline, CancellationToken cancel) =>
        (await JobAsync(NoteJob.Id, deadline, cancel)).Map(job => job is null ? new StateNote("", 0) : new(job.Meta.GetValueOrDefault(NoteJob.Key, ""), job.JobModifyIndex));

    public Task<JobRegistration> WriteNoteAsync(StateNote note, TimeSpan deadline, CancellationToken cancel) => RegisterJobAsync(NoteJob.Render(note.Text), note.Index, deadline, cancel);

    /// <summary>Evaluates a job anew, for the scheduler to place what is missing. The value is the evaluation's id.</summary>
    public async Task<Answer<string>> EvaluateJobAsync(string id, bool forceReschedule, TimeSpan deadline, CancellationToken cancel)
    {
        var body = new JsonObject { ["JobID"] = id, ["EvalOptions"] = new JsonObject { ["ForceReschedule"] = forceReschedule } };
        return (await Http.JsonAsync(HttpMethod.Put, Job(id) + "/evaluate", body.ToJsonString(), NomadJson.Default.JobRegisterReply, deadline, cancel)).Map(reply => reply.EvalID ?? "");
    }

    /// <summary>Ids of the cluster's root keys, including those no longer used for new data. Exists since Nomad 1.4.</summary>
    public async Task<Answer<IReadOnlyList<string>>> KeyringAsync(TimeSpan deadline, CancellationToken cancel) =>
        (await Http.GetAsync("/v1/operator/keyring/keys", NomadJson.Default.IReadOnlyListKeyReply, deadline, cancel))
            .Map<IReadOnlyList<string>>(keys => [.. keys.Select(k => k.KeyID ?? "")]);

    /// <summary>Whether the token that this endpoint says is one of Nomad's, asked of the leader. Refused if it is not, or if there is no access control.</summary>
    public async Task<Answer<Done>> TokenAsync(TimeSpan deadline, CancellationToken cancel)
    {
        var answer = await Http.GetAsync("/v1/acl/token/self", NomadJson.Default.TokenReply, deadline, cancel);
        return answer switch
        {
            // Some versions answer for a caller without a token, or with one they do not know, as for an anonymous one (run on 1.10.5 and 2.0.5).
            Answer<TokenReply>.Ok { Value.Type: not "management" } => new Answer<Done>.Refused(403, "the token is not a management token"),
            _ => answer.Map(_ => default(Done)),
        };
    }

    /// <summary>Asks for the first management token. The server keeps the call until there is a leader, for up to 5 s.</summary>
    /// <param name="wanted">The secret that it should have; ignored before Nomad 1.3.2.</param>
    public async Task<AclBootstrap> BootstrapAclAsync(string? wanted, TimeSpan deadline, CancellationToken cancel)
    {
        var body = wanted is null ? null : new JsonObject { ["BootstrapSecret"] = wanted }.ToJsonString();
        var answer = await Http.JsonAsync(HttpMethod.Put, "/v1/acl/bootstrap", body, NomadJson.Default.TokenReply, deadline, cancel);
        var done = answer is Answer<TokenReply>.Refused { Text: var text } && AlreadyDone().Match(text) is { Success: true } match ? match.Groups[1].Value : null;
        return new(answer.Map(_ => default(Done)), answer.Try(out var token) ? token.SecretID : null, done);
    }

    /// <summary>Makes a token, and its policy if it is not there yet. Returns the secret.</summary>
    /// <param name="policy">Name and rules; null for a management token.</param>
    /// <param name="life">Null for a token that does not end. Ignored before Nomad 1.4.</param>
    public async Task<Answer<string>> MakeTokenAsync(string name, (string Name, string Rules)? policy, TimeSpan? life, TimeSpan deadline, CancellationToken cancel)
    {
        var token = new JsonObject { ["Name"] = name, ["Type"] = policy is null ? "management" : "client" };
        if (life is { } ends) token["ExpirationTTL"] = GoDuration.Format(ends);
        if (policy is var (named, rules))
        {
            var written = await Http.DoAsync(HttpMethod.Put, "/v1/acl/policy/" + named, new JsonObject { ["Name"] = named, ["Rules"] = rules }.ToJsonString(), deadline, cancel);
            if (!written.IsOk) return written.Map(_ => "");
            token["Policies"] = new JsonArray(JsonValue.Create(named));
        }

        return (await Http.JsonAsync(HttpMethod.Put, "/v1/acl/token", token.ToJsonString(), NomadJson.Default.TokenReply, deadline, cancel)).Map(made => made.SecretID ?? "");
    }

    /// <summary>Makes a management token that does not end. Before 2.0.3 Nomad chooses the secret.</summary>
    public async Task<Answer<string>> MakeManagementTokenAsync(string name, TimeSpan deadline, CancellationToken cancel) =>
        (await Http.JsonAsync(HttpMethod.Put, "/v1/acl/token", new JsonObject { ["Name"] = name, ["Type"] = "management" }.ToJsonString(), NomadJson.Default.TokenReply, deadline, cancel)).Map(made => made.SecretID ?? "");

    /// <summary>Deletes the tokens with these names, but for the one that this endpoint says.</summary>
    public async Task<Answer<Done>> RevokeTokensAsync(IReadOnlyCollection<string> names, TimeSpan deadline, CancellationToken cancel)
    {
        var self = await Http.GetAsync("/v1/acl/token/self", NomadJson.Default.TokenReply, deadline, cancel);
        if (!self.Try(out var own)) return self.Map(_ => default(Done));
        var listed = await Http.GetAsync("/v1/acl/tokens", NomadJson.Default.IReadOnlyListTokenReply, deadline, cancel);
        if (!listed.Try(out var all)) return listed.Map(_ => default(Done));
        foreach (var token in all.Where(t => names.Contains(t.Name) && t.AccessorID != own.AccessorID))
        {
            var deleted = await Http.DoAsync(HttpMethod.Delete, "/v1/acl/token/" + Uri.EscapeDataString(token.AccessorID ?? ""), null, deadline, cancel);
            if (!deleted.IsOk && !deleted.IsNotFound) return deleted;
        }

        return new Answer<Done>.Ok(default);
    }

    public override async Task<Answer<GossipKeysSeen>> ListAsync(TimeSpan deadline, CancellationToken cancel) =>
        (await Http.GetAsync("/v1/agent/keyring/list", ProductsJson.Default.KeyringReply, deadline, cancel)).Map(reply => reply.ToSeen());

    public override Task<Answer<Done>> InstallAsync(string key, TimeSpan deadline, CancellationToken cancel) => KeyringAsync("install", key, deadline, cancel);

    public override Task<Answer<Done>> UseAsync(string key, TimeSpan deadline, CancellationToken cancel) => KeyringAsync("use", key, deadline, cancel);

    public override Task<Answer<Done>> RemoveAsync(string key, TimeSpan deadline, CancellationToken cancel) => KeyringAsync("remove", key, deadline, cancel);

    private Task<Answer<Done>> KeyringAsync(string verb, string key, TimeSpan deadline, CancellationToken cancel) =>
        Http.DoAsync(HttpMethod.Put, "/v1/agent/keyring/" + verb, KeyBody(key), deadline, cancel);

    [GeneratedRegex(@"ACL bootstrap already done \(reset index: (\d+)\)")]
    private static partial Regex AlreadyDone();

    /// <summary>Every node that the cluster knows; asks the leader.</summary>
    public Task<Answer<IReadOnlyList<NodeFacts>>> NodesAsync(TimeSpan deadline, CancellationToken cancel) =>
        Http.GetAsync("/v1/nodes", NomadJson.Default.IReadOnlyListNodeFacts, deadline, cancel);

    /// <summary>One node with its metadata, by full id, or a null value if the cluster has no such node.</summary>
    public async Task<Answer<NodeFacts?>> NodeAsync(string id, TimeSpan deadline, CancellationToken cancel)
    {
        var answer = await Http.GetAsync(Node(id), NomadJson.Default.NodeFacts, deadline, cancel);
        return answer.IsNotFound ? new Answer<NodeFacts?>.Ok(null) : answer.Map<NodeFacts?>(node => node);
    }

    /// <summary>Drains a node. With a null <paramref name="spec"/> ends its drain and, if wanted, makes it eligible again.</summary>
    public Task<Answer<Done>> DrainAsync(string nodeId, DrainSpec? spec, bool markEligible, TimeSpan deadline, CancellationToken cancel)
    {
        var body = new JsonObject
        {
            ["DrainSpec"] = spec is null ? null : new JsonObject { ["Deadline"] = spec.Nanoseconds, ["IgnoreSystemJobs"] = spec.IgnoreSystemJobs },
            ["MarkEligible"] = markEligible,
        };
        return Http.DoAsync(HttpMethod.Post, Node(nodeId) + "/drain", body.ToJsonString(), deadline, cancel);
    }

    public Task<Answer<Done>> EligibilityAsync(string nodeId, bool eligible, TimeSpan deadline, CancellationToken cancel)
    {
        var body = new JsonObject { ["NodeID"] = nodeId, ["Eligibility"] = eligible ? "eligible" : "ineligible" };
        return Http.DoAsync(HttpMethod.Post, Node(nodeId) + "/eligibility", body.ToJsonString(), deadline, cancel);
    }

    /// <summary>Purges a node that never returns, and its allocations.</summary>
    public Task<Answer<Done>> PurgeNodeAsync(string nodeId, TimeSpan deadline, CancellationToken cancel) =>
        Http.DoAsync(HttpMethod.Put, Node(nodeId) + "/purge", null, deadline, cancel);

    public Task<Answer<Done>> SystemGcAsync(TimeSpan deadline, CancellationToken cancel) => Http.DoAsync(HttpMethod.Put, "/v1/system/gc", null, deadline, cancel);

    private static string Job(string id) => "/v1/job/" + Uri.EscapeDataString(id);

    private static string Node(string id) => "/v1/node/" + Uri.EscapeDataString(id);

    private static string Envelope(string jobJson, long? enforceIndex)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WritePropertyName("Job");
            json.WriteRawValue(jobJson);
            if (enforceIndex is { } index)
            {
                json.WriteBoolean("EnforceIndex", true);
                json.WriteNumber("JobModifyIndex", index);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }
}
