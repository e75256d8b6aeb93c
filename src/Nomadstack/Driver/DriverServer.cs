// SPDX-License-Identifier: MPL-2.0
using Grpc.AspNetCore.Server.Model;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Driver;

/// <summary>
/// The task driver as part of the agent: an endpoint of the agent's own Kestrel plus the plugin file and its lifelines.
/// Order: <see cref="Configure"/> and <see cref="AddServices"/>, <see cref="Map"/>, start Kestrel, <see cref="Start"/>, start Nomad's client. To stop, the reverse,
/// with <see cref="StopAsync"/> before Kestrel stops.
/// </summary>
internal sealed class DriverServer : IAsyncDisposable
{
    /// <summary>Two streams per task, and Nomad uses one connection for all. Kestrel's default limit is 100.</summary>
    private const int Streams = 10_000;

    private readonly string _pluginFolder, _lifelineFolder, _socketPath;
    private readonly DriverCalls _calls;
    private readonly Lifelines _lifelines;
    private readonly TaskDriver _driver;
    private readonly DriverHealth _health;
    private readonly CancellationTokenSource _stop = new();
    private bool _stopped;

    /// <summary>Tasks whose end somebody waits for.</summary>
    public int Waits => _driver.Waits;

    /// <param name="keeperMark">See <see cref="LogKeeper"/>.</param>
    /// <param name="version">This product's version. Nomad requires semver.</param>
    public DriverServer(IServerHost host, string pluginFolder, string lifelineFolder, string socketPath, KeyValuePair<string, string> keeperMark, string version, TimeProvider time, ILoggerFactory logs)
    {
        (_pluginFolder, _lifelineFolder, _socketPath) = (pluginFolder, lifelineFolder, socketPath);
        _health = new(version, host.Roles);
        _lifelines = new(lifelineFolder, socketPath, time, logs.CreateLogger<Lifelines>());
        _driver = new(host, _health, lifelineFolder, keeperMark, time, logs.CreateLogger<TaskDriver>());
        _calls = new(_driver, new(version), new(_lifelines), logs.CreateLogger<DriverCalls>(), _stop.Token);
    }

    /// <summary>
    /// Adds the driver's socket. In Kestrel, the number of streams and the response rate apply to the whole server.
    /// </summary>
    public static void Configure(KestrelServerOptions options, string socketPath)
    {
        options.Limits.Http2.MaxStreamsPerConnection = Math.Max(options.Limits.Http2.MaxStreamsPerConnection, Streams);
        // A Nomad client that is stopped or swapped out neither reads nor writes for a while. Its connection must survive that.
        (options.Limits.MinResponseDataRate, options.Limits.MinRequestBodyDataRate) = (null, null);
        var folder = Path.GetDirectoryName(socketPath)!;
        Directory.CreateDirectory(folder);
        // Left by a killed agent, of this boot or an earlier one. We hold the data folder's lock, so no other agent runs.
        foreach (var left in Directory.EnumerateFiles(folder, "driver*.sock")) File.Delete(left);
        options.ListenUnixSocket(socketPath, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.Use(next => connection =>
            {
                var socket = connection.Features.GetRequiredFeature<IConnectionSocketFeature>().Socket;
                var peer = PeerCredentials.Of(socket);
                if (!peer.MayBeTrusted)
                {
                    connection.Abort();
                    return Task.CompletedTask;
                }

                connection.Features.Set(new DriverConnection(peer.Pid));
                return next(connection);
            });
        });
    }

    public void AddServices(IServiceCollection services)
    {
        services.AddSingleton(_calls).AddSingleton<IServiceMethodProvider<DriverCalls>>(_calls);
        services.AddGrpc();
    }

    /// <summary>Handles the requests on the driver's socket and passes on all others. Must come before everything that reads paths.</summary>
    public void Map(IApplicationBuilder app) => app.MapWhen(IsDriver, driver => driver.Use(EndWithTheDriver).UseRouting().UseEndpoints(calls => calls.MapGrpcService<DriverCalls>()));

    private static bool IsDriver(HttpContext http) => http.Features.Get<DriverConnection>() is not null;

    private RequestDelegate EndWithTheDriver(RequestDelegate next) => async http =>
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, _stop.Token);
        http.RequestAborted = end.Token;
        await next(http);
    };

    /// <summary>Call once Kestrel listens. Writes the plugin file and answers launches, including those that already wait.</summary>
    /// <exception cref="Cluster.ProblemException">The plugin file cannot be written.</exception>
    public void Start()
    {
        File.SetUnixFileMode(_socketPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        PluginFile.Write(_pluginFolder, _lifelineFolder, _socketPath);
        _lifelines.Start();
    }

    /// <summary>Tells Nomad whether new tasks may start here. They may not while the agent is stopping, for example.</summary>
    public void SetHealth(bool healthy, string description) => _health.Set(healthy, description);

    /// <summary>
    /// Ends every plugin process, then every open call, in this order. If a call fails while its plugin runs, Nomad counts that as a failure
    /// of the task. If the plugin has exited, Nomad launches it again and recovers the task.
    /// </summary>
    public async Task StopAsync()
    {
        if (_stopped) return;
        _stopped = true;
        _health.Set(false, "the nomadstack agent is stopping");
        await _lifelines.DisposeAsync();
        await _stop.CancelAsync();
        await _driver.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }
}
