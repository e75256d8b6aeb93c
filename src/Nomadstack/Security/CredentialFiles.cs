// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Storage;

namespace Nomadstack.Security;

/// <summary>
/// The files in <c>pki/PRODUCT/</c>: the authorities that count, this node's certificate and its key. One authority for each product, so that a certificate of one opens no other.
/// </summary>
internal static class CredentialFiles
{
    /// <summary>Short, because nothing revokes a certificate. Renewed when a third of it is left.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromDays(30);

    /// <summary>Makes a new authority. Returns its certificate and its key, both as PEM.</summary>
    public static (string Certificate, string Key) MakeAuthority(Product product, string clusterId, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var ca = Certificates.Authority($"nomadstack {product.Title} CA {clusterId}", key, now);
        return (ca.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>The single certificates of a list, each as PEM.</summary>
    public static IReadOnlyList<string> Split(string authorities)
    {
        var all = new X509Certificate2Collection();
        all.ImportFromPem(authorities);
        return [.. all.Select(ca => ca.ExportCertificatePem())];
    }

    /// <summary>Whether a private key, as PEM, is that of the first authority of a list.</summary>
    public static bool IsKeyOfFirst(string authorities, string key)
    {
        using var ca = X509Certificate2.CreateFromPem(authorities);
        using var own = ECDsa.Create();
        own.ImportFromPem(key);
        return Certificates.Pin(ca) == Certificates.Pin(own.ExportSubjectPublicKeyInfo());
    }

    /// <summary>Writes what differs from what it should be, and reads all. Repeatable; a key is on disk before anybody gets to know it.</summary>
    /// <param name="authorities">The authorities as PEM; the first one signs.</param>
    /// <param name="round">A certificate of an earlier round is made anew, with a new key.</param>
    /// <param name="signingKey">The first authority's key as PEM; null where this node does not have it. Called only to make a certificate.</param>
    /// <returns>Null where a certificate must be made and there is no key to sign it.</returns>
    public static Credentials? Ensure(NodePaths paths, NodeFile node, Product product, string authorities, int round, Func<string?> signingKey, DateTimeOffset now)
    {
        var folder = Path.Combine(paths.Pki, product.Name);
        var (caFile, certificateFile, keyFile) = (Path.Combine(folder, "ca.pem"), Path.Combine(folder, "node.pem"), Path.Combine(folder, "node-key.pem"));
        var ca = Parse(authorities, caFile);
        var old = PkiFiles.Read(certificateFile);
        using var key = PkiFiles.Read(keyFile) is null || (old is not null && RoundOf(old) != round) ? null : Pki.ParseKey(keyFile);
        var fits = key is not null && old is not null && IsFit(old, ca, key, product, node, now);
        if (!fits)
        {
            if (signingKey() is not { } signing) return null;
            MarkDue(paths, product);
            using var own = key is null ? ECDsa.Create(ECCurve.NamedCurves.nistP256) : null;
            using var caKey = ECDsa.Create();
            caKey.ImportFromPem(signing);
            using var made = Certificates.Issue(ca[0], caKey, (key ?? own!).ExportSubjectPublicKeyInfo(), $"{node.Name} {node.Id}{RoundMark}{round}", Names(product, node), now + Life, now);
            // A key without its certificate is of no round, and the next call makes both again.
            if (own is not null)
            {
                PkiFiles.Delete(certificateFile);
                PkiFiles.Write(keyFile, own.ExportPkcs8PrivateKeyPem());
            }

            PkiFiles.Write(certificateFile, made.ExportCertificatePem());
        }

        // Last: the new certificate is there before anybody reads that only a new authority counts.
        if (PkiFiles.Read(caFile) != authorities)
        {
            MarkDue(paths, product);
            PkiFiles.Write(caFile, authorities);
        }

        return new Credentials(caFile, certificateFile, keyFile, ca, X509Certificate2.CreateFromPem(PkiFiles.Read(certificateFile)!, PkiFiles.Read(keyFile)!));
    }

    /// <summary>
    /// A certificate for a person or a tool, with its key, both as PEM. It has no name of an agent: with those, everybody could register a node (run on 2.0.5).
    /// </summary>
    public static (string Certificate, string Key) ForPerson(string name, X509Certificate2 ca, string signingKey, DateTimeOffset until, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var caKey = ECDsa.Create();
        caKey.ImportFromPem(signingKey);
        var names = new SubjectAlternativeNameBuilder();
        names.AddUri(new Uri($"nomadstack://person/{Uri.EscapeDataString(name)}"));
        using var made = Certificates.Issue(ca, caKey, key.ExportSubjectPublicKeyInfo(), $"person {name}", names, until, now, serves: false);
        return (made.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>
    /// Since when a running agent may have older files or tokens than there are; null if none has. Durable before files are written: an agent of ours that dies in between leaves it for
    /// the next.
    /// </summary>
    /// <param name="digest">Of what there is.</param>
    public static DateTimeOffset? DueSince(NodePaths paths, Product product, string digest)
    {
        var due = DueFile(paths, product);
        if (!File.Exists(due) && Read(paths, product) != digest) MarkDue(paths, product);
        return File.Exists(due) ? new DateTimeOffset(File.GetLastWriteTimeUtc(due), TimeSpan.Zero) : null;
    }

    /// <summary>The digest of what the agents of the product on this node have read; null until they have read anything.</summary>
    public static string? Read(NodePaths paths, Product product) => PkiFiles.Read(ReadFile(paths, product));

    /// <summary>All agents of the product on this node have read it.</summary>
    public static void Reloaded(NodePaths paths, Product product, string digest)
    {
        PkiFiles.Write(ReadFile(paths, product), digest);
        PkiFiles.Delete(DueFile(paths, product));
    }

    public static void MarkDue(NodePaths paths, Product product) => PkiFiles.Write(DueFile(paths, product), "");

    /// <summary>In the subject of a node's certificate, before its round. Certificates without it are of round 0.</summary>
    private const string RoundMark = " r";

    private static int RoundOf(string pem)
    {
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(pem);
            var name = certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false);
            return name.LastIndexOf(RoundMark, StringComparison.Ordinal) is > 0 and var at && int.TryParse(name[(at + RoundMark.Length)..], NumberStyles.None, CultureInfo.InvariantCulture, out var round) ? round : 0;
        }
        catch (CryptographicException)
        {
            // A file that somebody damaged is made again, with the same key.
            return 0;
        }
    }

    private static string ReadFile(NodePaths paths, Product product) => Path.Combine(paths.Pki, product.Name, "read-by-agents");

    private static string DueFile(NodePaths paths, Product product) => Path.Combine(paths.Pki, product.Name, "reload-due");

    public static X509Certificate2Collection Parse(string authorities, string path)
    {
        var all = new X509Certificate2Collection();
        try
        {
            all.ImportFromPem(authorities);
        }
        catch (CryptographicException e)
        {
            throw Certificates.Torn(path, "it is not a list of certificates", e);
        }

        return all.Count > 0 ? all : throw Certificates.Torn(path, "it has no certificate");
    }

    private static bool IsFit(string pem, X509Certificate2Collection ca, ECDsa key, Product product, NodeFile node, DateTimeOffset now)
    {
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(pem);
            return Certificates.IsFit(certificate, ca[0], key, Names(product, node), now);
        }
        catch (CryptographicException)
        {
            // A file that somebody damaged is made again.
            return false;
        }
    }

    /// <summary>A server node's certificate serves all its agents: servers by the server's name, its client and callers by the client's.</summary>
    private static SubjectAlternativeNameBuilder Names(Product product, NodeFile node)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(product.CertificateName(ProductPort.Server)!);
        names.AddDnsName(product.CertificateName(ProductPort.Client)!);
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        var own = IPAddress.Parse(node.Address);
        if (!own.Equals(IPAddress.Loopback)) names.AddIpAddress(own);
        return names;
    }
}
