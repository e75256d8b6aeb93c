// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Rpc;

namespace Nomadstack.Engine;

/// <summary>
/// Reads the files of an agent anew, as SIGHUP and <c>/v1/agent/reload</c> ask for. TLS and the log's level take effect; of what else has changed it is said that it
/// waits for the next start. As with Nomad since 1.10 certificates that cannot be used end the agent: it would otherwise live on until others no longer believe the old ones.
/// </summary>
internal sealed class AgentReload(IReadOnlyList<string> files, AgentConfig config, AgentTls tls, NomadClient? client, AgentLog loggers, ILogger log)
{
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private AgentConfig _config = config;

    /// <summary>Fails when the agent must end.</summary>
    public Task Failed => _failed.Task;

    public void Run()
    {
        lock (_gate)
        {
            log.LogInformation("Reloading configuration...");
            try
            {
                Take(ConfigReader.ReadFiles(files));
            }
            catch (Exception e) when (e is ConfigException or IOException or UnauthorizedAccessException)
            {
                log.LogError("The configuration was not reloaded, and the agent goes on with what it had: {Why}", e.Message);
            }
        }
    }

    private void Take(AgentConfig next)
    {
        loggers.Level = next.LogLevel;
        foreach (var key in _config.Written.Keys.Union(next.Written.Keys).Order(StringComparer.Ordinal))
            if (key is not ("tls" or "log_level") && _config.Written.GetValueOrDefault(key) != next.Written.GetValueOrDefault(key))
                log.LogWarning("{Key} was changed in the configuration; it takes effect at the next start", key);
        _config = next;
        try
        {
            if (tls.Reload(next.Tls)) log.LogInformation("TLS was reloaded: http {Http}, rpc {Rpc}", next.Tls.Http, next.Tls.Rpc);
        }
        catch (ConfigException e)
        {
            _failed.TrySetException(new ConfigException([$"Fatal error while reloading: reloading {(next.Server is null ? "client" : "server")} config failed: {e.Message}"]));
            return;
        }

        client?.Agent.RegisterAgain(next.Tls.Http);
    }
}
