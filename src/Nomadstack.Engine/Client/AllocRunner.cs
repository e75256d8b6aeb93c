// SPDX-License-Identifier: MPL-2.0
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>Runs one allocation: its folders, its tasks, what one's failure means for the others, its health, and what the servers are told of it.</summary>
internal sealed partial class AllocRunner
{
    private readonly Lock _gate = new();
    private readonly TaskSite _site;
    private readonly ClientState _state;
    private readonly Action<ClientUpdate> _report;
    private readonly ILogger _log;
    private readonly TaskEvents _events;
    private readonly Dictionary<string, TaskRunner> _tasks;
    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly TaskCompletionSource _terminal = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _killed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly bool _restored;
    private AllocDeploymentStatus? _health;
    private DateTimeOffset _watchedSince;
    private bool _saving;

    /// <param name="record">Of an earlier run of the client; null for a new allocation.</param>
    /// <param name="report">Takes what the servers shall know.</param>
    public AllocRunner(TaskSite site, ClientState state, Allocation allocation, AllocRecord? record, Action<ClientUpdate> report, ILogger log)
    {
        (_site, _state, Allocation, _report, _log) = (site, state, allocation, report, log);
        _events = new(site.Time);
        _restored = record is not null;
        _health = record?.DeploymentStatus ?? allocation.DeploymentStatus;
        _watchedSince = site.Time.GetUtcNow();
        Folders = new AllocDir(Path.Combine(site.Options.AllocDir, allocation.ID));
        _tasks = (allocation.Group?.Tasks ?? []).ToDictionary(t => t.Name, t => new TaskRunner(site, allocation, t, Folders, record?.Tasks.GetValueOrDefault(t.Name), Changed, log), StringComparer.Ordinal);
        _saving = true;
        if (!_restored) Save();
    }

    /// <summary>As the servers last gave it.</summary>
    public Allocation Allocation { get; private set; }

    public AllocDir Folders { get; }

    public IReadOnlyDictionary<string, TaskRunner> Tasks => _tasks;

    /// <summary>Completes when no task will run any more.</summary>
    public Task Terminal => _terminal.Task;

    public DateTimeOffset? EndedAt { get; private set; }

    private Dictionary<string, TaskState> States => _tasks.ToDictionary(t => t.Key, t => t.Value.State);

    public async Task RestoreAsync(CancellationToken cancel)
    {
        foreach (var task in _tasks.Values) await task.RestoreAsync(cancel);
    }

    /// <summary>Until all tasks have ended. Cancelling leaves them running.</summary>
    /// <param name="previous">Completes when the allocation that this one replaces has ended.</param>
    public async Task RunAsync(Task previous, CancellationToken stop)
    {
        using var health = _site.Time.CreateTimer(_ => _changes.Writer.TryWrite(true), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        using var done = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var following = FollowAsync(health, done.Token);
        try
        {
            Changed();
            if (await SetUpAsync(previous, stop)) await Task.WhenAll(_tasks.Values.Select(t => t.RunAsync(stop)));
        }
        finally
        {
            await done.CancelAsync();
            await following;
        }

        HandleStates(health);
        EndedAt = _site.Time.GetUtcNow();
        _terminal.TrySetResult();
    }

    /// <summary>What the servers changed; ends the tasks when they shall not run any more.</summary>
    public void Update(Allocation allocation)
    {
        var stops = !Allocation.ServerTerminal && allocation.ServerTerminal;
        // Another deployment asks anew whether it is healthy.
        if (allocation.DeploymentID != Allocation.DeploymentID) (_health, _watchedSince) = (null, _site.Time.GetUtcNow());
        Allocation = allocation;
        foreach (var task in _tasks.Values) task.Update(allocation);
        if (stops) Kill();
        Changed();
    }

    public void Kill()
    {
        if (!_killed.TrySetResult()) return;
        foreach (var task in _tasks.Values) task.Kill();
    }

    /// <summary>Forgets it: its folders and its state.</summary>
    /// <remarks>Only after <see cref="RunAsync"/> has ended.</remarks>
    public void Destroy()
    {
        lock (_gate) _saving = false;
        Folders.Delete();
        _state.Delete(Allocation.ID);
    }

    /// <summary>What the servers are to know.</summary>
    public ClientUpdate Report()
    {
        var states = States;
        var (status, description) = Status(states.Values);
        var health = _health;
        if (status == ClientStatus.Failed && Allocation.DeploymentID.Length > 0 && health?.Healthy is null) health = new() { Healthy = false, Timestamp = _site.Time.GetUtcNow() };
        return new(Allocation.ID, status, description, states, health);
    }

    internal static (string Status, string Description) Status(IReadOnlyCollection<TaskState> states) =>
        states.Any(s => s is { State: TaskState.Dead, Failed: true }) ? (ClientStatus.Failed, "Failed tasks")
        : states.Any(s => s.State == TaskState.Running) ? (ClientStatus.Running, "Tasks are running")
        : states.Any(s => s.State == TaskState.Pending) ? (ClientStatus.Pending, "No tasks have started")
        : (ClientStatus.Complete, "All tasks have completed");

    /// <summary>False when the tasks were declared failed instead.</summary>
    private async Task<bool> SetUpAsync(Task previous, CancellationToken stop)
    {
        if (Allocation.Terminal || _tasks.Values.All(t => t.Dead)) return true;
        try
        {
            Folders.BuildShared();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            foreach (var task in _tasks.Values) task.FailSetup(e.Message);
            return false;
        }

        // A stop that comes while this waits must not wait as well.
        await Task.WhenAny(previous, _killed.Task).WaitAsync(stop);
        return true;
    }
}
