// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Xunit;

namespace Nomadstack.Engine.Tests.Jobs;

/// <summary>HashiCorp's Nomad in development mode, from NOMADSTACK_NOMAD or the PATH, on free ports; started once for the tests that compare with it.</summary>
public sealed class RealNomad : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan Startup = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("nomad-compare-").FullName;
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(10) };
    private Process? _process;

    /// <summary>Why there is none; null when it runs.</summary>
    public string? Missing { get; private set; }

    public async Task InitializeAsync()
    {
        var program = Find();
        if (program is null)
        {
            Missing = "No HashiCorp nomad here: put one on the PATH or name it in NOMADSTACK_NOMAD.";
            return;
        }

        var ports = FreePorts(3);
        var config = Path.Combine(_folder, "agent.hcl");
        await File.WriteAllTextAsync(config, $$"""
            bind_addr = "127.0.0.1"
            disable_update_check = true
            ports {
              http = {{ports[0]}}
              rpc  = {{ports[1]}}
              serf = {{ports[2]}}
            }
            client {
              network_interface = "lo"
              options = { "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean" }
            }
            """);
        _http.BaseAddress = new Uri($"http://127.0.0.1:{ports[0]}");
        var log = File.CreateText(Path.Combine(_folder, "agent.log"));
        _process = Process.Start(new ProcessStartInfo(program, ["agent", "-dev", "-config", config]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        _process.OutputDataReceived += (_, line) => Write(log, line.Data);
        _process.ErrorDataReceived += (_, line) => Write(log, line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();

        var started = Stopwatch.StartNew();
        while (!await HasLeaderAsync())
        {
            if (_process.HasExited || started.Elapsed > Startup)
            {
                Write(log, null);
                throw new InvalidOperationException($"{program} did not get ready within {Startup}; its log is {_folder}/agent.log");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
    }

    public async Task DisposeAsync()
    {
        if (_process is { } process)
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            process.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    public void Dispose() => _http.Dispose();

    /// <summary>The job, or the text of the refusal.</summary>
    public async Task<(JsonObject? Job, string Refusal)> ParseAsync(string hcl, bool canonicalize)
    {
        var body = new JsonObject { ["JobHCL"] = hcl, ["Canonicalize"] = canonicalize }.ToJsonString();
        using var answer = await _http.PostAsync("/v1/jobs/parse", new StringContent(body));
        var text = await answer.Content.ReadAsStringAsync();
        return answer.IsSuccessStatusCode ? (JsonNode.Parse(text) as JsonObject, "") : (null, text);
    }

    /// <summary>Registers a job and reads it back.</summary>
    public async Task<JsonObject> RegisterAsync(JsonObject job)
    {
        using var put = await _http.PutAsync("/v1/jobs", new StringContent(new JsonObject { ["Job"] = job.DeepClone() }.ToJsonString()));
        if (!put.IsSuccessStatusCode) throw new InvalidOperationException(await put.Content.ReadAsStringAsync());
        return (JsonObject)JsonNode.Parse(await _http.GetStringAsync("/v1/job/" + Uri.EscapeDataString((string)job["ID"]!)))!;
    }

    /// <summary>What validation has to say; empty when nothing.</summary>
    public async Task<string> ValidateAsync(JsonObject job)
    {
        using var answer = await _http.PutAsync("/v1/validate/job", new StringContent(new JsonObject { ["Job"] = job.DeepClone() }.ToJsonString()));
        var text = await answer.Content.ReadAsStringAsync();
        return answer.IsSuccessStatusCode ? (string?)JsonNode.Parse(text)!["Error"] ?? "" : text;
    }

    private async Task<bool> HasLeaderAsync()
    {
        try
        {
            return (await _http.GetStringAsync("/v1/status/leader")).Length > 2;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return false;
        }
    }

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("NOMADSTACK_NOMAD") is { Length: > 0 } named) return named;
        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, "nomad")).FirstOrDefault(File.Exists);
    }

    private static int[] FreePorts(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(l => l.Start());
        var ports = listeners.Select(l => ((IPEndPoint)l.LocalEndpoint).Port).ToArray();
        listeners.ForEach(l => l.Stop());
        return ports;
    }

    private static void Write(StreamWriter log, string? line)
    {
        lock (log)
        {
            if (line is not null) log.WriteLine(line);
            log.Flush();
        }
    }
}
