// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Text.Json.Nodes;

namespace Nomadstack.Engine.Configuration;

/// <summary>What an agent is told by its files: the part of Nomad's keys that this engine knows.</summary>
internal sealed record AgentConfig
{
    public required string Name { get; init; }
    public required string DataDir { get; init; }
    public string Region { get; init; } = "global";
    public string Datacenter { get; init; } = "dc1";
    public string BindAddr { get; init; } = "127.0.0.1";
    public AgentPorts Ports { get; init; } = new(4646, 4647, 4648);

    /// <summary>Where others reach this agent; complete, with ports.</summary>
    public required Advertised Advertise { get; init; }

    public bool LeaveOnInterrupt { get; init; }
    public bool LeaveOnTerminate { get; init; }
    public string LogLevel { get; init; } = "INFO";
    public ServerConfig? Server { get; init; }
    public ClientConfig? Client { get; init; }
    public AutopilotSettings Autopilot { get; init; } = AutopilotSettings.Default;
    public TlsConfig Tls { get; init; } = TlsConfig.Off;
    public AclConfig Acl { get; init; } = AclConfig.Off;
    public string? PluginDir { get; init; }

    /// <summary>Each key of the files' top level as it was written, to tell what a reload finds changed.</summary>
    public IReadOnlyDictionary<string, string> Written { get; init; } = new Dictionary<string, string>();

    /// <summary>The <c>plugin</c> blocks by name.</summary>
    public IReadOnlyDictionary<string, PluginConfig> Plugins { get; init; } = new Dictionary<string, PluginConfig>();

    /// <summary>As gossip knows a server.</summary>
    public string MemberName => $"{Name}.{Region}";
}

internal sealed record AgentPorts(int Http, int Rpc, int Serf)
{
    public const int DefaultHttp = 4646, DefaultRpc = 4647, DefaultSerf = 4648;
}

/// <summary>Each as <c>host:port</c>.</summary>
internal sealed record Advertised(string Http, string Rpc, string Serf);

internal sealed record ServerConfig
{
    /// <summary>How many servers begin a cluster together; 0 to wait until a cluster takes this one in.</summary>
    public int BootstrapExpect { get; init; }

    public IReadOnlyList<string> RetryJoin { get; init; } = [];
    public TimeSpan RetryInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often joining is tried before the agent gives up; 0 for ever.</summary>
    public int RetryMax { get; init; }

    /// <summary>The first gossip key; null where gossip is not encrypted, or the keyring is there already.</summary>
    public string? Encrypt { get; init; }

    public TimeSpan? FailoverHeartbeatTtl { get; init; }
    public int RaftMultiplier { get; init; } = 1;
}

internal sealed record ClientConfig
{
    public IReadOnlyList<string> Servers { get; init; } = [];
    public TimeSpan? MaxKillTimeout { get; init; }
    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>();
    public IReadOnlyDictionary<string, string> Meta { get; init; } = new Dictionary<string, string>();
    public string NetworkInterface { get; init; } = "";
    public string NodeClass { get; init; } = "";
    public string? StateDir { get; init; }
    public string? AllocDir { get; init; }
    public int CpuTotalCompute { get; init; }
    public int MemoryTotalMB { get; init; }
    public int GcMaxAllocs { get; init; } = 50;
    public int MinDynamicPort { get; init; } = 20000;
    public int MaxDynamicPort { get; init; } = 32000;
    public ClientReserved Reserved { get; init; } = new(0, 0, 0, "");
}

internal sealed record ClientReserved(int Cpu, int MemoryMB, int DiskMB, string Ports);

internal sealed record PluginConfig(IReadOnlyList<string> Args, JsonNode? Config);

/// <summary>Addresses as the configuration writes them.</summary>
internal static class HostPort
{
    /// <param name="address">A host with or without a port; IPv6 in brackets when there is a port.</param>
    public static string Complete(string address, int port) =>
        IPAddress.TryParse(address, out var ip) ? new IPEndPoint(ip, port).ToString()
        : IPEndPoint.TryParse(address, out _) || address.LastIndexOf(':') > 0 ? address
        : $"{address}:{port.ToString(System.Globalization.CultureInfo.InvariantCulture)}";

    public static (string Host, int Port) Split(string address)
    {
        var colon = address.LastIndexOf(':');
        return (address[..colon].Trim('[', ']'), int.Parse(address.AsSpan(colon + 1), System.Globalization.CultureInfo.InvariantCulture));
    }
}
