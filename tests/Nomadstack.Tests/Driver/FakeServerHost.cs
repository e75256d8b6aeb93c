// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Nomadstack.Driver;

namespace Nomadstack.Tests.Driver;

/// <summary>Claims without servers: every role is served by the process and the log file that the test names.</summary>
internal sealed class FakeServerHost(string logFolder) : IServerHost
{
    public IReadOnlyCollection<string> Roles { get; } = Role.All;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, (ServerClaim Claim, TaskCompletionSource Ended)> _byRole = [];
    private readonly ConcurrentDictionary<string, Task> _ended = new();
    private readonly ConcurrentDictionary<Channel<ServerEvent>, bool> _readers = new();

    public List<string> Calls { get; } = [];

    public Exception? ClaimFails { get; set; }

    public int? ServerPid { get; set; } = Environment.ProcessId;

    public List<(string Role, int Signal)> Signals { get; } = [];

    public Task ClaimAsync(ServerClaim claim, CancellationToken cancel)
    {
        lock (_gate)
        {
            Calls.Add($"claim {claim.Role} {claim.TaskId}");
            if (ClaimFails is not null) throw ClaimFails;
            if (_byRole.TryGetValue(claim.Role, out var held))
            {
                if (held.Claim.TaskId == claim.TaskId) return Task.CompletedTask;
                held.Ended.SetResult();
            }

            var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _byRole[claim.Role] = (claim, ended);
            _ended[claim.TaskId] = ended.Task;
        }

        return Task.CompletedTask;
    }

    /// <summary>What an agent finds that starts again: the records, and in them who holds which server.</summary>
    public FakeServerHost AfterARestart(string folder)
    {
        var next = new FakeServerHost(folder);
        lock (_gate)
        {
            foreach (var (role, held) in _byRole)
            {
                var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                next._byRole[role] = (held.Claim, ended);
                next._ended[held.Claim.TaskId] = ended.Task;
            }
        }

        return next;
    }

    public Task ReleaseAsync(string taskId, CancellationToken cancel)
    {
        lock (_gate)
        {
            Calls.Add($"release {taskId}");
            foreach (var (role, held) in _byRole)
            {
                if (held.Claim.TaskId != taskId) continue;
                _byRole.Remove(role);
                held.Ended.SetResult();
                break;
            }
        }

        return Task.CompletedTask;
    }

    public Task ReleasedAsync(string taskId, CancellationToken cancel) => _ended.TryGetValue(taskId, out var ended) ? ended.WaitAsync(cancel) : Task.CompletedTask;

    public bool Holds(string taskId)
    {
        lock (_gate) return _byRole.Values.Any(held => held.Claim.TaskId == taskId);
    }

    public int? Pid(string role) => ServerPid;

    public string LogFile(string role) => Path.Combine(logFolder, role + ".log");

    public void Signal(string role, int signal) => Signals.Add((role, signal));

    public void Tell(ServerEvent e)
    {
        foreach (var reader in _readers.Keys) reader.Writer.TryWrite(e);
    }

    public void FailEvents(Exception why)
    {
        foreach (var reader in _readers.Keys) reader.Writer.TryComplete(why);
    }

    public int Readers => _readers.Count;

    public async IAsyncEnumerable<ServerEvent> EventsAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        var channel = Channel.CreateUnbounded<ServerEvent>();
        _readers[channel] = true;
        try
        {
            await foreach (var e in channel.Reader.ReadAllAsync(cancel)) yield return e;
        }
        finally
        {
            _readers.TryRemove(channel, out _);
        }
    }
}
