// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Client.Plugins;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Http;
using Nomadstack.Engine.Raft;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine;

/// <summary>The embedded engine as a program: <c>agent -config FILE…</c>, <c>raft FOLDER</c> and <c>version</c>.</summary>
public static class EngineAgent
{
    private const int Done = 0, Failed = 1, Usage = 2;

    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] args, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(args);
        switch (args)
        {
            case ["version", ..] or ["-version"] or ["--version"]:
                await Console.Out.WriteLineAsync($"Nomad v{EngineVersion.Text}");
                return Done;
            case ["agent", .. var options]:
                return await AgentAsync(options, cancel);
            case ["raft", var folder]:
                return await RaftAsync(folder);
            default:
                await Console.Error.WriteLineAsync(
                    "error: The embedded engine does not have this command.\n"
                    + "why:   It has three: agent -config FILE [-config FILE …] [-encrypt KEY], raft DATA_DIR, and version.\n"
                    + "fix:   Use `nomadstack job` and `nomadstack node`, or HashiCorp's nomad with NOMAD_ADDR set to the engine's HTTP address.");
                return Usage;
        }
    }

    /// <summary>Prints what a server's raft data says, as JSON. Its server may run or not.</summary>
    /// <param name="dataDir">Its <c>data_dir</c>.</param>
    private static async Task<int> RaftAsync(string dataDir)
    {
        try
        {
            await Console.Out.WriteLineAsync(RaftSummary.Read(Path.Combine(dataDir, "server", "raft")).ToJson());
            return Done;
        }
        catch (Exception e) when (e is RaftDamageException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"==> {e.Message}");
            return Failed;
        }
    }

    private static async Task<int> AgentAsync(string[] options, CancellationToken cancel)
    {
        var (files, keys) = (new List<string>(), new List<string>());
        if (!Read(options, ("config", files), ("encrypt", keys)) || files.Count == 0)
        {
            await Console.Error.WriteLineAsync("Usage: agent -config FILE [-config FILE …] [-encrypt KEY]");
            return Usage;
        }

        try
        {
            var config = ConfigReader.ReadFiles(files);
            // Only servers gossip.
            if (keys.Count > 0 && config.Server is { } server) config = config with { Server = server with { Encrypt = keys[^1] } };
            await RunAgentAsync(files, config, TimeProvider.System, cancel);
            return Done;
        }
        catch (Exception e) when (e is ConfigException or RaftDamageException or JoinGivenUpException or ClientStateException or PluginException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"==> {e.Message}");
            return Failed;
        }
    }

    /// <summary>Options with one or two dashes, and their values behind a blank or an equals sign.</summary>
    /// <returns>False for one that is not known, or lacks its value.</returns>
    private static bool Read(string[] options, params ReadOnlySpan<(string Name, List<string> Values)> known)
    {
        for (var i = 0; i < options.Length; i++)
        {
            var (name, value) = options[i].IndexOf('=', StringComparison.Ordinal) is > 0 and var at ? (options[i][..at], options[i][(at + 1)..]) : (options[i], null);
            List<string>? values = null;
            foreach (var option in known)
                if (name == "-" + option.Name || name == "--" + option.Name) values = option.Values;
            if (value is null && ++i < options.Length) value = options[i];
            if (values is null || value is null) return false;
            values.Add(value);
        }

        return true;
    }

    private static async Task RunAgentAsync(IReadOnlyList<string> files, AgentConfig config, TimeProvider time, CancellationToken cancel)
    {
        var tap = new LogTap();
        using var loggers = new AgentLog(config.LogLevel, time, tap);
        var log = loggers.CreateLogger("nomad");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var leave = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => Ask(signal, config.LeaveOnInterrupt));
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => Ask(signal, config.LeaveOnTerminate));
        using var cancelled = cancel.Register(() => leave.TrySetResult(false));

        var tls = AgentTls.Open(config);
        await using var server = config.Server is null ? null : new NomadServer(config, tls, time, log);
        await using var client = config.Client is null ? null : await NomadClient.StartAsync(config, tls, time, loggers, cancel);
        var reload = new AgentReload(files, config, tls, client, loggers, log);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
        {
            signal.Cancel = true;
            reload.Run();
        });
        await using var api = new ApiHost(new AgentParts(config, tls, time, server, client) { Log = tap, Reload = reload.Run }, log);
        await api.StartAsync(cancel);
        log.LogInformation("Nomad v{Version}: nomadstack's embedded engine, for development, tests and rehearsals; production wants HashiCorp's Nomad", EngineVersion.Text);
        log.LogInformation("{Parts} of {Name}: HTTP on {Http}", server is null ? "Client" : client is null ? "Server" : "Server and client", config.Name, config.Advertise.Http);
        var resting = Rest.KeepAsync(time, log, stop.Token);
        List<Task> running = [];
        if (server is not null) running.Add(server.RunAsync(stop.Token));
        if (client is not null) running.Add(client.RunAsync(stop.Token));
        var asked = server?.LeaveAsked ?? leave.Task;
        var ended = await Task.WhenAny([.. running, reload.Failed, leave.Task, asked]);
        if (server is not null && !running.Contains(ended) && ended != reload.Failed && (ended == server.LeaveAsked || await leave.Task)) await server.LeaveAsync(cancel);
        await stop.CancelAsync();
        await Task.WhenAll([.. running, resting]);
        if (ended == reload.Failed) await reload.Failed;

        void Ask(PosixSignalContext signal, bool leaving)
        {
            signal.Cancel = true;
            leave.TrySetResult(leaving);
        }
    }
}
