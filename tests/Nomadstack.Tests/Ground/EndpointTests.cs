// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Nomadstack.Ground.Http;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Ground;

/// <summary>Whom an endpoint trusts, what it shows and what it says.</summary>
public sealed class EndpointTests : IDisposable
{
    private static readonly CancellationToken s_limit = new CancellationTokenSource(TimeSpan.FromSeconds(20)).Token;

    private readonly X509Certificate2 _ca = Authority("ours"), _other = Authority("another");
    private readonly X509Certificate2 _server, _client;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public EndpointTests()
    {
        (_server, _client) = (Issue("server.global.test"), Issue("client.global.test"));
        _listener.Start();
    }

    public void Dispose()
    {
        _listener.Dispose();
        foreach (var certificate in new[] { _ca, _other, _server, _client }) certificate.Dispose();
    }

    [Fact]
    public async Task ItShowsItsCertificateAndSaysItsTokenToAServerOfItsAuthority()
    {
        var token = "first";
        var endpoint = At() with { Certificate = _client, Token = new("X-Test-Token", () => token) };

        (await AskAsync(endpoint)).ShouldBe(("CN=client.global.test", "first"));
        token = "second";
        (await AskAsync(endpoint)).Token.ShouldBe("second", "a new token counts at once");
    }

    [Fact]
    public async Task AServerOfAnotherAuthorityIsRefusedBeforeAnythingIsSaid() => await RefusedAsync(At() with { Ca = [_other] });

    [Fact]
    public async Task AServerOfAnotherNameIsRefused() => await RefusedAsync(At() with { ServerName = "client.global.test" });

    [Fact]
    public void ItIsNamedForAPerson() => new Endpoint(new Uri("http://10.0.0.1:4646")) { Name = "Nomad" }.InWords().ShouldBe("Nomad at http://10.0.0.1:4646");

    private Endpoint At() => new(new Uri($"https://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}")) { Ca = [_ca], ServerName = "server.global.test" };

    private async Task RefusedAsync(Endpoint endpoint)
    {
        var served = ServeAsync();

        (await Should.ThrowAsync<HttpRequestException>(SendAsync(endpoint))).HttpRequestError.ShouldBe(HttpRequestError.SecureConnectionError);
        await Should.ThrowAsync<Exception>(served);
    }

    private async Task<(string? Client, string? Token)> AskAsync(Endpoint endpoint)
    {
        var served = ServeAsync();
        using var response = await SendAsync(endpoint);
        return await served;
    }

    private static Task<HttpResponseMessage> SendAsync(Endpoint endpoint) =>
        endpoint.SendAsync(new HttpRequestMessage(HttpMethod.Get, new Uri(endpoint.Address, "/v1/x")), s_limit);

    /// <summary>Answers one connection with one reply, and tells who came and with which token.</summary>
    private async Task<(string? Client, string? Token)> ServeAsync()
    {
        using var socket = await _listener.AcceptSocketAsync(s_limit);
        await using var tls = new SslStream(new NetworkStream(socket));
        await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
        {
            ServerCertificate = _server,
            ClientCertificateRequired = true,
            RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null,
        }, s_limit);
        using var reader = new StreamReader(tls, Encoding.ASCII, leaveOpen: true);
        string? token = null;
        if (await reader.ReadLineAsync(s_limit) is null) throw new IOException("nothing was asked");
        while (await reader.ReadLineAsync(s_limit) is { Length: > 0 } line)
        {
            if (line.StartsWith("X-Test-Token: ", StringComparison.Ordinal)) token = line["X-Test-Token: ".Length..];
        }

        await tls.WriteAsync("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"u8.ToArray(), s_limit);
        return (tls.RemoteCertificate?.Subject, token);
    }

    private static X509Certificate2 Authority(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        return request.CreateSelfSigned(DateTimeOffset.UnixEpoch.AddYears(40), DateTimeOffset.UnixEpoch.AddYears(120));
    }

    private X509Certificate2 Issue(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(_ca, DateTimeOffset.UnixEpoch.AddYears(41), DateTimeOffset.UnixEpoch.AddYears(119), RandomNumberGenerator.GetBytes(8));
        return certificate.CopyWithPrivateKey(key);
    }
}
