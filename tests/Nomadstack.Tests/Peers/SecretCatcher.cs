// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Nomadstack.Peers;
using Nomadstack.Storage;

namespace Nomadstack.Tests.Peers;

/// <summary>A man in the middle: speaks the protocol with a certificate of a CA of his own, and notes every request he gets to read.</summary>
internal sealed class SecretCatcher : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Pki _pki;
    private readonly string _folder;

    private SecretCatcher(string folder, NodeFile node, string? caShown)
    {
        _folder = folder;
        _pki = Pki.Mint(new NodePaths(folder), Guid.NewGuid().ToString(), node, TimeProvider.System);
        At = new JoinAddress(node.Address, TestNode.FreePort(node.Address));
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(k => k.Listen(IPAddress.Parse(At.Host), At.Port, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(_pki.Node);
        }));
        _app = builder.Build();
        _app.Run(async context =>
        {
            Heard.Enqueue(context.Request.Path);
            var ping = new PingAnswer(PingAnswer.Nomadstack, _pki.ClusterId, "n1", "0.1.0", DateTimeOffset.UtcNow, caShown ?? _pki.Ca.ExportCertificatePem());
            await context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(ping, PeersJson.Default.PingAnswer));
        });
    }

    public JoinAddress At { get; }

    public ConcurrentQueue<string?> Heard { get; } = new();

    public static async Task<SecretCatcher> StartAsync(string? caShown)
    {
        var catcher = new SecretCatcher(Directory.CreateTempSubdirectory("nomadstack-peers-").FullName, new NodeFile { Id = Guid.NewGuid().ToString(), Name = "n1", Address = "127.0.0.1" }, caShown);
        await catcher._app.StartAsync();
        return catcher;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        _pki.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
