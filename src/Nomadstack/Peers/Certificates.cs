// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>Whom a node certificate names.</summary>
internal sealed record CertificateSubject(string ClusterId, string NodeId, string Name, string Address);

/// <summary>Makes and checks the certificates of a cluster. No files, no state.</summary>
internal static class Certificates
{
    private const string CaName = "nomadstack CA ";
    private const string ServerUse = "1.3.6.1.5.5.7.3.1", ClientUse = "1.3.6.1.5.5.7.3.2";
    private const int CaYears = 10, NodeYears = 1;

    /// <summary>A clock may be this much behind and still accept a new certificate.</summary>
    private static readonly TimeSpan s_backdated = TimeSpan.FromHours(24);

    /// <summary>SHA-256 of the certificate's public key (SPKI), lower-case hex.</summary>
    public static string Pin(X509Certificate2 certificate) => Pin(certificate.PublicKey.ExportSubjectPublicKeyInfo());

    public static string Pin(ReadOnlySpan<byte> publicKey) => Convert.ToHexStringLower(SHA256.HashData(publicKey));

    /// <summary>The cluster whose CA this is, or null if it is not a CA of ours.</summary>
    public static string? ClusterIdOf(X509Certificate2 ca) =>
        ca.GetNameInfo(X509NameType.SimpleName, forIssuer: false) is { } name && name.StartsWith(CaName, StringComparison.Ordinal) ? name[CaName.Length..] : null;

    /// <summary>Whether a peer certificate contains a node's name.</summary>
    public static bool IsHostName(string name) => Uri.CheckHostName(name) == UriHostNameType.Dns;

    /// <summary>Whether a peer certificate was made for a node of this name, whatever the node says today.</summary>
    public static bool IsFor(X509Certificate2 certificate, string name) =>
        certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().Any(san => san.EnumerateDnsNames().SequenceEqual([name], StringComparer.OrdinalIgnoreCase));

    /// <summary>The node a peer certificate names.</summary>
    public static string NodeIdOf(X509Certificate2 certificate) => certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false);

    public static X509Certificate2 SelfSign(string clusterId, ECDsa key, DateTimeOffset now) => Authority(CaName + clusterId, key, now);

    /// <summary>A certificate authority that signs leaves and nothing else.</summary>
    public static X509Certificate2 Authority(string commonName, ECDsa key, DateTimeOffset now)
    {
        var request = new CertificateRequest("CN=" + commonName, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        return request.CreateSelfSigned(now - s_backdated, now.AddYears(CaYears));
    }

    /// <param name="publicKey">SubjectPublicKeyInfo of the subject's key.</param>
    public static X509Certificate2 Issue(X509Certificate2 ca, ECDsa caKey, byte[] publicKey, CertificateSubject subject, DateTimeOffset now) =>
        Issue(ca, caKey, publicKey, subject.NodeId, Names(subject), now.AddYears(NodeYears), now);

    /// <summary>A certificate for both ends of a connection.</summary>
    /// <param name="commonName">Whom it names in the subject.</param>
    /// <param name="until">It ends earlier where the CA does.</param>
    /// <param name="serves">False for a certificate that nobody may accept from a server.</param>
    public static X509Certificate2 Issue(X509Certificate2 ca, ECDsa caKey, byte[] publicKey, string commonName, SubjectAlternativeNameBuilder names, DateTimeOffset until, DateTimeOffset now, bool serves = true)
    {
        var request = new CertificateRequest(new X500DistinguishedName("CN=" + commonName), PublicKeyOf(publicKey), HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(serves ? [new Oid(ServerUse), new Oid(ClientUse)] : [new Oid(ClientUse)], critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(ca, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        request.CertificateExtensions.Add(names.Build());
        // Within the CA's own validity, since the chain would not be valid outside it.
        var from = Later(now - s_backdated, ca.NotBefore.ToUniversalTime());
        // A negative serial number is refused by Go since 1.23.
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] &= 0x7f;
        return request.Create(ca.SubjectName, X509SignatureGenerator.CreateForECDsa(caKey), from, Earlier(until, ca.NotAfter.ToUniversalTime()), serial);
    }

    /// <summary>Why a peer's certificate is not trusted, or null. Only our CA counts, never the system's CAs.</summary>
    public static string? Complaint(X509Certificate2 certificate, X509Certificate2 ca, DateTimeOffset now)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(ca);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTimeIgnored = false;
        chain.ChainPolicy.VerificationTime = now.UtcDateTime;
        if (!chain.Build(certificate)) return string.Join(", ", chain.ChainStatus.Select(s => s.Status.ToString()));
        // The CA's own certificate is not a node's.
        return certificate.RawDataMemory.Span.SequenceEqual(ca.RawDataMemory.Span) ? "it is the CA itself" : null;
    }

    /// <summary>Whether the node's certificate is still good: right key, name and address, and more than a third of its lifetime left.</summary>
    public static bool IsFit(X509Certificate2 certificate, X509Certificate2 ca, ECDsa key, CertificateSubject subject, DateTimeOffset now) =>
        NodeIdOf(certificate) == subject.NodeId && IsFit(certificate, ca, key, Names(subject), now);

    /// <summary>Whether a certificate is still good: right key and names, trusted, and more than a third of its lifetime left.</summary>
    public static bool IsFit(X509Certificate2 certificate, X509Certificate2 ca, ECDsa key, SubjectAlternativeNameBuilder names, DateTimeOffset now)
    {
        var (from, until) = (certificate.NotBefore.ToUniversalTime(), certificate.NotAfter.ToUniversalTime());
        return Pin(certificate) == Pin(key.ExportSubjectPublicKeyInfo())
            && until - now.UtcDateTime > (until - from) / 3
            && certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().Any(san => san.RawData.AsSpan().SequenceEqual(names.Build().RawData))
            && Complaint(certificate, ca, now) is null;
    }

    public static X509Certificate2 Parse(string path, string pem)
    {
        try
        {
            return X509Certificate2.CreateFromPem(pem);
        }
        catch (CryptographicException e)
        {
            throw Torn(path, "it is not a certificate", e);
        }
    }

    public static ProblemException Torn(string path, string why, Exception? inner = null) =>
        new(PeerProblems.KeyTorn(path, why), inner);

    private static PublicKey PublicKeyOf(byte[] info)
    {
        try
        {
            using var key = ECDsa.Create();
            key.ImportSubjectPublicKeyInfo(info, out var read);
            if (read == info.Length && key.KeySize == 256) return new PublicKey(key);
        }
        catch (CryptographicException e)
        {
            throw BadKey(e);
        }

        throw BadKey(null);
    }

    private static ProblemException BadKey(Exception? inner) =>
        new(JoinProblems.BadKey(), inner);

    private static SubjectAlternativeNameBuilder Names(CertificateSubject subject)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Parse(subject.Address));
        if (IsHostName(subject.Name)) names.AddDnsName(subject.Name);
        names.AddUri(new Uri($"nomadstack://{subject.ClusterId}/{subject.NodeId}"));
        return names;
    }

    private static DateTimeOffset Later(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;

    private static DateTimeOffset Earlier(DateTimeOffset a, DateTimeOffset b) => a < b ? a : b;
}
