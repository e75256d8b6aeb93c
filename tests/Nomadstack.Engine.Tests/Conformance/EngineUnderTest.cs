// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Http;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.Tests.Server;
using Xunit;

namespace Nomadstack.Engine.Tests.Conformance;

/// <summary>One agent that is server and client, of either engine, under the same configuration. The tests see nothing of it but its API.</summary>
public abstract class EngineUnderTest : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    private static readonly HttpClient s_http = new() { Timeout = TimeSpan.FromSeconds(60) };

    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-conformance-").FullName;
    private Uri _address = new("http://127.0.0.1");
    private HttpClient _http = s_http;

    /// <summary>Why it cannot be tested here; null when it runs.</summary>
    public string? Missing { get; protected set; }

    public bool IsOurs => this is EmbeddedEngine;

    internal Uri Address => _address;

    /// <summary>With TLS on every port.</summary>
    protected virtual bool IsSecure => false;

    /// <summary>What HashiCorp's command line needs in its environment.</summary>
    internal Dictionary<string, string> CommandLine { get; } = [];

    internal static string GossipKey { get; } = Convert.ToBase64String(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));

    internal string RpcAddress { get; private set; } = "";

    protected abstract string Log { get; }

    public async Task InitializeAsync()
    {
        var ports = FreePorts(3);
        _address = new Uri($"http://127.0.0.1:{ports[0]}");
        RpcAddress = $"127.0.0.1:{ports[1]}";
        var config = new JsonObject
        {
            ["name"] = "n1",
            ["data_dir"] = Path.Combine(_folder, "data"),
            ["bind_addr"] = "127.0.0.1",
            ["ports"] = new JsonObject { ["http"] = ports[0], ["rpc"] = ports[1], ["serf"] = ports[2] },
            ["advertise"] = new JsonObject { ["http"] = $"127.0.0.1:{ports[0]}", ["rpc"] = $"127.0.0.1:{ports[1]}", ["serf"] = $"127.0.0.1:{ports[2]}" },
            ["disable_update_check"] = true,
            ["server"] = new JsonObject { ["enabled"] = true, ["bootstrap_expect"] = 1, ["raft_protocol"] = 3 },
            ["client"] = new JsonObject
            {
                ["enabled"] = true,
                ["network_interface"] = "lo",
                ["options"] = new JsonObject { ["fingerprint.denylist"] = "env_aws,env_gce,env_azure,env_digitalocean,consul" },
            },
            ["consul"] = new JsonObject { ["auto_advertise"] = false, ["server_auto_join"] = false, ["client_auto_join"] = false },
            ["plugin"] = new JsonObject { ["raw_exec"] = new JsonObject { ["config"] = new JsonObject { ["enabled"] = true } } },
        };
        if (IsSecure) Secure(config);
        await StartAsync(config, _folder);
        if (Missing is not null) return;
        if (IsSecure) await BootstrapAsync();
        await EventuallyAsync("the node is ready", async () => (await TryGetAsync("/v1/nodes")) is JsonArray { Count: 1 } nodes && (string?)nodes[0]!["Status"] == "ready");
    }

    public async Task DisposeAsync()
    {
        if (Missing is null)
        {
            foreach (var job in (await GetAsync("/v1/jobs")).AsArray()) await SendAsync("DELETE", $"/v1/job/{Uri.EscapeDataString((string)job!["ID"]!)}");
            await EventuallyAsync("all tasks have ended", async () => (await GetAsync("/v1/allocations")).AsArray().All(a => (string)a!["ClientStatus"]! is "complete" or "failed" or "lost"));
            await StopAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private void Secure(JsonObject config)
    {
        var pki = new TestPki(Path.Combine(_folder, "pki"));
        var (cert, key) = pki.Issue("agent", "server.global.nomad", "client.global.nomad");
        config["server"]!["encrypt"] = GossipKey;
        config["acl"] = new JsonObject { ["enabled"] = true };
        config["tls"] = pki.Block("agent", askClients: true);
        _address = new UriBuilder(_address) { Scheme = "https" }.Uri;
        _http = TestPki.Client(pki.Settings("agent"), _address.ToString());
        foreach (var (name, value) in new[] { ("NOMAD_CACERT", pki.Ca), ("NOMAD_CLIENT_CERT", cert), ("NOMAD_CLIENT_KEY", key) }) CommandLine[name] = value;
    }

    private async Task BootstrapAsync()
    {
        JsonNode? token = null;
        await EventuallyAsync("it has a first token", async () =>
        {
            try
            {
                var (status, text, _) = await SendAsync("PUT", "/v1/acl/bootstrap");
                return status == 200 && (token = JsonNode.Parse(text)) is not null;
            }
            catch (HttpRequestException)
            {
                // It does not listen yet.
                return false;
            }
        });
        CommandLine["NOMAD_TOKEN"] = (string)token!["SecretID"]!;
        _http.DefaultRequestHeaders.Add("X-Nomad-Token", CommandLine["NOMAD_TOKEN"]);
    }

    /// <summary>The agent's process ends and another begins, on the same folder and the same ports.</summary>
    public abstract Task RestartAsync();

    /// <param name="token">Instead of the fixture's own; empty for none.</param>
    public async Task<(int Status, string Text, long Index)> SendAsync(string method, string path, JsonNode? body = null, string? token = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(_address, path));
        // The client adds its default where there is no such header; an empty one is none.
        if (token is not null) request.Headers.TryAddWithoutValidation("X-Nomad-Token", token);
        if (body is not null) request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        using var response = await _http.SendAsync(request);
        var index = response.Headers.TryGetValues("X-Nomad-Index", out var values) ? long.Parse(values.First(), System.Globalization.CultureInfo.InvariantCulture) : 0;
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(), index);
    }

    /// <summary>The answer to a call that must succeed.</summary>
    public async Task<JsonNode> SendOkAsync(string method, string path, JsonNode? body = null)
    {
        var (status, text, _) = await SendAsync(method, path, body);
        if (status != 200) throw new InvalidOperationException($"{method} {path}: {status} {text}\n{Log}");
        return text.Length > 0 ? JsonNode.Parse(text)! : new JsonObject();
    }

    public Task<JsonNode> GetAsync(string path) => SendOkAsync("GET", path);

    public async Task<byte[]> BytesAsync(string path)
    {
        using var response = await _http.GetAsync(new Uri(_address, path));
        return response.IsSuccessStatusCode ? await response.Content.ReadAsByteArrayAsync() : throw new InvalidOperationException($"{path}: {await response.Content.ReadAsStringAsync()}");
    }

    public async Task<int> PutBytesAsync(string path, byte[] content)
    {
        using var response = await _http.PutAsync(new Uri(_address, path), new ByteArrayContent(content));
        return (int)response.StatusCode;
    }

    /// <summary>Follows an answer that does not end by itself until it holds what is looked for.</summary>
    public async Task<string> FollowAsync(string path, Func<string, bool> enough)
    {
        using var late = new CancellationTokenSource(Deadline);
        using var response = await _http.GetAsync(new Uri(_address, path), HttpCompletionOption.ResponseHeadersRead, late.Token);
        await using var stream = await response.Content.ReadAsStreamAsync(late.Token);
        var (text, buffer) = (new StringBuilder(), new byte[4096]);
        while (!enough(text.ToString()))
        {
            var read = await stream.ReadAsync(buffer, late.Token);
            if (read == 0) break;
            text.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }

        return text.ToString();
    }

    public async Task EventuallyAsync(string what, Func<Task<bool>> holds)
    {
        using var late = new CancellationTokenSource(Deadline);
        while (!await holds())
        {
            if (late.IsCancellationRequested) throw new TimeoutException($"Not within {Deadline}: {what}\n{Log}");
            // The API tells of a change, but not of every one that a test may wait for.
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
    }

    protected abstract Task StartAsync(JsonObject config, string folder);

    protected abstract Task StopAsync();

    protected async Task<JsonNode?> TryGetAsync(string path)
    {
        try
        {
            var (status, text, _) = await SendAsync("GET", path);
            return status == 200 ? JsonNode.Parse(text) : null;
        }
        catch (HttpRequestException)
        {
            // It does not listen yet.
            return null;
        }
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

/// <summary>Ours, in this process.</summary>
public class EmbeddedEngine : EngineUnderTest
{
    private readonly MemoryLog _log = new();
    private AgentConfig? _config;
    private Life? _life;

    protected override string Log => _log.Text;

    public override async Task RestartAsync()
    {
        await StopAsync();
        await BeginAsync();
    }

    protected override Task StartAsync(JsonObject config, string folder)
    {
        _config = ConfigReader.Read(config);
        return BeginAsync();
    }

    protected override async Task StopAsync()
    {
        var (stop, server, client, api, running) = _life!;
        await stop.CancelAsync();
        await running;
        await api.DisposeAsync();
        await client.DisposeAsync();
        await server.DisposeAsync();
        stop.Dispose();
    }

    private async Task BeginAsync()
    {
        var stop = new CancellationTokenSource();
        using var loggers = new OneLog(_log);
        var tls = AgentTls.Open(_config!);
        var server = new NomadServer(_config!, tls, TimeProvider.System, _log);
        var client = await NomadClient.StartAsync(_config!, tls, TimeProvider.System, loggers, CancellationToken.None);
        var api = new ApiHost(new AgentParts(_config!, tls, TimeProvider.System, server, client), _log);
        await api.StartAsync(CancellationToken.None);
        _life = new(stop, server, client, api, Task.WhenAll(server.RunAsync(stop.Token), client.RunAsync(stop.Token)));
    }

    /// <summary>One of the agent's lives, which stands for a process.</summary>
    private sealed record Life(CancellationTokenSource Stop, NomadServer Server, NomadClient Client, ApiHost Api, Task Running);
}

public sealed class SecureEmbeddedEngine : EmbeddedEngine
{
    protected override bool IsSecure => true;
}

public sealed class SecureHashiCorpEngine : HashiCorpEngine
{
    protected override bool IsSecure => true;
}

/// <summary>HashiCorp's, from NOMADSTACK_NOMAD or the PATH.</summary>
public class HashiCorpEngine : EngineUnderTest
{
    private readonly StringBuilder _log = new();
    private string _program = "", _file = "";
    private Process? _process;

    protected override string Log
    {
        get
        {
            lock (_log) return string.Join('\n', _log.ToString().Split('\n').TakeLast(60));
        }
    }

    public override async Task RestartAsync()
    {
        await StopAsync();
        Begin();
    }

    protected override async Task StartAsync(JsonObject config, string folder)
    {
        var named = Environment.GetEnvironmentVariable("NOMADSTACK_NOMAD");
        var program = !string.IsNullOrEmpty(named) ? named : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(f => Path.Combine(f, "nomad")).FirstOrDefault(File.Exists);
        if (program is null)
        {
            Missing = "No HashiCorp nomad here: put one on the PATH or name it in NOMADSTACK_NOMAD.";
            return;
        }

        (_program, _file) = (program, Path.Combine(folder, "agent.json"));
        await File.WriteAllTextAsync(_file, config.ToJsonString());
        Begin();
    }

    protected override async Task StopAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        // Where it is root its tasks' secrets are mounts of their own, which it leaves behind.
        foreach (var mount in (await File.ReadAllLinesAsync("/proc/mounts")).Select(l => l.Split(' ')[1]).Where(m => m.StartsWith(Path.GetDirectoryName(_file)!, StringComparison.Ordinal)))
        {
            using var unmount = Process.Start("umount", ["-l", mount]);
            await unmount.WaitForExitAsync();
        }
    }

    private void Begin()
    {
        _process = Process.Start(new ProcessStartInfo(_program, ["agent", "-config", _file]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        _process.OutputDataReceived += (_, line) => Write(line.Data);
        _process.ErrorDataReceived += (_, line) => Write(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    private void Write(string? line)
    {
        lock (_log) _log.AppendLine(line);
    }
}
