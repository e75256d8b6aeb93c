// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.Peers;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Security;

namespace Nomadstack.Tests.Room;

/// <summary>The code of a row, all of it in memory. One that schedules also places what its jobs ask for.</summary>
internal sealed class RoomProduct(Product row, FakeRoom room, string node = "") : ISchedulerProduct
{
    public Product Row => row;

    public string ClientFinds => ProductPort.Rpc;

    public string UnknownClient => "unknown";

    public IServerApi Server(Endpoint endpoint) => new Api(row, room, endpoint);

    public IScheduler Scheduler(Endpoint endpoint) => new Api(row, room, endpoint);

    public IReadOnlyList<string> AllocationsOnDisk() => [.. room.Allocations.Where(a => a.Node == node).Select(a => a.Id)];

    public IClientApi? Client(Endpoint endpoint) => row.Schedules ? new RoomClient(node) : null;

    private sealed class RoomClient(string node) : IClientApi
    {
        public Task<IReadOnlyList<string>?> ServersAsync(TimeSpan deadline, CancellationToken cancel) => Task.FromResult<IReadOnlyList<string>?>([]);

        public Task<Answer<Done>> SetServersAsync(IEnumerable<string> servers, TimeSpan deadline, CancellationToken cancel) => Task.FromResult<Answer<Done>>(new Answer<Done>.Ok(default));

        public Task<string?> NodeIdAsync(TimeSpan deadline, CancellationToken cancel) => Task.FromResult<string?>(node);
    }

    public TaskMark? MarkOf(IReadOnlyList<string> environment) => null;

    public bool IsExecutor(IReadOnlyList<string> command) => false;

    public string ServerJob(Product product, int count, PortPlan ports) => new JsonObject { ["ID"] = product.JobId, ["TaskGroups"] = new JsonArray(new JsonObject { ["Name"] = "server", ["Count"] = count }) }.ToJsonString();

    public string? MigratedJob(Product product, JobFacts registered, PortPlan ports) =>
        JsonNode.Parse(registered.Raw)!["Schema"] is null && room.NewestSchema is { } newest ? WithSchema(ServerJob(product, registered.Count, ports), newest) : null;

    private static string WithSchema(string json, int schema)
    {
        var job = JsonNode.Parse(json)!;
        job["Schema"] = schema;
        return job.ToJsonString();
    }

    public ProcessSpec PrepareDrill(ServerSite site, Credentials credentials, string gossipKey, IReadOnlyList<string> join) => throw new NotSupportedException();

    public ProcessSpec PrepareServer(ServerSite site, IReadOnlyList<string> join, int voters, string? version)
    {
        Directory.CreateDirectory(site.DataFolder);
        File.WriteAllText(site.ConfigFile, string.Join(' ', join));
        room.Raft(row.Name).Enter(site);
        return new(site.ProcessName, "server", [row.Name, site.RaftId], site.ProcessName + ".log");
    }

    public Task LeaveAsync(Endpoint server, IOwnedProcess process, TimeSpan deadline, Task? gone, CancellationToken cancel)
    {
        var raft = room.Raft(row.Name);
        if (raft.Servers.FirstOrDefault(s => s.IsAt(server)) is { Runs: true } own) raft.Leave(own.Site.RaftId);
        return process.StopAsync(Signals.SIGINT, deadline, cancel, gone);
    }

    public SnapshotFacts ReadSnapshot(Stream from) => throw new NotSupportedException();

    public ProcessSpec PrepareThrowAway(ServerSite site, Credentials credentials) => throw new NotSupportedException();

    public Task<RaftOnDisk> RaftOnDiskAsync(ServerSite site, CancellationToken cancel) =>
        Task.FromResult(new RaftOnDisk(RaftDataState.Present, 2, 2, 10, 1, [.. room.Raft(row.Name).Servers.Select(s => new RaftPeer(s.Site.RaftId, s.RaftAddress, s.Voter))]));

    public void WritePeers(ServerSite site, IReadOnlyList<RaftPeer> peers) => room.Raft(row.Name).Replace(peers);

    public IReadOnlySet<string> KeysOnDisk(ServerSite site) => new HashSet<string>();

    public Task<IReadOnlySet<string>> KeysNeededAsync(ServerSite site, IReadOnlyList<Endpoint> servers, CancellationToken cancel) => Task.FromResult(KeysOnDisk(site));

    public Task<bool> IsClosedAsync(Endpoint server, CancellationToken cancel) => Task.FromResult(room.Closed.Contains(row.Name));

    /// <summary>As a real one: needs a leader, and lets nobody in who does not come by TLS.</summary>
    public async Task<Answer<Done>> CloseAsync(ServerSite site, Endpoint server, CancellationToken cancel)
    {
        if (server.Address.Scheme != Uri.UriSchemeHttps || server.Token is null) return new Answer<Done>.Refused(400, "Client sent an HTTP request to an HTTPS server.");
        if (await Server(server).LeaderAsync(TimeSpan.Zero, cancel) is null) return new Answer<Done>.NoLeader("no leader");
        room.Closed.Add(row.Name);
        return new Answer<Done>.Ok(default);
    }

    public Task<Answer<string>> MakeTokenAsync(Endpoint server, string name, CancellationToken cancel) => Task.FromResult<Answer<string>>(new Answer<string>.Ok("another " + name));

    public Task<Answer<Done>> RevokeOldTokensAsync(Endpoint server, string name, CancellationToken cancel) => Task.FromResult<Answer<Done>>(new Answer<Done>.Ok(default));

    public Task<Answer<string>> MakePersonsTokenAsync(Endpoint server, string name, string role, TimeSpan life, CancellationToken cancel) => Task.FromResult<Answer<string>>(new Answer<string>.Ok("token of " + name));

    public Task<Answer<IReadOnlyDictionary<string, string>>> NodeTokensAsync(Endpoint server, NodeEntry node, CancellationToken cancel)
    {
        if (room.Raft(row.Name).Leader is null) return Task.FromResult<Answer<IReadOnlyDictionary<string, string>>>(new Answer<IReadOnlyDictionary<string, string>>.NoLeader("none"));
        var mark = NodeMark.Of(node, GivenCredentials.Own);
        if (!room.NodeTokens.TryGetValue((row.Name, mark), out var secret)) room.NodeTokens[(row.Name, mark)] = secret = Guid.NewGuid().ToString();
        return Task.FromResult<Answer<IReadOnlyDictionary<string, string>>>(new Answer<IReadOnlyDictionary<string, string>>.Ok(new Dictionary<string, string> { [GivenCredentials.Own] = secret }));
    }

    public Task<Answer<int>> ForgetNodeTokensAsync(Endpoint server, Func<NodeMark, bool> isOver, CancellationToken cancel)
    {
        var over = room.NodeTokens.Keys.Where(t => t.Product == row.Name && isOver(t.Mark)).ToList();
        foreach (var token in over) room.NodeTokens.Remove(token);
        return Task.FromResult<Answer<int>>(new Answer<int>.Ok(over.Count));
    }

    public Task<bool?> KnowsTokenAsync(Endpoint server, CancellationToken cancel) =>
        Task.FromResult<bool?>(room.Raft(row.Name).Leader is null ? null : room.NodeTokens.Any(t => t.Key.Product == row.Name && t.Value == server.Token?.Read()));

    public string MemberName(string serverName) => serverName;

    public ProcessSpec PrepareClient(IReadOnlyList<string> servers) => new(row.Name + "-client", "client", [], row.Name + "-client.log");

    public void BeforeClientStart()
    {
    }

    private sealed class Api(Product row, FakeRoom room, Endpoint endpoint) : IServerApi, IScheduler
    {
        private FakeRaft Raft => room.Raft(row.Name);

        private FakeServer? Own => Raft.Servers.FirstOrDefault(s => s.Runs && s.IsAt(endpoint));

        public string BaseAddress => endpoint.Address.ToString();

        public Task<string?> LeaderAsync(TimeSpan deadline, CancellationToken cancel) => Task.FromResult(Own is null ? null : Raft.Leader?.RaftAddress);

        public async Task<RaftStanding?> StandingAsync(CancellationToken cancel) => await ObserveAsync(cancel);

        public Task<RaftView?> ObserveAsync(CancellationToken cancel)
        {
            var leader = Raft.Leader;
            return Task.FromResult(Own is not { } own ? null : new RaftView(leader?.RaftAddress, leader == own, 10, 10,
                [.. Raft.Servers.Select(s => new RaftMember(s.Site.RaftId, s.RaftAddress, s.Voter, s == leader, s.Runs))]));
        }

        public async Task<Readiness> ReadinessAsync(CancellationToken cancel) => await ObserveAsync(cancel) switch { null => Readiness.Down, { HasLeader: true } => Readiness.Ready, _ => Readiness.Leaderless };

        public Task<Answer<Done>> BarrierAsync(TimeSpan deadline, CancellationToken cancel)
        {
            room.Barriers++;
            return Led(default(Done));
        }

        public Task<LeadershipTransfer> TransferLeadershipAsync(string id, TimeSpan deadline, CancellationToken cancel) => Task.FromResult<LeadershipTransfer>(new LeadershipTransfer.NotSupported());

        public Task<Answer<Done>> RemovePeerAsync(string id, TimeSpan deadline, CancellationToken cancel)
        {
            Raft.Leave(id);
            return Led(default(Done));
        }

        public Task<bool> NamesMemberAsync(string member, TimeSpan deadline, CancellationToken cancel) => Task.FromResult(false);

        public Task<Answer<Done>> ForgetMemberAsync(string member, bool prune, TimeSpan deadline, CancellationToken cancel) => Led(default(Done));

        public Task<bool> KeepQuorumAsync(int voters, TimeSpan deadline, CancellationToken cancel) => Task.FromResult(false);

        public Task<IReadOnlyList<SeenClient>> ClientsAsync(TimeSpan deadline, CancellationToken cancel) => Task.FromResult<IReadOnlyList<SeenClient>>([]);

        public Task<Answer<long>> SaveSnapshotAsync(Stream to, TimeSpan deadline, CancellationToken cancel) => Led(0L);

        public Task<Answer<IReadOnlyList<ListedJob>>> JobsAsync(TimeSpan deadline, CancellationToken cancel) => Led<IReadOnlyList<ListedJob>>([]);

        public Task<Answer<Done>> StopJobAsync(ListedJob job, TimeSpan deadline, CancellationToken cancel) => Led(default(Done));

        public Task<Answer<StateCounts>> CountAsync(TimeSpan deadline, CancellationToken cancel) => Led(new StateCounts(0, new Dictionary<string, long>()));

        public Task<string?> VersionAsync(CancellationToken cancel) => Task.FromResult<string?>("0.1.0");

        public Task<Answer<Done>> RestoreSnapshotAsync(Stream from, TimeSpan deadline, CancellationToken cancel) => Led(default(Done));

        public async Task<Answer<JobFacts?>> JobAsync(string id, TimeSpan deadline, CancellationToken cancel)
        {
            await room.PlaceAsync(row, cancel);
            return await Led(room.Jobs.TryGetValue(id, out var job) ? Job(id, job) : null);
        }

        public Task<JobRegistration> RegisterServerJobAsync(string jobJson, long? enforceIndex, TimeSpan deadline, CancellationToken cancel) =>
            Task.FromResult<JobRegistration>(room.Register(jobJson, enforceIndex) ? new JobRegistration.Registered("", 1, "") : new JobRegistration.Conflict("somebody was first"));

        public Task<Answer<IReadOnlyList<AllocationFacts>>> AllocationsAsync(string jobId, TimeSpan deadline, CancellationToken cancel) => Led<IReadOnlyList<AllocationFacts>>(
            [.. room.Allocations.Where(a => a.Job == jobId).Select(a => new AllocationFacts(a.Id, a.Node, a.Node, "server", 0, a.Runs ? "run" : "stop", a.Runs ? "running" : "complete", "", a.Version, false, null, null, 1, 1, default, []))]);

        public Task<Answer<IReadOnlyList<NodeFacts>>> NodesAsync(TimeSpan deadline, CancellationToken cancel) => Led<IReadOnlyList<NodeFacts>>([.. room.Registered.Order().Select(Node)]);

        public Task<Answer<IReadOnlyList<NodeAllocation>>> AllocationsOnAsync(string nodeId, TimeSpan deadline, CancellationToken cancel) =>
            Led<IReadOnlyList<NodeAllocation>>([.. room.Allocations.Where(a => a.Node == nodeId && !room.Forgotten.Contains(a.Id)).Select(a => new NodeAllocation(a.Id, a.Runs) { Name = $"{a.Job}.server[0]" })]);

        public Task<Answer<StateNote>> ReadNoteAsync(TimeSpan deadline, CancellationToken cancel) => Led(room.Note);

        public Task<JobRegistration> WriteNoteAsync(StateNote note, TimeSpan deadline, CancellationToken cancel)
        {
            if (note.Index != room.Note.Index) return Task.FromResult<JobRegistration>(new JobRegistration.Conflict("somebody was first"));
            room.Note = note with { Index = note.Index + 1 };
            return Task.FromResult<JobRegistration>(new JobRegistration.Registered("", room.Note.Index, ""));
        }

        public async Task<Answer<NodeFacts?>> NodeAsync(string id, TimeSpan deadline, CancellationToken cancel)
        {
            await room.PlaceAsync(row, cancel);
            return await Led(room.Registered.Contains(id) ? Node(id) : null);
        }

        public Task<Answer<Done>> PurgeNodeAsync(string nodeId, TimeSpan deadline, CancellationToken cancel)
        {
            room.Registered.Remove(nodeId);
            room.Allocations.RemoveAll(a => a.Node == nodeId);
            return Led(default(Done));
        }

        public Task<Answer<Done>> DrainAsync(string nodeId, DrainSpec? spec, bool markEligible, TimeSpan deadline, CancellationToken cancel)
        {
            if (spec is null) room.Drained.Remove(nodeId);
            else room.Drained.Add(nodeId);
            return Led(default(Done));
        }

        private NodeFacts Node(string name) => new()
        {
            ID = name,
            Name = name,
            Status = room.Clients.Contains(name) && !room.Refused.Contains(name) ? "ready" : "down",
            SchedulingEligibility = room.Drained.Contains(name) ? "ineligible" : "eligible",
            // It lasts as long as allocations run there.
            Drain = room.Drained.Contains(name) && room.Allocations.Exists(a => a.Runs && a.Node == name),
            Drivers = room.WithoutDriver.Contains(name) ? new Dictionary<string, DriverFacts>() : new Dictionary<string, DriverFacts> { ["nomadstack"] = new(true, true, "") },
        };

        private static JobFacts Job(string id, FakeJob job) => new(id, "service", "running", false, job.Version, job.ModifyIndex, new Dictionary<string, int> { ["server"] = job.Count }, new Dictionary<string, string>(), job.Json);

        private Task<Answer<T>> Led<T>(T value) =>
            Task.FromResult<Answer<T>>(Own is null ? new Answer<T>.Unreachable("it does not run") : Raft.Leader is null ? new Answer<T>.NoLeader("none") : new Answer<T>.Ok(value, 10));
    }
}
