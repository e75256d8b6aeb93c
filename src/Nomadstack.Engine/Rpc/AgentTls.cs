// SPDX-License-Identifier: MPL-2.0
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Raft;

namespace Nomadstack.Engine.Rpc;

/// <summary>
/// This agent's TLS: what it shows to others and what it asks of them, by the names that Nomad gives to roles. It may become another while the agent runs;
/// connections made until then are given up.
/// </summary>
internal sealed class AgentTls : IRaftSecurity
{
    /// <summary>Nomad's words for a certificate of the right CA that is neither a server's nor a client's of this region.</summary>
    public const string WrongRole = "invalid role or region for certificate";

    private static readonly Oid s_asServer = new("1.3.6.1.5.5.7.3.1"), s_asClient = new("1.3.6.1.5.5.7.3.2");

    private readonly string _serverName, _clientName;
    private volatile Setting _now;

    private AgentTls(string region, Setting setting) =>
        (_serverName, _clientName, _now) = ($"server.{region}.nomad", $"client.{region}.nomad", setting);

    private sealed record Setting(TlsConfig Config, TlsFiles? Files)
    {
        public CancellationTokenSource Over { get; } = new();
    }

    public TlsConfig Config => _now.Config;

    public CancellationToken Changed => _now.Over.Token;

    /// <exception cref="ConfigException" />
    /// <exception cref="IOException" />
    public static AgentTls Open(AgentConfig config) => new(config.Region, Read(config.Tls));

    /// <summary>Reads everything anew. What is refused leaves all as it was.</summary>
    /// <returns>Whether anything is another now.</returns>
    /// <exception cref="ConfigException" />
    /// <exception cref="IOException" />
    public bool Reload(TlsConfig config)
    {
        var (before, next) = (_now, Read(config));
        if (before.Config == next.Config && before.Files?.Digest == next.Files?.Digest) return false;
        _now = next;
        before.Over.Cancel();
        return true;
    }

    /// <summary>For a connection that has come in.</summary>
    /// <param name="betweenAgents">On a port for agents alone, where both sides show who they are.</param>
    public SslServerAuthenticationOptions Incoming(bool betweenAgents)
    {
        // Between the first byte and the handshake TLS may have been switched off.
        if (_now is not { Files: { } files, Config: var config }) throw new AuthenticationException("this agent does not speak TLS any more");
        var asks = betweenAgents || config.VerifyHttpsClient;
        return new SslServerAuthenticationOptions
        {
            ServerCertificateContext = files.Own,
            EnabledSslProtocols = Protocols(config),
            ClientCertificateRequired = asks,
            CertificateChainPolicy = asks ? Believing(files, s_asClient) : null,
            AllowTlsResume = false,
        };
    }

    public ValueTask<Stream> SecureAsync(Stream connection, CancellationToken cancel) => Config.Rpc ? DialAsync(connection, [_serverName], cancel) : new(connection);

    /// <summary>To the HTTP port of a client, which may be a server's too.</summary>
    public ValueTask<Stream> SecureToNodeAsync(Stream connection, CancellationToken cancel) => DialAsync(connection, [_clientName, _serverName], cancel);

    public bool IsServer(X509Certificate2? peer) => !_now.Config.VerifyServerHostname || (peer is not null && Carries(peer, _serverName));

    public bool IsAgent(X509Certificate2? peer) => IsServer(peer) || (peer is not null && Carries(peer, _clientName));

    private static Setting Read(TlsConfig config) => new(config, config.Enabled ? TlsFiles.Read(config) : null);

    private async ValueTask<Stream> DialAsync(Stream connection, string[] names, CancellationToken cancel)
    {
        if (_now is not { Files: { } files, Config: var config })
            throw new AuthenticationException("the other agent speaks TLS, and this one has no certificate: set tls { rpc = true } with its files here too");
        var secured = new SslStream(connection);
        try
        {
            await secured.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = names[0],
                EnabledSslProtocols = Protocols(config),
                ClientCertificateContext = files.Own,
                CertificateChainPolicy = Believing(files, s_asServer),
                AllowTlsResume = false,
                RemoteCertificateValidationCallback = (_, shown, _, errors) => (errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None
                    && (!config.VerifyServerHostname || (shown is X509Certificate2 peer && names.Any(name => peer.MatchesHostname(name, allowCommonName: false)))),
            }, cancel);
            return secured;
        }
        catch
        {
            await secured.DisposeAsync();
            throw;
        }
    }

    private static SslProtocols Protocols(TlsConfig config) => config.MinVersion == TlsConfig.Tls13 ? SslProtocols.Tls13 : SslProtocols.Tls12 | SslProtocols.Tls13;

    private static X509ChainPolicy Believing(TlsFiles files, Oid use)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        policy.CustomTrustStore.AddRange(files.Authorities);
        policy.ApplicationPolicy.Add(use);
        return policy;
    }

    /// <summary>Compared as they are with all names of the certificate, its common name included, as Nomad's servers do; a star stands for nothing.</summary>
    private static bool Carries(X509Certificate2 certificate, string name) =>
        certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false) == name
        || certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().Any(names => names.EnumerateDnsNames().Contains(name));
}
