// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.State;
using Shouldly;

namespace Nomadstack.Engine.Tests.Scheduling;

/// <summary>A leader and its clients in one thread, with a clock of its own: commands are applied, evaluations processed, allocations started and stopped.</summary>
internal sealed class Cluster
{
    private readonly Random _random;
    private readonly EvaluationQueues _queues;
    private readonly SchedulerRun _run;
    private readonly Clock _clock = new(Specimens.Start);
    private readonly Dictionary<string, long> _deploymentSeen = [];
    private readonly Dictionary<string, (long Version, DateTimeOffset Since)> _watched = [];

    public Cluster(int seed = 1)
    {
        _random = new Random(seed);
        _queues = new EvaluationQueues(NewId);
        _run = new SchedulerRun((plan, _) => Task.FromResult(Submit(plan)), (_, _) => Task.FromResult(State), NewId, _random, _clock);
        Heartbeats = new Heartbeats(_random);
    }

    public StateStore Store { get; } = new();

    public StateSnapshot State => Store.Current;

    public Heartbeats Heartbeats { get; }

    public EvaluationQueues Queues => _queues;

    public DateTimeOffset Now => _clock.GetUtcNow();

    /// <summary>Nodes whose client does not answer.</summary>
    public HashSet<string> Silent { get; } = [];

    /// <summary>What a task does when it is started; runs on when null.</summary>
    public Func<Allocation, string>? Fate { get; set; }

    /// <summary>Clients stop nothing while this is set.</summary>
    public bool SlowToStop { get; set; }

    /// <summary>Looks at the state after every command.</summary>
    public Action? Watch { get; set; }

    public List<Evaluation> Processed { get; } = [];

    public string NewId()
    {
        Span<byte> bytes = stackalloc byte[16];
        _random.NextBytes(bytes);
        return new Guid(bytes).ToString();
    }

    public Applied Commit(Command command)
    {
        // Through its bytes, as through the log.
        var result = Store.Apply(State.Index + 1, Command.FromBytes(command.ToBytes()));
        if (result is Applied.Done) _queues.Follow(command, State, Now);
        Watch?.Invoke();
        return result;
    }

    public void Add(params Node[] nodes)
    {
        foreach (var node in nodes)
        {
            Commit(new RegisterNode(node, Now)).ShouldBeOfType<Applied.Done>();
            SetStatus(node.ID, NodeStatus.Ready);
            Heartbeats.Beat(node.ID, Now);
        }
    }

    public void SetStatus(string node, string status) =>
        Commit(new UpdateNodeStatus(node, status, Now, null, NodeEvaluations.For(State, node, EvalTrigger.NodeUpdate, Now, NewId))).ShouldBeOfType<Applied.Done>();

    /// <summary>Registers and lets the dust settle.</summary>
    public Job Run(Job job)
    {
        Register(job);
        Settle();
        return State.Job(job.Key)!;
    }

    public void Register(Job job) =>
        Commit(new RegisterJob(job, Evaluation.For(job, EvalTrigger.JobRegister, NewId(), Now), null)).ShouldBeOfType<Applied.Done>();

    public void Stop(string job, bool purge = false)
    {
        var key = new JobKey("default", job);
        Commit(new DeregisterJob(key, purge, Evaluation.For(State.Job(key)!, EvalTrigger.JobDeregister, NewId(), Now)));
        Settle();
    }

    public void Drain(string node, TimeSpan deadline, bool ignoreSystem = false) =>
        Commit(new UpdateNodeDrain(node, DrainStrategy.Start(deadline, ignoreSystem, Now), false, false, Now, null, null, NodeEvaluations.For(State, node, EvalTrigger.NodeDrain, Now, NewId)));

    public void SetEligible(string node, bool eligible) =>
        Commit(new UpdateNodeEligibility(node, eligible ? NodeEligibility.Eligible : NodeEligibility.Ineligible, Now, null, eligible ? NodeEvaluations.For(State, node, EvalTrigger.NodeUpdate, Now, NewId) : []));

    /// <summary>Not stopped by anybody and not over.</summary>
    public IReadOnlyList<Allocation> Live(string job = "web") => [.. State.AllocationsOf(new JobKey("default", job)).Where(a => !a.Terminal).OrderBy(a => a.Number)];

    public IReadOnlyList<Allocation> All(string job = "web") => [.. State.AllocationsOf(new JobKey("default", job)).OrderBy(a => a.CreateIndex).ThenBy(a => a.Number)];

    /// <summary>What its client really runs.</summary>
    public IReadOnlyList<Allocation> Running(string job = "web") => [.. State.AllocationsOf(new JobKey("default", job)).Where(a => a.ClientStatus == ClientStatus.Running)];

    public void Advance(TimeSpan by)
    {
        _clock.Advance(by);
        foreach (var node in State.Nodes.All.Where(n => !Silent.Contains(n.ID) && !n.IsDown)) Heartbeats.Beat(node.ID, Now);
        Settle();
    }

    /// <summary>Second by second.</summary>
    public void Live(TimeSpan time)
    {
        for (var i = 0; i < time.TotalSeconds; i++) Advance(TimeSpan.FromSeconds(1));
    }

    public void Settle()
    {
        for (var round = 0; round < 1000; round++)
        {
            var before = State.Index;
            Schedule();
            Report();
            Drain();
            Deploy();
            foreach (var node in Heartbeats.TakeMissed(Now)) Commit(Heartbeats.MarkDown(State, node, Now, NewId));
            if (State.Index == before) return;
        }

        throw new InvalidOperationException("the cluster does not come to rest");
    }

    public void Schedule()
    {
        _queues.Broker.Advance(Now);
        while (_queues.Broker.Dequeue(JobType.All, Now) is { } delivery) Process(delivery);
    }

    private void Process(Delivery delivery)
    {
        var run = _run.ProcessAsync(delivery.Evaluation, State, CancellationToken.None);
        run.IsCompleted.ShouldBeTrue();
        var outcome = run.GetAwaiter().GetResult();
        if (outcome.Evaluations.Count > 0) Commit(new UpsertEvaluations(outcome.Evaluations)).ShouldBeOfType<Applied.Done>();
        if (outcome.Reblock is { } reblock) _queues.Reblock(reblock, delivery.Token, Now);
        Processed.AddRange(outcome.Evaluations.Take(1));
        _queues.Broker.Ack(delivery.Evaluation.ID, delivery.Token, Now).ShouldBeTrue();
        if (_queues.Blocked.TakeDuplicates() is { Count: > 0 } duplicates) Commit(new UpsertEvaluations(duplicates));
    }

    private PlanResult Submit(Plan plan)
    {
        var result = PlanCheck.Evaluate(plan, State);
        if (!result.Committed.IsNoOp) Commit(PlanCheck.ToCommand(result.Committed, Now)).ShouldBeOfType<Applied.Done>();
        return result;
    }

    private void Report()
    {
        var updates = new List<ClientUpdate>();
        foreach (var allocation in State.Allocations.All.Where(a => !a.ClientTerminal && !Silent.Contains(a.NodeID) && State.Node(a.NodeID) is { IsDown: false }))
        {
            if (allocation.ServerTerminal)
            {
                if (!SlowToStop) updates.Add(Update(allocation, ClientStatus.Complete, TaskState.Dead, false));
            }
            else if (allocation.ClientStatus == ClientStatus.Pending)
            {
                // A client starts nothing before its predecessor has ended, wherever that is.
                if (State.Allocation(allocation.PreviousAllocation) is { ClientTerminal: false }) continue;
                updates.Add((Fate?.Invoke(allocation) ?? ClientStatus.Running) switch
                {
                    ClientStatus.Failed => Update(allocation, ClientStatus.Failed, TaskState.Dead, true),
                    ClientStatus.Complete => Update(allocation, ClientStatus.Complete, TaskState.Dead, false),
                    _ => Update(allocation, ClientStatus.Running, TaskState.Running, false),
                });
            }
            else if (Verdict(allocation) is { } healthy)
            {
                updates.Add(new ClientUpdate(allocation.ID, allocation.ClientStatus, allocation.ClientDescription, allocation.TaskStates, new AllocDeploymentStatus { Healthy = healthy, Timestamp = Now }));
            }
        }

        if (updates.Count > 0) Commit(new UpdateAllocations(updates, Now, NodeEvaluations.ForReports(State, updates, Now, NewId)));
    }

    public void Fail(Allocation allocation)
    {
        var update = Update(allocation, ClientStatus.Failed, TaskState.Dead, true);
        Commit(new UpdateAllocations([update], Now, NodeEvaluations.ForReports(State, [update], Now, NewId)));
    }

    private bool? Verdict(Allocation allocation)
    {
        if (!_watched.TryGetValue(allocation.ID, out var watched) || watched.Version != allocation.Job.Version)
            _watched[allocation.ID] = watched = (allocation.Job.Version, Now);
        return AllocationHealth.Decide(allocation, allocation.TaskStates!, watched.Since, Now).Healthy;
    }

    private ClientUpdate Update(Allocation allocation, string status, string task, bool failed) => new(allocation.ID, status, "",
        allocation.Job.Group(allocation.TaskGroup)!.Tasks.ToDictionary(t => t.Name, _ => new TaskState { State = task, Failed = failed, StartedAt = Now, FinishedAt = task == TaskState.Dead ? Now : null }),
        status == ClientStatus.Failed && allocation.DeploymentID.Length > 0 ? new AllocDeploymentStatus { Healthy = false, Timestamp = Now } : null);

    private void Drain()
    {
        foreach (var command in Drainer.Decide(State, Now).ToCommands(State, Now, NewId).ToList()) Commit(command);
    }

    private void Deploy()
    {
        foreach (var deployment in State.Deployments.All.Where(d => d.Active).ToList())
        {
            var step = DeploymentWatch.Decide(State, deployment, _deploymentSeen.GetValueOrDefault(deployment.ID), Now);
            _deploymentSeen[deployment.ID] = State.Index;
            if (DeploymentWatch.ToCommand(step, State, deployment, Now, NewId) is { } command) Commit(command);
        }
    }

    private sealed class Clock(DateTimeOffset now) : TimeProvider
    {
        private DateTimeOffset _now = now;

        public override DateTimeOffset GetUtcNow() => _now;

        public void Advance(TimeSpan by) => _now += by;
    }
}
