// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Engine.Client.Plugins;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Tests.Scheduling;

namespace Nomadstack.Engine.Tests.Client;

/// <summary>A client on a folder of its own, against servers in memory. Stopping it leaves its tasks alone, as the death of the process does.</summary>
internal sealed class TestClient : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Poller _poller;
    private readonly FileWatch _files;
    private readonly RawExec _rawExec;
    private readonly IReadOnlyList<PluginDriver> _plugins;
    private readonly Task _running;
    private bool _disposed;

    private TestClient(ClientOptions options, FakeServers servers, Poller poller, IReadOnlyList<PluginDriver> plugins, TimeProvider time)
    {
        _poller = poller;
        _plugins = plugins;
        _files = new FileWatch(_poller);
        _rawExec = new RawExec(Path.Combine(options.StateDir, "raw_exec"), _poller, _files, TimeProvider.System, NullLogger<RawExec>.Instance);
        Agent = new ClientAgent(options, servers, [_rawExec, .. plugins], time, NullLogger<ClientAgent>.Instance);
        _running = Agent.RunAsync(_stop.Token);
    }

    public ClientAgent Agent { get; }

    public PluginDriver Plugin => _plugins[0];

    public static ClientOptions Options(TempFolder folder) => new()
    {
        StateDir = folder["client"],
        AllocDir = folder["alloc"],
        Version = "1.1.2",
        NetworkInterface = "lo",
        NodeName = "n1",
        Meta = new Dictionary<string, string> { ["rack"] = "r1" },
    };

    public static async Task<TestClient> StartAsync(TempFolder folder, FakeServers servers, Func<ClientOptions, ClientOptions>? with = null, TimeProvider? time = null)
    {
        var options = (with ?? (o => o))(Options(folder));
        var poller = Poller.Start();
        var plugins = await PluginFolder.StartAsync(options, poller, TimeProvider.System, NullLogger.Instance, CancellationToken.None);
        return new(options, servers, poller, plugins, time ?? TimeProvider.System);
    }

    /// <summary>One task "t" that a shell runs.</summary>
    public static Job Shell(string script, string type = JobType.Batch, Action<JsonObject>? task = null, Action<JsonObject>? group = null) =>
        Specimens.Job(type: type, group: group ?? (g => g["RestartPolicy"] = Restart(0)), task: t =>
        {
            t["Config"] = new JsonObject { ["command"] = "/bin/sh", ["args"] = new JsonArray("-c", script) };
            task?.Invoke(t);
        });

    public static JsonObject Restart(int attempts, double delay = 0.01, double interval = 3600, string mode = "fail") =>
        new() { ["Attempts"] = attempts, ["Delay"] = Specimens.Seconds(delay), ["Interval"] = Specimens.Seconds(interval), ["Mode"] = mode };

    /// <summary>Its first output, whole.</summary>
    public string Log(string allocation, string stream = "stdout", string task = "t") =>
        File.ReadAllText(Path.Combine(Agent.Find(allocation)!.Folders.Logs, $"{task}.{stream}.0"));

    public async ValueTask DisposeAsync()
    {
        if (_disposed) return;
        _disposed = true;
        await _stop.CancelAsync();
        await _running;
        await _rawExec.DisposeAsync();
        foreach (var plugin in _plugins) await plugin.DisposeAsync();
        await _files.DisposeAsync();
        _poller.Dispose();
        _stop.Dispose();
    }
}
