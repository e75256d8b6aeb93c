// SPDX-License-Identifier: MPL-2.0
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Ground.Protocol;

namespace Nomadstack.Engine.Client.Plugins;

/// <summary>A task of a plugin: what it was started with, its handle, and the FIFOs its output comes through.</summary>
internal sealed class PluginTask : IAsyncDisposable
{
    private readonly SemaphoreSlim _recovering = new(1, 1);
    private readonly FifoLog[] _logs;

    public PluginTask(Drivers.TaskConfig config, Poller poller, ILogger log)
    {
        _logs = [Log("stdout"), Log("stderr")];
        Config = ConfigOf(config);

        FifoLog Log(string stream)
        {
            var limits = config.Task.LogConfig;
            config.Folders.BuildShared();
            return new(Fifo(config, stream), new LogRotator(config.Folders.Logs, $"{config.Task.Name}.{stream}", limits.MaxFiles, limits.MaxFileSizeMB * 1024L * 1024), poller, log);
        }
    }

    public Ground.Protocol.TaskConfig Config { get; }

    public Ground.Protocol.TaskHandle? Handle { get; set; }

    /// <summary>The instance that has it.</summary>
    public PluginInstance? KnownTo { get; set; }

    /// <summary>Gives the task to an instance that does not have it yet.</summary>
    /// <exception cref="RpcException">It does not take it.</exception>
    public async Task MakeKnownAsync(PluginInstance instance, CancellationToken cancel)
    {
        await _recovering.WaitAsync(cancel);
        try
        {
            if (KnownTo == instance) return;
            await instance.Driver.RecoverTaskAsync(new() { Handle = Handle }, cancellationToken: cancel);
            KnownTo = instance;
        }
        finally
        {
            _recovering.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var log in _logs) await log.DisposeAsync();
        _recovering.Dispose();
    }

    private static string Fifo(Drivers.TaskConfig config, string stream) => Path.Combine(config.Folders.Logs, $".{config.Task.Name}.{stream}.fifo");

    private static Ground.Protocol.TaskConfig ConfigOf(Drivers.TaskConfig config)
    {
        var allocation = config.Allocation;
        var given = allocation.AllocatedResources.Tasks.GetValueOrDefault(config.Task.Name) ?? new();
        var limit = Math.Max(given.Memory.MemoryMB, given.Memory.MemoryMaxMB);
        var message = new Ground.Protocol.TaskConfig
        {
            Id = config.Id,
            Name = config.Task.Name,
            AllocDir = config.Folders.Root,
            StdoutPath = Fifo(config, "stdout"),
            StderrPath = Fifo(config, "stderr"),
            TaskGroupName = allocation.TaskGroup,
            JobName = allocation.Job.Name,
            JobId = allocation.Job.ID,
            AllocId = allocation.ID,
            Namespace = allocation.Namespace,
            NodeName = allocation.NodeName,
            NodeId = allocation.NodeID,
            Resources = new()
            {
                AllocatedResources = new() { Cpu = new() { CpuShares = given.Cpu.CpuShares }, Memory = new() { MemoryMb = given.Memory.MemoryMB, MemoryMaxMb = given.Memory.MemoryMaxMB } },
                LinuxResources = new() { CpuShares = given.Cpu.CpuShares, MemoryLimitBytes = limit * 1024 * 1024, PercentTicks = config.NodeCpu > 0 ? given.Cpu.CpuShares / (double)config.NodeCpu : 0 },
            },
        };
        message.Env.Add(config.Environment.ToDictionary(e => e.Key, e => e.Value));
        foreach (var port in allocation.AllocatedResources.Shared.Ports ?? [])
            message.Resources.Ports.Add(new PortMapping { Label = port.Label, Value = port.Value, To = port.To, HostIp = port.HostIP });
        if (config.Config is { } decoded) message.MsgpackDriverConfig = ByteString.CopyFrom(MsgpackWriter.Write(decoded));
        return message;
    }
}
