// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Tests.Server;

/// <summary>A client without tasks: whatever it is given runs at once and is healthy, unless that is for an operator to say, and ends when it should stop.</summary>
internal sealed class FakeClient : IAsyncDisposable
{
    private readonly RemoteServers _servers;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    private FakeClient(RemoteServers servers, Node node)
    {
        (_servers, Node) = (servers, node);
        _running = RunAsync();
    }

    public Node Node { get; }

    public RemoteServers Servers => _servers;

    public static Task<FakeClient> StartAsync(string name, params string[] servers) => StartAsync(name, TlsConfig.Off, servers);

    public static async Task<FakeClient> StartAsync(string name, TlsConfig tls, params string[] servers)
    {
        var remote = new RemoteServers(servers, AgentTls.Open(AgentConfigs.Client(name, tls)), TimeProvider.System);
        var node = Specimen(name);
        await remote.RegisterAsync(node, CancellationToken.None);
        await remote.HeartbeatAsync(node.ID, node.SecretID, CancellationToken.None);
        return new FakeClient(remote, node);
    }

    public static Node Specimen(string name) => new()
    {
        ID = Guid.NewGuid().ToString(),
        SecretID = Guid.NewGuid().ToString(),
        Name = name,
        Datacenter = "dc1",
        HTTPAddr = "127.0.0.1:1",
        Status = NodeStatus.Initializing,
        Attributes = new Dictionary<string, string> { ["driver.raw_exec"] = "1", ["nomad.version"] = "1.6.0", ["kernel.name"] = "linux" },
        NodeResources = new NodeResources { Cpu = new NodeCpu { CpuShares = 4000, TotalCpuCores = 2 }, Memory = new NodeMemory { MemoryMB = 4000 }, Disk = new NodeDisk { DiskMB = 20000 } },
        Drivers = new Dictionary<string, DriverStatus> { ["raw_exec"] = new() { Detected = true, Healthy = true, HealthDescription = "Healthy" } },
    };

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _servers.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        var seen = 0L;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var mine = await _servers.NodeAllocationsAsync(Node.ID, Node.SecretID, seen, _stop.Token);
                var (_, found) = await _servers.AllocationsAsync([.. mine.ModifyIndexes.Keys], Node.SecretID, 0, _stop.Token);
                var updates = found.Where(a => !a.ClientTerminal).Select(Follow).OfType<ClientUpdate>().ToList();
                if (updates.Count > 0) await _servers.UpdateAsync(Node.ID, Node.SecretID, updates, _stop.Token);
                seen = mine.Index;
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Engine.Client.NoServerException)
            {
                // Between two leaders; the servers hold the next question for a while.
            }
        }
    }

    private static ClientUpdate? Follow(Allocation allocation)
    {
        var wanted = allocation.ServerTerminal ? ClientStatus.Complete : ClientStatus.Running;
        if (allocation.ClientStatus == wanted) return null;
        var dead = wanted == ClientStatus.Complete;
        var states = allocation.Group!.Tasks.ToDictionary(t => t.Name, _ => new TaskState { State = dead ? TaskState.Dead : TaskState.Running, StartedAt = DateTimeOffset.UtcNow, FinishedAt = dead ? DateTimeOffset.UtcNow : null, Events = [] });
        return new ClientUpdate(allocation.ID, wanted, "", states, allocation.DeploymentID.Length > 0 && !dead && allocation.Group.Update?.HealthCheck != HealthChecks.Manual ? new AllocDeploymentStatus { Healthy = true, Timestamp = DateTimeOffset.UtcNow } : null);
    }
}

/// <summary>As much of a configuration as its reader needs.</summary>
internal static class AgentConfigs
{
    public static AgentConfig Client(string name, TlsConfig tls) => new() { Name = name, DataDir = "/nowhere", Advertise = new("127.0.0.1:1", "127.0.0.1:1", "127.0.0.1:1"), Tls = tls };
}
