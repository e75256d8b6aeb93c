// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Storage;

namespace Nomadstack.Security;

/// <summary>The certificates and keys on this node's disk: when they end, and what does not fit together. Read with and without an agent; changes nothing.</summary>
/// <param name="Faults">What is wrong whatever the time is.</param>
internal sealed record NodeCertificates(IReadOnlyList<CertificateStatus> All, IReadOnlyList<Problem> Faults)
{
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <param name="Authorities">The first one signs.</param>
    /// <param name="MoreKeys">Others that only their owner may read.</param>
    private sealed record Files(string Product, string Authorities, string Certificate, string Key, params string[] MoreKeys);

    /// <summary>All of it.</summary>
    public static NodeCertificates Read(NodePaths paths, ProductTable table, DateTimeOffset now)
    {
        List<CertificateStatus> all = [];
        List<Problem> faults = [];
        try
        {
            // Another user sees that the folder is there, and nothing in it.
            if (Directory.Exists(paths.Pki)) _ = Directory.GetFileSystemEntries(paths.Pki);
        }
        catch (UnauthorizedAccessException e)
        {
            return new([], [CertificateProblems.Unreadable(paths.Pki, e.Message)]);
        }

        foreach (var files in Known(paths, table))
        {
            var (authorities, certificate) = Load(files, faults);
            all.AddRange(Statuses(files, authorities, certificate, now));
            if (certificate is not null && authorities.Count > 0 && !authorities.Any(ca => Signed(ca, certificate)))
                faults.Add(CertificateProblems.OtherAuthority(files.Certificate, files.Authorities));
            var pin = Try(files.Key, Pin, faults);
            if (certificate is not null && pin is not null && pin != Certificates.Pin(certificate))
                faults.Add(CertificateProblems.OtherKey(files.Product, files.Certificate, files.Key));
            foreach (var key in files.MoreKeys.Prepend(files.Key).Where(File.Exists))
            {
                if (File.GetUnixFileMode(key) is var mode && (mode & Others) != 0) faults.Add(CertificateProblems.OpenKey(files.Product, key, mode));
            }
        }

        return new(all, faults);
    }

    /// <summary>Only how they stand, without opening a key: cheap enough for every look at the status.</summary>
    public static IReadOnlyList<CertificateStatus> Ends(NodePaths paths, ProductTable table, DateTimeOffset now) =>
        [.. Known(paths, table).SelectMany(files => Load(files, []) is var (authorities, certificate) ? Statuses(files, authorities, certificate, now) : [])];

    /// <summary>Those that are there. Before a cluster, and in an open one for the products, there are none.</summary>
    private static IEnumerable<Files> Known(NodePaths paths, ProductTable table)
    {
        var products = table.Stack.Where(p => p.Security is not null).Select(p => (p.Name, Folder: Path.Combine(paths.Pki, p.Name)));
        return products.Select(p => new Files(p.Name, Path.Combine(p.Folder, "ca.pem"), Path.Combine(p.Folder, "node.pem"), Path.Combine(p.Folder, "node-key.pem")))
            .Prepend(new(CertificateStatus.OurAgents, PkiFiles.CaCertificate(paths), PkiFiles.NodeCertificate(paths), PkiFiles.NodeKey(paths), PkiFiles.CaKey(paths)))
            .Where(f => File.Exists(f.Authorities) || File.Exists(f.Certificate));
    }

    private static (X509Certificate2Collection Authorities, X509Certificate2? Certificate) Load(Files files, List<Problem> faults) =>
        (Try(files.Authorities, Parse, faults) ?? [], Try(files.Certificate, pem => X509Certificate2.CreateFromPem(pem), faults));

    private static CertificateStatus[] Statuses(Files files, X509Certificate2Collection authorities, X509Certificate2? certificate, DateTimeOffset now)
    {
        var signs = authorities.FirstOrDefault();
        return
        [
            Status(files.Product, CertificateStatus.Authority, signs, null, now),
            Status(files.Product, CertificateStatus.Node, certificate, signs is null ? null : End(signs), now),
        ];
    }

    private static CertificateStatus Status(string product, string kind, X509Certificate2? certificate, DateTimeOffset? renewableUntil, DateTimeOffset now) => certificate is null
        ? new(product, kind, null, CertificateStatus.Unreadable)
        : new(product, kind, End(certificate), CertificateVerdict.Of(certificate.NotBefore.ToUniversalTime(), End(certificate), renewableUntil, now));

    private static DateTimeOffset End(X509Certificate2 certificate) => certificate.NotAfter.ToUniversalTime();

    /// <summary>Judged at a time within the certificate's own life: whether it is over is another question.</summary>
    private static bool Signed(X509Certificate2 ca, X509Certificate2 certificate) =>
        Certificates.Complaint(certificate, ca, new DateTimeOffset(certificate.NotBefore.ToUniversalTime()).AddSeconds(1)) is null;

    private static X509Certificate2Collection Parse(string pem)
    {
        var all = new X509Certificate2Collection();
        all.ImportFromPem(pem);
        return all.Count > 0 ? all : throw new CryptographicException("It has no certificate.");
    }

    private static string Pin(string pem)
    {
        using var key = ECDsa.Create();
        key.ImportFromPem(pem);
        return Certificates.Pin(key.ExportSubjectPublicKeyInfo());
    }

    private static T? Try<T>(string file, Func<string, T> parse, List<Problem> faults)
        where T : class
    {
        try
        {
            return parse(File.ReadAllText(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            faults.Add(CertificateProblems.Unreadable(file, e.Message));
            return null;
        }
    }
}
