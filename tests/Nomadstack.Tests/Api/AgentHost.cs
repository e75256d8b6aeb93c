// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Api;
using Nomadstack.Storage;

namespace Nomadstack.Tests.Api;

/// <summary>The agent's API on a real socket of a data folder of its own, with a fake agent behind it.</summary>
internal sealed class AgentHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private AgentHost(WebApplication app, NodePaths paths, FakeAgentService agent)
    {
        _app = app;
        Paths = paths;
        Agent = agent;
    }

    public NodePaths Paths { get; }

    public FakeAgentService Agent { get; }

    /// <summary>A TCP address of the same Kestrel, as a dashboard would have.</summary>
    public string TcpAddress => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First(a => a.StartsWith("http://127.", StringComparison.Ordinal));

    public static async Task<AgentHost> StartAsync(FakeAgentService? agent = null, NodePaths? paths = null)
    {
        agent ??= new FakeAgentService();
        paths ??= new NodePaths(Directory.CreateTempSubdirectory("nomadstack-test-").FullName);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.KeepUnixSockets(TimeProvider.System, NullLoggerFactory.Instance);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.ListenAgentSocket(paths.AgentSocket);
            kestrel.Listen(IPAddress.Loopback, 0);
        });
        var app = builder.Build();
        AgentApi.Map(app, agent);
        await app.StartAsync();
        return new AgentHost(app, paths, agent);
    }

    public Task StopAsync() => _app.StopAsync();

    /// <summary>Ends like a killed process: no request is answered any more.</summary>
    public Task BreakOffAsync() => _app.StopAsync(new CancellationToken(canceled: true));

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        if (Directory.Exists(Paths.Run)) Directory.Delete(Paths.Run, recursive: true);
        if (Directory.Exists(Paths.Data)) Directory.Delete(Paths.Data, recursive: true);
    }
}
