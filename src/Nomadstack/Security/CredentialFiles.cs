// SPDX-License-Identifier: MPL-2.0
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

    /// <summary>Writes what differs from what it should be, and reads all. Repeatable; a key is on disk before anybody gets to know it.</summary>
    /// <param name="authorities">The authorities as PEM; the first one signs.</param>
    /// <param name="signingKey">The first authority's key as PEM; null where this node does not have it. Called only to make a certificate.</param>
    /// <returns>Null where a certificate must be made and there is no key to sign it.</returns>
    public static Credentials? Ensure(NodePaths paths, NodeFile node, Product product, string authorities, Func<string?> signingKey, DateTimeOffset now)
    {
        var folder = Path.Combine(paths.Pki, product.Name);
        var (caFile, certificateFile, keyFile) = (Path.Combine(folder, "ca.pem"), Path.Combine(folder, "node.pem"), Path.Combine(folder, "node-key.pem"));
        var ca = Parse(authorities, caFile);
        using var key = PkiFiles.Read(keyFile) is null ? null : Pki.ParseKey(keyFile);
        var old = PkiFiles.Read(certificateFile);
        var fits = key is not null && old is not null && IsFit(old, ca, key, product, node, now);
        if (!fits)
        {
            if (signingKey() is not { } signing) return null;
            MarkDue(paths, product);
            using var own = key is null ? ECDsa.Create(ECCurve.NamedCurves.nistP256) : null;
            if (own is not null) PkiFiles.Write(keyFile, own.ExportPkcs8PrivateKeyPem());
            using var caKey = ECDsa.Create();
            caKey.ImportFromPem(signing);
            using var made = Certificates.Issue(ca[0], caKey, (key ?? own!).ExportSubjectPublicKeyInfo(), $"{node.Name} {node.Id}", Names(product, node), now + Life, now);
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
    /// Since when a running agent may have older files than those on disk; null if none has. Durable before they are written: an agent of ours that dies in between leaves it for the next.
    /// </summary>
    public static DateTimeOffset? DueSince(NodePaths paths, Product product) =>
        File.Exists(DueFile(paths, product)) ? new DateTimeOffset(File.GetLastWriteTimeUtc(DueFile(paths, product)), TimeSpan.Zero) : null;

    /// <summary>All agents of the product on this node have read the files.</summary>
    public static void Reloaded(NodePaths paths, Product product) => PkiFiles.Delete(DueFile(paths, product));

    public static void MarkDue(NodePaths paths, Product product) => PkiFiles.Write(DueFile(paths, product), "");

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
