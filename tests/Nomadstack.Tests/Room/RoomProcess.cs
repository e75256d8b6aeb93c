// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Processes;

namespace Nomadstack.Tests.Room;

/// <summary>A process that is an entry of the room: it outlives the agent and not a power cut.</summary>
internal sealed class RoomProcess(string name, string node, string address, FakeRoom room) : IOwnedProcess
{
    private ProcessSpec? _spec;

    public string Name => name;

    public int? Pid => Runs ? 1 + Math.Abs((name + node).GetHashCode(StringComparison.Ordinal) % 30_000) : null;

    public ProcessStatus Status => new(Runs, Runs ? new(Pid!.Value, 1, "boot") : null, _spec, null, 0, null);

    private bool IsClient => name.EndsWith("-client", StringComparison.Ordinal);

    /// <summary>Servers are found by the name of their process, for a new agent knows no more.</summary>
    private FakeServer? Server => name.Split('-') is [var product, "server" or "bootstrap"]
        ? room.Raft(product).Servers.FirstOrDefault(s => s.Site.ProcessName == name && s.Site.Address == address) : null;

    private bool Runs => IsClient ? room.Clients.Contains(node) : Server is { Runs: true };

    public Task<ProcessStatus> OpenAsync(CancellationToken cancel) => Task.FromResult(Status);

    public Task<ProcessStatus> StartAsync(ProcessSpec spec, CancellationToken cancel)
    {
        _spec = spec;
        Set(true);
        return Task.FromResult(Status);
    }

    public void Renew(ProcessSpec spec) => _spec = spec;

    public Task StopAsync(int signal, TimeSpan deadline, CancellationToken cancel, Task? useless = null)
    {
        Set(false);
        return Task.CompletedTask;
    }

    public void Signal(int signal) => room.Signals.Add(name);

    public Task ForgetAsync(CancellationToken cancel) => Task.CompletedTask;

    public Task DetachAsync() => Task.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private void Set(bool runs)
    {
        if (runs) room.Starts++;
        if (Server is { } server) server.Runs = runs;
        else if (IsClient && runs) _ = room.Clients.Add(node) && room.Registered.Add(node);
        else if (IsClient) room.Clients.Remove(node);
    }
}
