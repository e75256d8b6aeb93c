// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Http;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Tests.Server;

/// <summary>Servers of the embedded engine in this process: their folders are real, and so are their ports.</summary>
internal sealed class AgentCluster : IAsyncDisposable
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-engine-").FullName;
    private readonly Dictionary<string, JsonObject> _configs = [];

    public Dictionary<string, RunningAgent> Agents { get; } = [];

    public string DataDir(string name) => Path.Combine(_folder, name);

    /// <summary>Makes a configuration as the node agent does, on ports that were free just now.</summary>
    public JsonObject Configure(string name, int expect, params string[] join)
    {
        var ports = FreePorts(3);
        return _configs[name] = new JsonObject
        {
            ["name"] = name,
            ["data_dir"] = DataDir(name),
            ["bind_addr"] = "127.0.0.1",
            ["ports"] = new JsonObject { ["http"] = ports[0], ["rpc"] = ports[1], ["serf"] = ports[2] },
            ["advertise"] = new JsonObject { ["http"] = $"127.0.0.1:{ports[0]}", ["rpc"] = $"127.0.0.1:{ports[1]}", ["serf"] = $"127.0.0.1:{ports[2]}" },
            ["leave_on_interrupt"] = true,
            ["disable_update_check"] = true,
            ["server"] = new JsonObject
            {
                ["enabled"] = true,
                ["bootstrap_expect"] = expect,
                ["raft_protocol"] = 3,
                ["server_join"] = new JsonObject { ["retry_join"] = new JsonArray([.. join.Select(j => (JsonNode)JsonValue.Create(Serf(j)))]), ["retry_interval"] = "1s", ["retry_max"] = 0 },
            },
            ["autopilot"] = new JsonObject { ["server_stabilization_time"] = "1s" },
        };
    }

    /// <summary>One server where access is controlled; nobody has a token yet.</summary>
    public static async Task<AgentCluster> GuardedAsync()
    {
        var cluster = new AgentCluster();
        cluster.Configure("s1", expect: 1)["acl"] = new JsonObject { ["enabled"] = true, ["token_min_expiration_ttl"] = "1ms" };
        await cluster.StartAsync("s1");
        return cluster;
    }

    public string Serf(string name) => $"127.0.0.1:{(int)_configs[name]["ports"]!["serf"]!}";

    /// <summary>To be changed before the next start.</summary>
    public JsonObject ConfigurationOf(string name) => _configs[name];

    public static async Task<AgentCluster> OneAsync()
    {
        var cluster = new AgentCluster();
        cluster.Configure("s1", expect: 1);
        await cluster.StartAsync("s1");
        await cluster.Agents["s1"].WithLeaderAsync();
        return cluster;
    }

    public async Task<RunningAgent> StartAsync(string name)
    {
        var agent = new RunningAgent(ConfigReader.Read((JsonObject)_configs[name].DeepClone()));
        await agent.StartAsync();
        return Agents[name] = agent;
    }

    public async Task StopAsync(string name)
    {
        if (Agents.Remove(name, out var agent)) await agent.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var name in Agents.Keys.ToList()) await StopAsync(name);
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Waits for a condition that is seen through the API. A failure tells what all logs said.</summary>
    public async Task EventuallyAsync(string what, Func<Task<bool>> holds)
    {
        using var late = new CancellationTokenSource(Deadline);
        while (!late.IsCancellationRequested)
        {
            if (await holds()) return;
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        }

        throw new TimeoutException($"Not within {Deadline}: {what}\n{string.Join('\n', Agents.Select(a => $"--- {a.Key}\n{a.Value.Log}"))}");
    }

    private static int[] FreePorts(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(l => l.Start());
        var ports = listeners.Select(l => ((IPEndPoint)l.LocalEndpoint).Port).ToArray();
        listeners.ForEach(l => l.Stop());
        return ports;
    }
}

/// <summary>One server, and a client of its API.</summary>
internal sealed class RunningAgent : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ApiHost _api;
    private readonly MemoryLog _log = new();
    private Task _running = Task.CompletedTask;

    public RunningAgent(AgentConfig config)
    {
        Tls = AgentTls.Open(config);
        Server = new NomadServer(config, Tls, TimeProvider.System, _log);
        _api = new ApiHost(new AgentParts(config, Tls, TimeProvider.System, Server, null) { Log = Tap }, _log);
        Http = config.Tls.Http ? TestPki.Client(config.Tls, $"https://{config.Advertise.Http}") : new HttpClient { BaseAddress = new Uri($"http://{config.Advertise.Http}"), Timeout = TimeSpan.FromSeconds(60) };
    }

    public AgentTls Tls { get; }

    public NomadServer Server { get; }

    /// <summary>What others read along of its log.</summary>
    public LogTap Tap { get; } = new();

    public HttpClient Http { get; }

    public string Log => _log.Text;

    public async Task StartAsync()
    {
        await _api.StartAsync(CancellationToken.None);
        _running = Server.RunAsync(_stop.Token);
    }

    public async Task WithLeaderAsync()
    {
        using var late = new CancellationTokenSource(AgentCluster.Deadline);
        await Server.LeaderAsync(late.Token);
    }

    /// <param name="token">The one of the default headers when null.</param>
    public async Task<(int Status, string Text)> SendAsync(string method, string path, string? body = null, string? token = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (token is not null) request.Headers.Add("X-Nomad-Token", token);
        if (body is not null) request.Content = new StringContent(body);
        using var response = await Http.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    /// <summary>The answer to a call that must succeed.</summary>
    public async Task<JsonNode?> JsonAsync(string method, string path, string? body = null)
    {
        var (status, text) = await SendAsync(method, path, body);
        if (status != 200) throw new InvalidOperationException($"{method} {path}: {status} {text}\n{Log}");
        return text.Length > 0 ? JsonNode.Parse(text) : null;
    }

    /// <summary>Makes the first token, and shows it with every call from then on.</summary>
    public async Task<string> BootstrapAsync()
    {
        var secret = (string)(await JsonAsync("PUT", "/v1/acl/bootstrap"))!["SecretID"]!;
        Http.DefaultRequestHeaders.Add("X-Nomad-Token", secret);
        return secret;
    }

    /// <summary>A token of a policy that has these rules and its name.</summary>
    public async Task<string> TokenAsync(string name, string rules)
    {
        await JsonAsync("PUT", $"/v1/acl/policy/{name}", new JsonObject { ["Name"] = name, ["Rules"] = rules }.ToJsonString());
        return (string)(await JsonAsync("PUT", "/v1/acl/token", new JsonObject { ["Name"] = name, ["Type"] = "client", ["Policies"] = new JsonArray(name) }.ToJsonString()))!["SecretID"]!;
    }

    public Task<JsonNode?> GetAsync(string path) => JsonAsync("GET", path);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        await _api.DisposeAsync();
        await Server.DisposeAsync();
        Http.Dispose();
        _stop.Dispose();
    }
}

/// <summary>Keeps what is logged for the message of a failed test.</summary>
internal sealed class MemoryLog : ILogger
{
    private readonly List<string> _lines = [];

    public string Text
    {
        get
        {
            lock (_lines) return string.Join('\n', _lines);
        }
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_lines) _lines.Add($"{logLevel}: {formatter(state, exception)} {exception}");
    }
}
