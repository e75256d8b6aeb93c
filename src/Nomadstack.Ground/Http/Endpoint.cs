// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Nomadstack.Ground.Http;

/// <summary>
/// Where an HTTP API is and how it is spoken to: scheme, address, whom its certificate must name, which authority vouches for it, what we show, which token we say.
/// The only way to a product's API, for the agent and for the command line alike.
/// </summary>
/// <param name="Address">Scheme, host and port.</param>
internal sealed record Endpoint(Uri Address)
{
    /// <summary>The name that the server's certificate must carry; null for the host of <see cref="Address"/>.</summary>
    public string? ServerName { get; init; }

    /// <summary>The only authorities that count; null for those of the machine.</summary>
    public X509Certificate2Collection? Ca { get; init; }

    /// <summary>What we show as a client, with its key; null for nothing.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Where the token comes from; null for none.</summary>
    public TokenSource? Token { get; init; }

    /// <summary>Scheme, host and port as one writes them, without a slash at the end.</summary>
    public string Text { get; } = Address.GetLeftPart(UriPartial.Authority);

    /// <summary>What answers there, for a person; empty where the address says enough.</summary>
    public string Name { get; init; } = "";

    /// <summary>As a sentence begins.</summary>
    public string InWords() => Name.Length > 0 ? $"{Name} at {Text}" : Text;
}

/// <summary>A token that is read at each call, so that a new one counts at once.</summary>
/// <param name="Header">The header that carries it.</param>
/// <param name="Read">Null where there is none now.</param>
internal sealed record TokenSource(string Header, Func<string?> Read);

/// <summary>Connections to endpoints: one pool for each way to trust and to be known. They are never given back, for there are few.</summary>
internal static class EndpointConnections
{
    /// <summary>A machine that is up accepts in a millisecond; waiting longer only delays noticing one that is not.</summary>
    public static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(1);

    private static readonly ConcurrentDictionary<(string? Name, string? Ca, string? Certificate), Lazy<HttpMessageInvoker>> s_pools = new();

    /// <summary>Sends a request whose address is below the endpoint's. Its token is added here and nowhere else.</summary>
    /// <exception cref="HttpRequestException">No connection, or one that could not be trusted: <see cref="HttpRequestError.SecureConnectionError"/>.</exception>
    public static Task<HttpResponseMessage> SendAsync(this Endpoint endpoint, HttpRequestMessage request, CancellationToken cancel)
    {
        if (endpoint.Token is { } token && token.Read() is { Length: > 0 } secret) request.Headers.TryAddWithoutValidation(token.Header, secret);
        return PoolOf(endpoint).SendAsync(request, cancel);
    }

    private static HttpMessageInvoker PoolOf(Endpoint endpoint)
    {
        var key = (endpoint.ServerName, endpoint.Ca is { } ca ? string.Concat(ca.Select(Digest)) : null, Digest(endpoint.Certificate));
        return s_pools.GetOrAdd(key, _ => new Lazy<HttpMessageInvoker>(() => new HttpMessageInvoker(new ResetConnections(Connections(endpoint))))).Value;
    }

    private static SocketsHttpHandler Connections(Endpoint endpoint)
    {
        var connections = new SocketsHttpHandler
        {
            ConnectTimeout = ConnectTimeout,
            // A proxy from the environment must never see, nor be needed for, traffic between the parts of one cluster.
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
        };
        var tls = connections.SslOptions;
        if (endpoint.ServerName is { } name)
        {
            // The handler takes the host of each request for the name that counts, whatever is set here: the name is compared anew, all else stays as it was judged.
            tls.RemoteCertificateValidationCallback = (_, shown, _, errors) =>
                (errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None && shown is X509Certificate2 certificate && certificate.MatchesHostname(name);
        }

        if (endpoint.Certificate is { } certificate) tls.ClientCertificateContext = SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true);
        if (endpoint.Ca is not { } ca) return connections;
        tls.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        tls.CertificateChainPolicy.CustomTrustStore.AddRange(ca);
        return connections;
    }

    private static string? Digest(X509Certificate2? certificate) => certificate?.GetCertHashString(HashAlgorithmName.SHA256);
}
