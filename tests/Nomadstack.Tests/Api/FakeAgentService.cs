// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Text.Json;
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Timeline;
using Shouldly;

namespace Nomadstack.Tests.Api;

/// <summary>An agent whose answers a test writes down. Operations advance by one recorded step at each look.</summary>
internal sealed class FakeAgentService : IAgentService
{
    private readonly ConcurrentDictionary<string, Queue<Operation>> _script = new();
    private readonly ConcurrentDictionary<string, Operation> _operations = new();

    public static readonly DateTimeOffset Then = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    public StatusDocument Status { get; set; } = Healthy();

    public Problem? Refusal { get; set; }

    public DrillReport Drilled { get; set; } = new(1, "restore", true, []);

    public Task<DrillReport> DrillAsync(DrillRequest request, CancellationToken cancel)
    {
        Asked.Enqueue(request);
        return Refusal is { } refusal ? throw new ProblemException(refusal) : Task.FromResult(Drilled);
    }

    public Func<TimelineQuery, TimelineDocument> Timeline { get; set; } = _ => new(1, [], [], false, "");

    public Task<TimelineDocument> TimelineAsync(TimelineQuery query, CancellationToken cancel)
    {
        Asked.Enqueue(query);
        return Refusal is { } refusal ? throw new ProblemException(refusal) : Task.FromResult(Timeline(query));
    }

    public Endpoints Where { get; set; } = At("http://127.0.0.1:4646", "http://127.0.0.1:8500");

    public ConcurrentQueue<object?> Asked { get; } = new();

    public Func<Task> OnStop { get; set; } = () => Task.CompletedTask;

    public static Endpoints At(string? nomad, string? consul) =>
        new(new Dictionary<string, ProductEndpoint> { [Role.Nomad] = new(nomad, ["nomad"], Variable("NOMAD_ADDR", nomad)), [Role.Consul] = new(consul, ["consul"], Variable("CONSUL_HTTP_ADDR", consul)) });

    private static Dictionary<string, string>? Variable(string variable, string? address) => address is null ? null : new() { [variable] = address };

    public static MemberStatus Member(string name, string address, string nomad = "ready", string consul = "alive", string agent = "reachable", bool eligible = true) => new(name, address, agent, eligible)
    {
        Clients = new() { [Role.Nomad] = JsonSerializer.SerializeToElement(nomad), [Role.Consul] = JsonSerializer.SerializeToElement(consul) },
    };

    public static StatusDocument Healthy() => new(
        1,
        new NodeStatus("n1", "8a7b6c5d-0000-4000-8000-000000000001", "10.77.0.1", "0.1.0"),
        new ClusterStatus("3f2a1b0c-0000-4000-8000-000000000002", "healthy", "", 3),
        new Dictionary<string, EngineVersion> { [Role.Nomad] = new("nomad", "1.1.2"), [Role.Consul] = new("consul", "1.8.7") },
        [
            Server("nomad", "n1", 4647, leader: true), Server("nomad", "n2", 4647), Server("nomad", "n3", 4647),
            Server("consul", "n1", 8300), Server("consul", "n2", 8300, leader: true), Server("consul", "n3", 8300),
        ],
        [Member("n1", "10.77.0.1"), Member("n2", "10.77.0.2"), Member("n3", "10.77.0.3")],
        []);

    public static ServerStatus Server(string role, string node, int port, bool leader = false, bool healthy = true) =>
        new(role, node, $"10.77.0.{node[1..]}:{port}", "job", "running", true, leader, healthy, node == "n1" ? 123 : null);

    public static Operation Running(string kind, string step, string reason = "") => new()
    {
        Id = kind + "-1",
        Kind = kind,
        Step = step,
        Reason = reason,
        StartedAt = DateTimeOffset.UtcNow.AddSeconds(-5),
        StepStartedAt = DateTimeOffset.UtcNow.AddSeconds(-3),
    };

    /// <summary>The states an operation goes through, one per look; the last stays.</summary>
    public void Script(params Operation[] states)
    {
        _script[states[0].Id] = new Queue<Operation>(states[1..]);
        _operations[states[0].Id] = states[0];
    }

    public Task<StatusDocument> StatusAsync(CancellationToken cancel) => Task.FromResult(Heard(null, Status));

    public Task<Operation> BootstrapAsync(BootstrapRequest request, CancellationToken cancel) => Task.FromResult(Heard(request, Next("bootstrap-1")));

    public IReadOnlyList<Operation> Operations() => [.. _operations.Keys.Select(Next)];

    public Operation? Operation(string id) => _operations.ContainsKey(id) ? Next(id) : null;

    public Task<TokenCreated> CreateTokenAsync(TokenRequest request, CancellationToken cancel) =>
        Task.FromResult(Heard(request, new TokenCreated("abc", "K1hash.abc.secret", request.TimeToLiveSeconds is { } ttl ? Then + TimeSpan.FromSeconds(ttl) : null)));

    public IReadOnlyList<TokenStatus> Tokens() => [new("abc", Then, null, false), new("def", Then, Then.AddHours(1), true)];

    public Task RevokeTokenAsync(string id, CancellationToken cancel) => Task.FromResult(Heard(id, id));

    public Task<Operation> DrainAsync(string node, DrainRequest request, CancellationToken cancel) => Task.FromResult(Heard((node, request), Next("drain-1")));

    public Task RemoveNodeAsync(string node, CancellationToken cancel) => Task.FromResult(Heard(node, node));

    public Task<ProgramUsed> UseProgramAsync(string product, string? file, CancellationToken cancel) =>
        Task.FromResult(Heard((product, file), new ProgramUsed(product, "1.10.5", $"/data/programs/{product}/1.10.5-0123456789ab/{product}", "1.9.2")));

    public Endpoints Endpoints() => Heard(null, Where);

    public Task<CredentialsMade> MakeCredentialsAsync(CredentialsRequest request, CancellationToken cancel) => Task.FromResult(new CredentialsMade(new Dictionary<string, string> { ["env"] = $"# {request.Name} {request.Role}\n", ["nomad-key.pem"] = "a key" }, DateTimeOffset.UnixEpoch.AddYears(60)));

    public Task<Operation> SecureAsync(SecureRequest request, CancellationToken cancel) => Task.FromResult(new Operation { Id = "secure-1", Kind = "secure", State = Nomadstack.Api.Operation.Finished, Reason = request.Undo ? "the cluster stays open" : "", StartedAt = DateTimeOffset.UnixEpoch, StepStartedAt = DateTimeOffset.UnixEpoch, EndedAt = DateTimeOffset.UnixEpoch });

    public Task<Operation> RotateAsync(RotateRequest request, CancellationToken cancel) => Task.FromResult(Heard(request, new Operation { Id = "rotate-1", Kind = "rotate", State = Nomadstack.Api.Operation.Finished, StartedAt = DateTimeOffset.UnixEpoch, StepStartedAt = DateTimeOffset.UnixEpoch, EndedAt = DateTimeOffset.UnixEpoch }));

    public RotatePlan PlanRotation(RotateRequest request) => Heard(request, new RotatePlan([$"Nomad: {request.What}"], ["n3"], ["tasks run on"]));

    public Task<Operation> RestoreAsync(RestoreRequest request, CancellationToken cancel) => throw new NotSupportedException();

    public Task<Operation> RecoverAsync(RecoverRequest request, CancellationToken cancel) => throw new NotSupportedException();

    public Task<RecoverPlan> PlanRecoveryAsync(RecoverRequest request, CancellationToken cancel) => Task.FromResult(Heard(request, Recovery));

    public RecoverPlan Recovery { get; set; } = new([]);

    public Task FindNodeAsync(string node, string address, CancellationToken cancel) => Task.CompletedTask;

    public AcceptPlan Acceptable { get; set; } = new("a server as new as this node", []);

    public Task<AcceptPlan> PlanAcceptStateAsync(CancellationToken cancel) => Task.FromResult(Acceptable);

    public Task AcceptStateAsync(AcceptRequest request, CancellationToken cancel)
    {
        request.Seen.ShouldBe(Acceptable.Stopped.Select(a => a.Id));
        Accepted = true;
        return Task.CompletedTask;
    }

    /// <summary>Whether somebody accepted the servers' state.</summary>
    public bool Accepted { get; private set; }

    public IReadOnlyList<SnapshotInfo> Saved { get; set; } = [];

    public RestorePlan Plan { get; set; } = new("", default, [], 0, []);

    public List<(string What, string Of)> SnapshotCalls { get; } = [];

    public IReadOnlyList<SnapshotInfo> Snapshots() => Saved;

    public Task<Operation> SaveSnapshotAsync(CancellationToken cancel) => Noted("save", "");

    public Task<SnapshotInfo> InspectSnapshotAsync(SnapshotRequest request, CancellationToken cancel) => Task.FromResult(Saved.First(s => s.Name == request.Of));

    public Task<Operation> VerifySnapshotAsync(SnapshotRequest request, CancellationToken cancel) => Noted("verify", request.Of);

    public Task<RestorePlan> PlanRestoreAsync(SnapshotRequest request, CancellationToken cancel) => Task.FromResult(Plan with { Of = request.Of });

    public Task<Operation> RestoreSnapshotAsync(SnapshotRequest request, CancellationToken cancel) => Noted(request.Consent ? "restore" : "refused", request.Of);

    public PruneResult PruneSnapshots(PruneRequest request) => new([.. Saved.Select(s => s.Name)]);

    public RecoveryKeyShown RecoveryKey() => new("AAAAA-BBBBB-CCCCC-DDDDD-EEEEE-FFFFF");

    public Task<SnapshotPolicyStatus> SnapshotPolicyAsync(SnapshotPolicyRequest request, CancellationToken cancel) => Task.FromResult(new SnapshotPolicyStatus(request.EverySeconds ?? 900, request.DenseSeconds ?? 14400, request.ThinSeconds ?? 604800, request.Target ?? ""));

    public Task<KitMade> MakeKitAsync(KitRequest request, CancellationToken cancel) => Task.FromResult(new KitMade(System.Text.Encoding.UTF8.GetBytes(request.Passphrase)));

    private Task<Operation> Noted(string what, string of)
    {
        SnapshotCalls.Add((what, of));
        return Task.FromResult(new Operation { Id = "o1", Kind = "snapshot-" + what, StartedAt = DateTimeOffset.UnixEpoch, StepStartedAt = DateTimeOffset.UnixEpoch, State = Nomadstack.Api.Operation.Finished });
    }

    public Task StopEverythingAsync(CancellationToken cancel)
    {
        Asked.Enqueue("stop");
        return OnStop();
    }

    private T Heard<T>(object? request, T answer)
    {
        if (request is not null) Asked.Enqueue(request);
        return Refusal is null ? answer : throw new ProblemException(Refusal);
    }

    private Operation Next(string id)
    {
        var now = _operations[id];
        if (_script[id].TryDequeue(out var next)) _operations[id] = next;
        return now;
    }
}
