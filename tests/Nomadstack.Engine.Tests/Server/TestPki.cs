// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Configuration;

namespace Nomadstack.Engine.Tests.Server;

/// <summary>A certificate authority in a folder, and what it signs.</summary>
internal sealed class TestPki
{
    private static readonly Oid s_serverAuth = new("1.3.6.1.5.5.7.3.1"), s_clientAuth = new("1.3.6.1.5.5.7.3.2");

    private readonly string _folder;
    private readonly X509Certificate2 _ca;

    public TestPki(string folder)
    {
        _folder = Directory.CreateDirectory(folder).FullName;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=test CA", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        _ca = request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddHours(-1), TimeProvider.System.GetUtcNow().AddDays(2));
        File.WriteAllText(Ca, _ca.ExportCertificatePem());
    }

    public string Ca => Path.Combine(_folder, "ca.pem");

    /// <summary>Signs a certificate for both uses, for this machine and the names; the files are named after it.</summary>
    public (string Cert, string Key) Issue(string file, params string[] names) => Issue(file, "CN=" + file, both: true, names);

    /// <param name="both">Whether it may be shown to servers as well as by them.</param>
    public (string Cert, string Key) Issue(string file, string subject, bool both, params string[] names)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(both ? [s_serverAuth, s_clientAuth] : [s_serverAuth], critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_ca, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        if (names.Length > 0)
        {
            var alternatives = new SubjectAlternativeNameBuilder();
            foreach (var name in names) alternatives.AddDnsName(name);
            alternatives.AddDnsName("localhost");
            alternatives.AddIpAddress(IPAddress.Loopback);
            request.CertificateExtensions.Add(alternatives.Build());
        }

        using var signed = request.Create(_ca, TimeProvider.System.GetUtcNow().AddHours(-1), TimeProvider.System.GetUtcNow().AddDays(1), RandomNumberGenerator.GetBytes(12).Select((b, i) => i == 0 ? (byte)(b & 0x7F) : b).ToArray());
        var (cert, secret) = (Path.Combine(_folder, file + ".pem"), Path.Combine(_folder, file + ".key"));
        File.WriteAllText(cert, signed.ExportCertificatePem());
        File.WriteAllText(secret, key.ExportPkcs8PrivateKeyPem());
        return (cert, secret);
    }

    /// <summary>As an agent's configuration has it.</summary>
    public JsonObject Block(string file, bool http = true, bool rpc = true, bool verify = true, bool askClients = false) => new()
    {
        ["http"] = http,
        ["rpc"] = rpc,
        ["ca_file"] = Ca,
        ["cert_file"] = Path.Combine(_folder, file + ".pem"),
        ["key_file"] = Path.Combine(_folder, file + ".key"),
        ["verify_server_hostname"] = verify,
        ["verify_https_client"] = askClients,
    };

    public TlsConfig Settings(string file) =>
        new() { Http = true, Rpc = true, VerifyServerHostname = true, CaFile = Ca, CertFile = Path.Combine(_folder, file + ".pem"), KeyFile = Path.Combine(_folder, file + ".key") };

    /// <summary>A caller that believes the CA and shows the certificate; none where the file is empty.</summary>
    public static HttpClient Client(TlsConfig tls, string address)
    {
        var handler = new SocketsHttpHandler { UseProxy = false };
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        handler.SslOptions.CertificateChainPolicy.CustomTrustStore.ImportFromPemFile(tls.CaFile);
        if (tls.CertFile.Length > 0) handler.SslOptions.ClientCertificates = [X509Certificate2.CreateFromPemFile(tls.CertFile, tls.KeyFile)];
        return new HttpClient(handler) { BaseAddress = new Uri(address), Timeout = TimeSpan.FromSeconds(60) };
    }
}
