// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Engine.Client.Plugins;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Rpc;

namespace Nomadstack.Engine.Client;

/// <summary>The client half of an agent: its drivers, its servers and what it runs. When it is gone its tasks run on, and the next one takes them over.</summary>
internal sealed class NomadClient : IAsyncDisposable
{
    private const string RawExecName = "raw_exec";
    private const string RawExecSwitch = "driver.raw_exec.enable";

    private readonly FileStream _lock;
    private readonly Poller _poller;
    private readonly FileWatch _files;
    private readonly RawExec? _rawExec;
    private readonly IReadOnlyList<PluginDriver> _plugins;

    private NomadClient(ClientOptions options, IReadOnlyList<string> servers, AgentTls tls, FileStream held, Poller poller, IReadOnlyList<PluginDriver> plugins, TimeProvider time, ILoggerFactory loggers)
    {
        (Options, _lock, _poller, _plugins, _files) = (options, held, poller, plugins, new FileWatch(poller));
        Servers = new RemoteServers(servers, tls, time);
        if (options.RawExecEnabled) _rawExec = new RawExec(Path.Combine(options.StateDir, RawExecName), poller, _files, time, loggers.CreateLogger<RawExec>());
        IReadOnlyList<ITaskDriver> drivers = _rawExec is null ? plugins : [_rawExec, .. plugins];
        Agent = new ClientAgent(options, Servers, drivers, time, loggers.CreateLogger<ClientAgent>());
    }

    public ClientOptions Options { get; }

    public RemoteServers Servers { get; }

    public ClientAgent Agent { get; }

    public FileWatch Files => _files;

    public HostUsage Host { get; } = new();

    /// <summary>Launches the plugins; nothing runs and nobody is asked yet.</summary>
    /// <exception cref="ClientStateException">Its folder is damaged, or another client has it.</exception>
    /// <exception cref="PluginException">A plugin cannot be used.</exception>
    /// <exception cref="ConfigException">Something about its drivers is not known here.</exception>
    public static async Task<NomadClient> StartAsync(AgentConfig config, AgentTls tls, TimeProvider time, ILoggerFactory loggers, CancellationToken cancel)
    {
        var options = OptionsOf(config);
        var held = Hold(options.StateDir);
        var poller = Poller.Start();
        IReadOnlyList<PluginDriver> plugins = [];
        try
        {
            plugins = await PluginFolder.StartAsync(options, poller, time, loggers.CreateLogger("plugins"), cancel);
            // Beside a server the client starts with that one, and learns of the others from it.
            IReadOnlyList<string> servers = config.Server is null ? [.. config.Client!.Servers.Select(s => HostPort.Complete(s, AgentPorts.DefaultRpc))] : [config.Advertise.Rpc];
            return new NomadClient(options, servers, tls, held, poller, plugins, time, loggers);
        }
        catch
        {
            foreach (var plugin in plugins) await plugin.DisposeAsync();
            poller.Dispose();
            await held.DisposeAsync();
            throw;
        }
    }

    /// <summary>Until it is cancelled; all tasks run on then.</summary>
    public Task RunAsync(CancellationToken stop) => Agent.RunAsync(stop);

    public async ValueTask DisposeAsync()
    {
        if (_rawExec is not null) await _rawExec.DisposeAsync();
        foreach (var plugin in _plugins) await plugin.DisposeAsync();
        await _files.DisposeAsync();
        _poller.Dispose();
        Servers.Dispose();
        await _lock.DisposeAsync();
    }

    /// <summary>Two clients on one folder would start every task twice.</summary>
    private static FileStream Hold(string folder)
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, "lock");
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new ClientStateException($"{path} is locked by another client ({e.Message}). Stop that client, or give this client its own data_dir.", e);
        }
    }

    /// <exception cref="ConfigException" />
    internal static ClientOptions OptionsOf(AgentConfig config)
    {
        var client = config.Client!;
        return new ClientOptions
        {
            StateDir = client.StateDir ?? Path.Combine(config.DataDir, "client"),
            AllocDir = client.AllocDir ?? Path.Combine(config.DataDir, "alloc"),
            Version = EngineVersion.Text,
            NodeName = config.Name,
            Region = config.Region,
            Datacenter = config.Datacenter,
            NodeClass = client.NodeClass,
            Meta = client.Meta,
            HttpAddress = config.Advertise.Http,
            HttpSpeaksTls = config.Tls.Http,
            NetworkInterface = client.NetworkInterface,
            CpuTotalCompute = client.CpuTotalCompute,
            MemoryTotalMB = client.MemoryTotalMB,
            ReservedCpu = client.Reserved.Cpu,
            ReservedMemoryMB = client.Reserved.MemoryMB,
            ReservedDiskMB = client.Reserved.DiskMB,
            ReservedPorts = client.Reserved.Ports,
            MinDynamicPort = client.MinDynamicPort,
            MaxDynamicPort = client.MaxDynamicPort,
            MaxKillTimeout = client.MaxKillTimeout ?? new ClientOptions { StateDir = "", AllocDir = "", Version = "" }.MaxKillTimeout,
            GcMaxAllocs = client.GcMaxAllocs,
            PluginDir = config.PluginDir ?? Path.Combine(config.DataDir, "plugins"),
            RawExecEnabled = RawExecEnabled(config),
            Plugins = config.Plugins.Where(p => p.Key != RawExecName).ToDictionary(p => p.Key, p => new PluginOptions(p.Value.Args, Element(p.Value.Config)), StringComparer.Ordinal),
        };
    }

    /// <summary>Off unless it is asked for: whoever may register a job could run anything as the client's user.</summary>
    private static bool RawExecEnabled(AgentConfig config)
    {
        if (config.Client!.Options.GetValueOrDefault(RawExecSwitch) is { } text) return text is "1" or "true";
        if (config.Plugins.GetValueOrDefault(RawExecName)?.Config is not { } node) return false;
        if ((node is JsonArray { Count: 1 } list ? list[0] : node) is not JsonObject block) throw new ConfigException([$"plugin.{RawExecName}.config: a block is expected"]);
        var unknown = block.Where(p => p.Key != "enabled").Select(p => $"plugin.{RawExecName}.config.{p.Key}: the embedded engine does not know this key").ToList();
        if (unknown.Count > 0) throw new ConfigException(unknown);
        return block["enabled"]?.GetValueKind() == JsonValueKind.True;
    }

    private static JsonElement? Element(JsonNode? node)
    {
        if ((node is JsonArray { Count: 1 } list ? list[0] : node) is not { } value) return null;
        using var document = JsonDocument.Parse(value.ToJsonString());
        return document.RootElement.Clone();
    }
}
