// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;

namespace Nomadstack.Engine.Configuration;

/// <summary>The configuration cannot be used; every reason at once.</summary>
internal sealed class ConfigException(IReadOnlyList<string> complaints) : Exception(string.Join('\n', complaints));

/// <summary>Reads an agent's files, in HCL or JSON. Of several the later ones win key by key. What it does not know it refuses, by name and line.</summary>
internal static class ConfigReader
{
    /// <summary>Lists to which a later file adds, where any other is replaced.</summary>
    private static readonly HashSet<string> s_growing = ["client.servers", "server.retry_join"];

    /// <param name="paths">Files, and folders of files.</param>
    /// <exception cref="ConfigException" />
    public static AgentConfig ReadFiles(IEnumerable<string> paths)
    {
        var merged = new JsonObject();
        var places = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var path in paths)
        {
            try
            {
                foreach (var file in ConfigFile.At(path).Select(ConfigFile.Read))
                {
                    Merge(merged, file.Json, "");
                    foreach (var (key, place) in file.Places) places[key] = place;
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new ConfigException([$"{path}: {e.Message}"]);
            }
        }

        return Read(merged, places);
    }

    /// <exception cref="ConfigException" />
    public static AgentConfig Read(JsonObject json, IReadOnlyDictionary<string, string>? places = null)
    {
        var complaints = new ConfigComplaints(places);
        var root = new ConfigBlock(json, "", complaints);
        var bind = root.Text("bind_addr") ?? "127.0.0.1";
        var ports = Ports(root.Block("ports"));
        var config = new AgentConfig
        {
            Name = root.Text("name") ?? Environment.MachineName,
            DataDir = root.Text("data_dir") ?? "",
            Region = root.Text("region") ?? "global",
            Datacenter = root.Text("datacenter") ?? "dc1",
            BindAddr = bind,
            Ports = ports,
            Advertise = Advertise(root.Block("advertise"), bind, ports),
            LeaveOnInterrupt = root.Flag("leave_on_interrupt", false),
            LeaveOnTerminate = root.Flag("leave_on_terminate", false),
            LogLevel = root.Text("log_level") ?? "INFO",
            Server = Server(root.Block("server")),
            Client = Client(root.Block("client")),
            Autopilot = Autopilot(root.Block("autopilot")),
            Tls = TlsConfig.Of(root.Block("tls"), complaints),
            Acl = AclConfig.Of(root.Block("acl"), complaints),
            PluginDir = root.Text("plugin_dir"),
            Written = json.ToDictionary(p => p.Key, p => p.Value?.ToJsonString() ?? "", StringComparer.Ordinal),
            Plugins = Plugins(root.Block("plugin")),
        };
        IgnoreWhatWeNeverDo(root);
        root.End();
        if (config.DataDir.Length == 0) complaints.Add("data_dir", "must be set to a folder");
        else if (!Path.IsPathRooted(config.DataDir)) complaints.Add("data_dir", "must be given as an absolute path");
        if (config.Server is null && config.Client is null) complaints.Add("server.enabled, client.enabled", "one of them must be true");
        return complaints.All.Count == 0 ? config : throw new ConfigException(complaints.All);
    }

    private static void Merge(JsonObject into, JsonObject later, string path)
    {
        foreach (var (key, value) in later)
        {
            switch (value, into[key])
            {
                case (JsonObject inner, JsonObject existing):
                    Merge(existing, inner, $"{path}{key}.");
                    break;
                case (JsonArray more, JsonArray some) when s_growing.Contains(path + key):
                    foreach (var item in more) some.Add(item?.DeepClone());
                    break;
                default:
                    into[key] = value?.DeepClone();
                    break;
            }
        }
    }

    private static AgentPorts Ports(ConfigBlock? block)
    {
        if (block is null) return new(4646, 4647, 4648);
        var ports = new AgentPorts(block.Number("http", 4646), block.Number("rpc", 4647), block.Number("serf", 4648));
        block.End();
        return ports;
    }

    private static Advertised Advertise(ConfigBlock? block, string bind, AgentPorts ports)
    {
        var advertised = new Advertised(
            HostPort.Complete(block?.Text("http") ?? bind, ports.Http),
            HostPort.Complete(block?.Text("rpc") ?? bind, ports.Rpc),
            HostPort.Complete(block?.Text("serf") ?? bind, ports.Serf));
        block?.End();
        return advertised;
    }

    private static ServerConfig? Server(ConfigBlock? block)
    {
        if (block is null) return null;
        var join = block.Block("server_join");
        var server = new ServerConfig
        {
            BootstrapExpect = block.Number("bootstrap_expect", 0),
            RetryJoin = [.. join?.Texts("retry_join") ?? [], .. block.Texts("retry_join")],
            RetryInterval = join?.Duration("retry_interval") ?? block.Duration("retry_interval") ?? TimeSpan.FromSeconds(30),
            RetryMax = join?.Number("retry_max", 0) ?? block.Number("retry_max", 0),
            Encrypt = block.Text("encrypt") is { Length: > 0 } key ? key : null,
            FailoverHeartbeatTtl = block.Duration("failover_heartbeat_ttl"),
            RaftMultiplier = Math.Max(1, block.Number("raft_multiplier", 1)),
        };
        // There is one raft here, and its servers are known by their ids, as in Nomad's protocol 3.
        _ = block.Number("raft_protocol", 3);
        var enabled = block.Flag("enabled", false);
        join?.End();
        block.End();
        return enabled ? server : null;
    }

    private static AutopilotSettings Autopilot(ConfigBlock? block)
    {
        var otherwise = AutopilotSettings.Default;
        if (block is null) return otherwise;
        var autopilot = new AutopilotSettings(
            block.Flag("cleanup_dead_servers", otherwise.CleanupDeadServers),
            block.Number("min_quorum", otherwise.MinQuorum),
            block.Duration("server_stabilization_time") ?? otherwise.ServerStabilizationTime,
            block.Duration("last_contact_threshold") ?? otherwise.LastContactThreshold,
            block.Number("max_trailing_logs", otherwise.MaxTrailingLogs));
        block.End();
        return autopilot;
    }

    private static ClientConfig? Client(ConfigBlock? block)
    {
        if (block is null) return null;
        var (join, reserved) = (block.Block("server_join"), block.Block("reserved"));
        var client = new ClientConfig
        {
            Servers = [.. block.Texts("servers"), .. join?.Texts("retry_join") ?? []],
            MaxKillTimeout = block.Duration("max_kill_timeout"),
            Options = block.Map("options"),
            Meta = block.Map("meta"),
            NetworkInterface = block.Text("network_interface") ?? "",
            NodeClass = block.Text("node_class") ?? "",
            StateDir = block.Text("state_dir"),
            AllocDir = block.Text("alloc_dir"),
            CpuTotalCompute = block.Number("cpu_total_compute", 0),
            MemoryTotalMB = block.Number("memory_total_mb", 0),
            GcMaxAllocs = block.Number("gc_max_allocs", 50),
            MinDynamicPort = block.Number("min_dynamic_port", 20000),
            MaxDynamicPort = block.Number("max_dynamic_port", 32000),
            Reserved = new(reserved?.Number("cpu", 0) ?? 0, reserved?.Number("memory", 0) ?? 0, reserved?.Number("disk", 0) ?? 0, reserved?.Text("reserved_ports") ?? ""),
        };
        // A client here asks again by itself, forever.
        _ = join?.Duration("retry_interval");
        _ = join?.Number("retry_max", 0);
        var enabled = block.Flag("enabled", false);
        join?.End();
        reserved?.End();
        block.End();
        return enabled ? client : null;
    }

    private static Dictionary<string, PluginConfig> Plugins(ConfigBlock? block)
    {
        var plugins = new Dictionary<string, PluginConfig>(StringComparer.Ordinal);
        foreach (var name in block?.Keys ?? [])
        {
            if (block!.Block(name) is not { } plugin) continue;
            plugins[name] = new PluginConfig(plugin.Texts("args"), plugin.Any("config")?.DeepClone());
            plugin.End();
        }

        return plugins;
    }

    /// <summary>Known to Nomad, and of no effect here whatever they say: this engine asks nobody for updates, and does not speak to Consul.</summary>
    private static void IgnoreWhatWeNeverDo(ConfigBlock root)
    {
        _ = root.Flag("disable_update_check", true);
        _ = root.Flag("disable_anonymous_signature", true);
        if (root.Block("consul") is not { } consul) return;
        foreach (var key in new[] { "auto_advertise", "server_auto_join", "client_auto_join", "checks_use_advertise", "ssl", "verify_ssl" }) _ = consul.Flag(key, false);
        foreach (var key in new[] { "address", "ca_file", "cert_file", "key_file", "token" }) _ = consul.Text(key);
        consul.End();
    }
}
