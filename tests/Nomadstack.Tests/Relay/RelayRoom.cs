// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;
using Nomadstack.Relay;
using Nomadstack.Security;

namespace Nomadstack.Tests.Relay;

/// <summary>A product that answers what a test says, a relay before it, and a browser without a page.</summary>
internal sealed class RelayRoom : IAsyncDisposable
{
    public const string Token = "the management token";

    private readonly Credentials? _credentials;
    private WebApplication? _product;
    private Endpoints _where = new(new Dictionary<string, ProductEndpoint>());

    private RelayRoom(Credentials? credentials) => _credentials = credentials;

    public Product Row { get; } = Role.Row(Role.Nomad);

    public Func<HttpContext, Task> Answer { get; set; } = http => http.Response.WriteAsync("the page");

    /// <summary>Replaces what the agent says of the product.</summary>
    public Problem? AgentProblem { get; set; }

    public RelayHost Relay { get; private set; } = null!;

    public Uri Address { get; private set; } = null!;

    public string Cookie { get; private set; } = "";

    public HttpClient Browser { get; } = new(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false, UseProxy = false }) { Timeout = TimeSpan.FromSeconds(20) };

    /// <param name="credentials">Of a closed cluster.</param>
    /// <param name="operators">Null for this process's own user.</param>
    public static async Task<RelayRoom> OpenAsync(Credentials? credentials = null, IReadOnlySet<uint>? operators = null)
    {
        var room = new RelayRoom(credentials);
        await room.StartProductAsync();
        room.Relay = await RelayHost.StartAsync(new(room.Row, room.AskAsync), 0, operators ?? new HashSet<uint> { Libc.GetEffectiveUserId() }, TimeProvider.System, CancellationToken.None);
        room.Address = new Uri(new Uri(room.Relay.EntryAddress).GetLeftPart(UriPartial.Authority));
        return room;
    }

    /// <summary>As the operator does at first.</summary>
    public static async Task<RelayRoom> EnteredAsync(Credentials? credentials = null)
    {
        var room = await OpenAsync(credentials);
        using var entered = await room.Browser.GetAsync(room.Relay.EntryAddress);
        room.Cookie = entered.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        return room;
    }

    /// <summary>The product, on a new port; the agent knows of it at once.</summary>
    public async Task StartProductAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, 0, Listen);
        });
        _product = builder.Build();
        _product.UseWebSockets();
        _product.Run(http => Answer(http));
        await _product.StartAsync();
        var names = Row.Variables!;
        Dictionary<string, string> variables = new() { [names.Address] = _product.Urls.Single(), [names.Token] = Token };
        if (_credentials is { } own) (variables[names.Ca], variables[names.Certificate], variables[names.Key]) = (own.CaFile, own.CertificateFile, own.KeyFile);
        _where = new(new Dictionary<string, ProductEndpoint> { [Row.Name] = new(_product.Urls.Single(), [], variables) });
    }

    public async Task StopProductAsync()
    {
        await _product!.StopAsync(new CancellationToken(canceled: true));
        await _product.DisposeAsync();
    }

    /// <summary>A request as the operator's own page sends it, with what a test adds or, with null, leaves out.</summary>
    public HttpRequestMessage Request(string path, HttpMethod? method = null, params (string Name, string? Value)[] headers)
    {
        var request = new HttpRequestMessage(method ?? HttpMethod.Get, new Uri(Address.GetLeftPart(UriPartial.Authority) + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        var all = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase) { ["Cookie"] = Cookie, ["Sec-Fetch-Site"] = "same-origin" };
        foreach (var (name, value) in headers) all[name] = value;
        foreach (var (name, value) in all) if (!string.IsNullOrEmpty(value)) request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    public async Task<HttpResponseMessage> SendAsync(string path, HttpMethod? method = null, params (string Name, string? Value)[] headers)
    {
        using var request = Request(path, method, headers);
        return await Browser.SendAsync(request);
    }

    public async ValueTask DisposeAsync()
    {
        Browser.Dispose();
        await Relay.DisposeAsync();
        if (_product is not null) await _product.DisposeAsync();
    }

    private Task<Endpoints> AskAsync(CancellationToken cancel) => AgentProblem is { } problem ? throw new ProblemException(problem) : Task.FromResult(_where);

    private void Listen(ListenOptions listen)
    {
        if (_credentials is not { } own) return;
        listen.UseHttps(new HttpsConnectionAdapterOptions
        {
            ServerCertificate = X509CertificateLoader.LoadPkcs12(own.Certificate.Export(X509ContentType.Pkcs12), null),
            ClientCertificateMode = ClientCertificateMode.RequireCertificate,
            ClientCertificateValidation = (shown, _, _) => Nomadstack.Peers.Certificates.Complaint(shown, own.Ca[0], DateTimeOffset.UtcNow) is null,
        });
    }
}
