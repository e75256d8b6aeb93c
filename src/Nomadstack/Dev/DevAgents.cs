// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Nomadstack.Cluster;
using Nomadstack.Processes;
using Nomadstack.Storage;

namespace Nomadstack.Dev;

/// <summary>
/// The init system of a <see cref="DevRoom"/>. Starts a node's agent, and starts it again when it ends, as long as the node has power.
/// The agents run in sessions of their own, so that Ctrl-C reaches only this program. They outlive it, and the next run adopts them.
/// </summary>
internal sealed class DevAgents : IAsyncDisposable
{
    private static readonly TimeSpan s_plugPoll = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_stopDeadline = TimeSpan.FromSeconds(15);

    private readonly DataFolderLock _owner;
    private readonly ProcessWatcher _watcher = ProcessWatcher.Start();
    private readonly Dictionary<string, SupervisedProcess> _agents;
    private readonly ConcurrentDictionary<string, int> _exits = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly DevRoom _room;
    private readonly string _program;

    /// <param name="room">Its nodes.</param>
    /// <param name="program">Path of this program's own file.</param>
    /// <exception cref="ProblemException"><c>agent/already-running</c>: another process runs these nodes.</exception>
    public DevAgents(DevRoom room, string program, TimeProvider time)
    {
        (_room, _program) = (room, program);
        _owner = DataFolderLock.Take(room.Folder);
        var spawner = new ProcessSpawner(room.Folder);
        _agents = room.Nodes.ToDictionary(node => node.Name, node => new SupervisedProcess(node.ProcessName, Path.Combine(room.Folder, "processes"), spawner, _watcher, time)
        {
            BeforeRestart = cancel => PowerAsync(node, time, cancel),
            OnEvent = e =>
            {
                if (e.Kind == ProcessEventKind.Exited) _exits.AddOrUpdate(node.Name, 1, (_, n) => n + 1);
            },
        });
    }

    /// <summary>Starts the node's agent, or adopts the one that runs.</summary>
    public async Task StartAsync(DevNode node, IReadOnlyList<string> arguments, CancellationToken cancel)
    {
        var agent = _agents[node.Name];
        if ((await agent.OpenAsync(cancel)).Running is not null) return;
        await agent.StartAsync(new(node.ProcessName, _program, ["agent", "--data-dir", node.Paths.Data, "--bind", node.Address, "--name", node.Name, .. arguments], LogFile(node)), cancel);
    }

    /// <summary>How often the agent has ended since this program looks after it. Each time it is started again.</summary>
    public int Ends(DevNode node) => _exits.GetValueOrDefault(node.Name);

    /// <summary>What the agent said last.</summary>
    public string LastWords(DevNode node) => string.Join('\n', LogTail.LastLines(LogFile(node), 3));

    /// <summary>Ends an agent that does nothing any more, for the next one to take its processes over.</summary>
    /// <returns>Whether there was one.</returns>
    public bool Kill(DevNode node)
    {
        if (_agents[node.Name].Status.Running is null) return false;
        try
        {
            _agents[node.Name].Signal(Signals.SIGKILL);
            return true;
        }
        catch (ProblemException e) when (e.Problem.Code == "process/not-running")
        {
            return false;
        }
    }

    public string LogFile(DevNode node) => Path.Combine(_room.Folder, node.ProcessName + ".log");

    /// <summary>Ends every agent for good. <paramref name="stop"/> is tried first: it also stops the agent's processes.</summary>
    public async Task StopAsync(Func<DevNode, Task> stop, CancellationToken cancel)
    {
        // From here on, an agent that ends is not started again.
        await _stopping.CancelAsync();
        await Task.WhenAll(_room.Nodes.Select(async node =>
        {
            if (node.AgentRuns) await stop(node);
            await _agents[node.Name].StopAsync(Signals.SIGTERM, s_stopDeadline, cancel);
        }));
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_agents.Values.Select(agent => agent.DetachAsync()));
        _watcher.Dispose();
        _owner.Dispose();
        _stopping.Dispose();
    }

    private async Task PowerAsync(DevNode node, TimeProvider time, CancellationToken cancel)
    {
        while (!node.HasPower || _stopping.IsCancellationRequested) await Task.Delay(s_plugPoll, time, cancel);
    }
}
