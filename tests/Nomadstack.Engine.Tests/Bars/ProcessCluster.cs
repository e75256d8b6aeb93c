// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Nomadstack.Engine.Tests.Bars;

/// <summary>Servers and clients as processes of one program, on this machine's loopback. A process that is killed can be started again on its folder.</summary>
internal sealed class ProcessCluster : IAsyncDisposable
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);

    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-bars-").FullName;
    private readonly IReadOnlyList<string> _program;
    private readonly Dictionary<string, (string File, int[] Ports)> _agents = [];
    private readonly Dictionary<string, Process> _running = [];

    /// <param name="program">The program and what comes before <c>agent -config</c>.</param>
    public ProcessCluster(IReadOnlyList<string> program) => _program = program;

    public HttpClient Http { get; } = new(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(1) }) { Timeout = TimeSpan.FromSeconds(20) };

    public IEnumerable<string> Servers => _agents.Keys.Where(n => n.StartsWith('s'));

    public IEnumerable<string> Names => _agents.Keys;

    public string Address(string name) => $"http://127.0.0.1:{_agents[name].Ports[0]}";

    public int Pid(string name) => _running[name].Id;

    public static async Task<ProcessCluster> StartAsync(IReadOnlyList<string> program, int servers, int clients)
    {
        var cluster = new ProcessCluster(program);
        for (var i = 1; i <= servers + clients; i++) cluster.Add(i <= servers ? $"s{i}" : $"c{i - servers}");
        foreach (var name in cluster._agents.Keys) cluster.Write(name, servers);
        foreach (var name in cluster._agents.Keys) cluster.Start(name);
        await cluster.EventuallyAsync("a leader and all nodes", async () =>
            await cluster.LeaderAsync() is not null && (await cluster.GetAsync("s1", "/v1/nodes"))?.AsArray().Count(n => (string?)n!["Status"] == "ready") == clients);
        return cluster;
    }

    public void Start(string name)
    {
        var log = File.Open(Path.Combine(_folder, name + ".log"), FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
        var start = new ProcessStartInfo(_program[0]) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var argument in _program.Skip(1).Concat(["agent", "-config", _agents[name].File])) start.ArgumentList.Add(argument);
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => Append(log, line.Data);
        process.ErrorDataReceived += (_, line) => Append(log, line.Data);
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        _running[name] = process;
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync(string name)
    {
        if (!_running.Remove(name, out var process)) return;
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    /// <summary>The server that says of itself that it leads.</summary>
    public async Task<string?> LeaderAsync()
    {
        foreach (var name in Servers.Where(_running.ContainsKey))
        {
            if ((string?)(await GetAsync(name, "/v1/agent/self"))?["stats"]?["nomad"]?["leader"] == "true") return name;
        }

        return null;
    }

    /// <summary>Null when there is no answer, or no good one.</summary>
    public async Task<JsonNode?> GetAsync(string name, string path)
    {
        try
        {
            using var response = await Http.GetAsync(Address(name) + path);
            return response.IsSuccessStatusCode ? JsonNode.Parse(await response.Content.ReadAsStringAsync()) : null;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return null;
        }
    }

    public async Task<bool> PutAsync(string name, string path, JsonNode body)
    {
        try
        {
            using var response = await Http.PutAsync(Address(name) + path, new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"));
            return response.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return false;
        }
    }

    public async Task EventuallyAsync(string what, Func<Task<bool>> holds, TimeSpan? pause = null)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await holds())
        {
            if (Stopwatch.GetElapsedTime(started) > Deadline) throw new TimeoutException($"Not within {Deadline}: {what}\n{Logs()}");
            await Task.Delay(pause ?? TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
    }

    public string Logs() => string.Join('\n', Directory.EnumerateFiles(_folder, "*.log").Order(StringComparer.Ordinal).Select(f => $"--- {Path.GetFileName(f)}\n{string.Join('\n', ReadShared(f).Split('\n').TakeLast(15))}"));

    public static JsonObject Job(string id, string type, int count, string command, params string[] arguments) => new()
    {
        ["ID"] = id,
        ["Name"] = id,
        ["Type"] = type,
        ["Datacenters"] = new JsonArray("dc1"),
        ["TaskGroups"] = new JsonArray(new JsonObject
        {
            ["Name"] = "g",
            ["Count"] = count,
            ["EphemeralDisk"] = new JsonObject { ["SizeMB"] = 10 },
            ["Tasks"] = new JsonArray(new JsonObject
            {
                ["Name"] = "t",
                ["Driver"] = "raw_exec",
                ["Config"] = new JsonObject { ["command"] = command, ["args"] = new JsonArray([.. arguments.Select(a => (JsonNode)JsonValue.Create(a))]) },
                ["Resources"] = new JsonObject { ["CPU"] = 1, ["MemoryMB"] = 10 },
                ["LogConfig"] = new JsonObject { ["MaxFiles"] = 1, ["MaxFileSizeMB"] = 1 },
            }),
        }),
    };

    public async ValueTask DisposeAsync()
    {
        foreach (var name in _running.Keys.ToList()) await KillAsync(name);
        Http.Dispose();
        foreach (var mount in File.ReadLines("/proc/mounts").Select(l => l.Split(' ')[1]).Where(m => m.StartsWith(_folder, StringComparison.Ordinal)).ToList())
        {
            using var unmount = Process.Start("umount", ["-l", mount]);
            await unmount.WaitForExitAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private void Add(string name)
    {
        var listeners = Enumerable.Range(0, 3).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(l => l.Start());
        _agents[name] = (Path.Combine(_folder, name + ".json"), [.. listeners.Select(l => ((IPEndPoint)l.LocalEndpoint).Port)]);
        listeners.ForEach(l => l.Stop());
    }

    private void Write(string name, int servers)
    {
        var ports = _agents[name].Ports;
        JsonArray Peers(int port) => new([.. Servers.Where(s => s != name).Select(s => (JsonNode)JsonValue.Create($"127.0.0.1:{_agents[s].Ports[port]}"))]);
        var config = new JsonObject
        {
            ["name"] = name,
            ["data_dir"] = Path.Combine(_folder, name),
            ["bind_addr"] = "127.0.0.1",
            ["log_level"] = "INFO",
            ["ports"] = new JsonObject { ["http"] = ports[0], ["rpc"] = ports[1], ["serf"] = ports[2] },
            ["advertise"] = new JsonObject { ["http"] = $"127.0.0.1:{ports[0]}", ["rpc"] = $"127.0.0.1:{ports[1]}", ["serf"] = $"127.0.0.1:{ports[2]}" },
            ["disable_update_check"] = true,
            ["consul"] = new JsonObject { ["auto_advertise"] = false, ["server_auto_join"] = false, ["client_auto_join"] = false },
        };
        if (name.StartsWith('s'))
        {
            config["server"] = new JsonObject
            {
                ["enabled"] = true,
                ["bootstrap_expect"] = servers,
                ["raft_protocol"] = 3,
                ["raft_multiplier"] = 1,
                ["server_join"] = new JsonObject { ["retry_join"] = Peers(2), ["retry_interval"] = "1s", ["retry_max"] = 0 },
            };
            config["autopilot"] = new JsonObject { ["cleanup_dead_servers"] = true, ["min_quorum"] = servers };
        }
        else
        {
            config["client"] = new JsonObject
            {
                ["enabled"] = true,
                ["servers"] = Peers(1),
                ["network_interface"] = "lo",
                ["gc_max_allocs"] = 2000,
                ["cpu_total_compute"] = 100000,
                ["memory_total_mb"] = 100000,
                ["options"] = new JsonObject { ["fingerprint.denylist"] = "env_aws,env_gce,env_azure,env_digitalocean,consul" },
            };
            config["plugin"] = new JsonObject { ["raw_exec"] = new JsonObject { ["config"] = new JsonObject { ["enabled"] = true } } };
        }

        File.WriteAllText(_agents[name].File, config.ToJsonString());
    }

    private static string ReadShared(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    private static void Append(FileStream log, string? line)
    {
        if (line is null) return;
        lock (log)
        {
            log.Write(Encoding.UTF8.GetBytes(line + "\n"));
            log.Flush();
        }
    }
}
