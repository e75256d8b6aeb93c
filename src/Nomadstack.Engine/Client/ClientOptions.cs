// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;

namespace Nomadstack.Engine.Client;

/// <summary>The <c>client</c> block of an agent's configuration, as far as this client knows it.</summary>
internal sealed record ClientOptions
{
    /// <summary>Of the client: <c>client-id</c>, <c>secret-id</c> and the state of its allocations.</summary>
    public required string StateDir { get; init; }

    public required string AllocDir { get; init; }
    public required string Version { get; init; }

    /// <summary>The host's name when empty.</summary>
    public string NodeName { get; init; } = "";

    public string Region { get; init; } = "global";
    public string Datacenter { get; init; } = "dc1";
    public string NodeClass { get; init; } = "";
    public IReadOnlyDictionary<string, string> Meta { get; init; } = new Dictionary<string, string>();
    public string HttpAddress { get; init; } = "";
    public bool HttpSpeaksTls { get; init; }

    /// <summary>That of the default route when empty.</summary>
    public string NetworkInterface { get; init; } = "";

    /// <summary>MHz; 0 to find out.</summary>
    public int CpuTotalCompute { get; init; }

    public int MemoryTotalMB { get; init; }
    public long ReservedCpu { get; init; }
    public long ReservedMemoryMB { get; init; }
    public long ReservedDiskMB { get; init; }
    public string ReservedPorts { get; init; } = "";
    public int MinDynamicPort { get; init; } = 20000;
    public int MaxDynamicPort { get; init; } = 32000;
    public bool RawExecEnabled { get; init; }

    /// <summary>Every executable file in it is a plugin; null for none.</summary>
    public string? PluginDir { get; init; }

    /// <summary><c>plugin</c> blocks, by the name of the plugin's file.</summary>
    public IReadOnlyDictionary<string, PluginOptions> Plugins { get; init; } = new Dictionary<string, PluginOptions>();

    public TimeSpan MaxKillTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>With more allocations than this, those that ended first are deleted.</summary>
    public int GcMaxAllocs { get; init; } = 50;

    /// <summary>What no task inherits from the client's environment.</summary>
    public IReadOnlyList<string> EnvironmentDenylist { get; init; } =
        ["CONSUL_TOKEN", "CONSUL_HTTP_TOKEN", "VAULT_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS"];
}

internal sealed record PluginOptions(IReadOnlyList<string> Args, JsonElement? Config);
