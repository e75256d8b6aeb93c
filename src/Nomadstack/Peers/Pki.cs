// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <summary>
/// The cluster's certificate authority and this node's certificate, loaded and checked.
/// </summary>
/// <remarks>
/// Trust boundary: every server node has the CA's key, because every one must be able to answer a join when the others are
/// gone. So whoever reads <c>pki/</c> as root on one of them can act as any node. Removing a node shuts out its
/// certificate, but not a thief of the CA's key. After a theft the cluster needs a new CA. A client node has its own key alone.
/// </remarks>
internal sealed class Pki : IDisposable
{
    private readonly ECDsa? _caKey;
    private readonly ECDsa _nodeKey;

    private Pki(X509Certificate2 ca, ECDsa? caKey, X509Certificate2 node, ECDsa nodeKey)
    {
        (Ca, _caKey, _nodeKey) = (ca, caKey, nodeKey);
        Node = node.CopyWithPrivateKey(nodeKey);
        node.Dispose();
        CaPin = Certificates.Pin(ca);
        KeyPin = Certificates.Pin(nodeKey.ExportSubjectPublicKeyInfo());
        ClusterId = Certificates.ClusterIdOf(ca) ?? throw new InvalidOperationException("The CA names no cluster, although it was checked.");
        NodeId = Node.GetNameInfo(X509NameType.SimpleName, forIssuer: false);
    }

    /// <summary>The CA's certificate, without its key.</summary>
    public X509Certificate2 Ca { get; }

    /// <summary>This node's certificate with its key, used as a server and as a client.</summary>
    public X509Certificate2 Node { get; }

    public string ClusterId { get; }

    /// <summary>Whether this node has the CA's key.</summary>
    public bool CanSign => _caKey is not null;

    public string NodeId { get; }

    /// <summary>SHA-256 of the CA's public key, as in join tokens and <see cref="ClusterDocument.CaPin"/>.</summary>
    public string CaPin { get; }

    /// <summary>SHA-256 of this node's public key, as in <see cref="NodeEntry.KeyPin"/>. A renewal does not change it.</summary>
    public string KeyPin { get; }

    public static bool Exists(NodePaths paths) => File.Exists(PkiFiles.NodeCertificate(paths)) && File.Exists(PkiFiles.CaCertificate(paths));

    /// <summary>Makes the CA and the certificate of a new cluster's first node. Repeatable: what an interrupted run wrote is used.</summary>
    /// <exception cref="ProblemException"><c>peers/other-cluster</c> if <c>pki/</c> has another cluster's CA.</exception>
    public static Pki Mint(NodePaths paths, string clusterId, NodeFile node, TimeProvider time)
    {
        // Keys before the certificates that need them: wherever this stops, the next run can continue.
        using (var caKey = EnsureKey(PkiFiles.CaKey(paths), out _))
        {
            if (PkiFiles.Read(PkiFiles.CaCertificate(paths)) is { } pem)
            {
                using var ca = Certificates.Parse(PkiFiles.CaCertificate(paths), pem);
                if (Certificates.ClusterIdOf(ca) is var other && other != clusterId)
                    throw new ProblemException(PeerProblems.OtherCluster(clusterId, other ?? "unknown"));
            }
            else
            {
                using var ca = Certificates.SelfSign(clusterId, caKey, time.GetUtcNow());
                PkiFiles.Write(PkiFiles.CaCertificate(paths), ca.ExportCertificatePem());
            }
        }

        using (EnsureKey(PkiFiles.NodeKey(paths), out _)) return Load(paths, node, time);
    }

    /// <summary>Reads the files. Issues the node's certificate again if it is missing, old, or has another name or address. A client node cannot, and asks a server node.</summary>
    /// <exception cref="ProblemException"><c>peers/clock</c>, <c>peers/ca-expired</c>, <c>peers/no-pki</c>, <c>storage/torn</c>.</exception>
    /// <param name="mayIssue">False while this node's clock is in doubt: a certificate that exists is used, whatever its state.</param>
    public static Pki Load(NodePaths paths, NodeFile node, TimeProvider time, bool mayIssue = true)
    {
        var ca = Certificates.Parse(PkiFiles.CaCertificate(paths), Required(PkiFiles.CaCertificate(paths)));
        var caKey = NodeSigner.KindOf(paths) == NodeKind.Server ? ParseKey(PkiFiles.CaKey(paths)) : null;
        var nodeKey = ParseKey(PkiFiles.NodeKey(paths));
        var clusterId = Certificates.ClusterIdOf(ca) ?? throw Certificates.Torn(PkiFiles.CaCertificate(paths), "it is not a CA of nomadstack");
        if (caKey is not null && Certificates.Pin(ca) != Certificates.Pin(caKey.ExportSubjectPublicKeyInfo()))
            throw Certificates.Torn(PkiFiles.CaKey(paths), "it is not the key of ca.crt");
        CheckClock(ca, time.GetUtcNow());

        var wanted = new CertificateSubject(clusterId, node.Id, node.Name, node.Address);
        var certificate = PkiFiles.Read(PkiFiles.NodeCertificate(paths)) is { } pem ? Certificates.Parse(PkiFiles.NodeCertificate(paths), pem) : null;
        if (caKey is null)
        {
            if (certificate is null) throw new ProblemException(PeerProblems.NoPki(PkiFiles.NodeCertificate(paths)));
        }
        else if (certificate is null || (mayIssue && !Certificates.IsFit(certificate, ca, nodeKey, wanted, time.GetUtcNow())))
        {
            certificate?.Dispose();
            certificate = Certificates.Issue(ca, caKey, nodeKey.ExportSubjectPublicKeyInfo(), wanted, time.GetUtcNow());
            PkiFiles.Write(PkiFiles.NodeCertificate(paths), certificate.ExportCertificatePem());
        }

        return new Pki(ca, caKey, certificate, nodeKey);
    }

    /// <summary>Whether the certificate must be issued again. <see cref="Load"/> does it on a server node.</summary>
    public bool IsDue(NodeFile node, DateTimeOffset now) => !Certificates.IsFit(Node, Ca, _nodeKey, new CertificateSubject(ClusterId, node.Id, node.Name, node.Address), now);

    /// <summary>Whether peers believe the certificate now.</summary>
    public bool Counts(DateTimeOffset now) => Certificates.Complaint(Node, Ca, now) is null;

    /// <summary>Writes the certificate that a server node made for this client node. The next <see cref="Load"/> uses it.</summary>
    /// <exception cref="ProblemException"><c>client/bad-answer</c>.</exception>
    public void Renew(NodePaths paths, string pem, DateTimeOffset now)
    {
        try
        {
            using var made = X509Certificate2.CreateFromPem(pem);
            if (Certificates.Pin(made) == KeyPin && Certificates.NodeIdOf(made) == NodeId && Certificates.Complaint(made, Ca, now) is null)
            {
                PkiFiles.Write(PkiFiles.NodeCertificate(paths), pem);
                return;
            }
        }
        catch (CryptographicException e)
        {
            throw new ProblemException(ClientProblems.BadAnswer("its peers", "The certificate cannot be read."), e);
        }

        throw new ProblemException(ClientProblems.BadAnswer("its peers", "The certificate is not for this node, or not of this cluster."));
    }

    /// <summary>This node's key pair, made and on disk before anyone else gets to know it.</summary>
    public static ECDsa EnsureNodeKey(NodePaths paths, out bool created) => EnsureKey(PkiFiles.NodeKey(paths), out created);

    /// <summary>Writes the answer to a join. Repeatable. <c>node.crt</c> comes last, so if it exists, the others exist too.</summary>
    /// <param name="caKeyPem">Null on a client node, which keeps none.</param>
    public static void Adopt(NodePaths paths, string caPem, string? caKeyPem, string nodePem)
    {
        if (caKeyPem is not null) PkiFiles.Write(PkiFiles.CaKey(paths), caKeyPem);
        else PkiFiles.Delete(PkiFiles.CaKey(paths));
        PkiFiles.Write(PkiFiles.CaCertificate(paths), caPem);
        PkiFiles.Write(PkiFiles.NodeCertificate(paths), nodePem);
    }

    /// <summary>A certificate for another node of this cluster.</summary>
    /// <param name="publicKey">Its public key as SubjectPublicKeyInfo.</param>
    /// <exception cref="ProblemException"><c>join/bad-request</c> if that is not an ECDSA P-256 key.</exception>
    public X509Certificate2 IssueFor(byte[] publicKey, NodeEntry entry, DateTimeOffset now) =>
        Certificates.Issue(Ca, Signing, publicKey, new CertificateSubject(ClusterId, entry.Id, entry.Name, entry.Address), now);

    /// <summary>The CA's proof that a key belongs to a node of that kind. It makes the node's signatures valid.</summary>
    public byte[] Prove(string nodeId, string kind, byte[] publicKey) => NodeSigner.Prove(Signing, ClusterId, nodeId, kind, publicKey);

    /// <summary>The CA's key, only for a node whose join was accepted.</summary>
    public string RevealCaKey() => Signing.ExportPkcs8PrivateKeyPem();

    private ECDsa Signing => _caKey ?? throw new InvalidOperationException("A client node signs no certificates.");

    public void Dispose()
    {
        Node.Dispose();
        Ca.Dispose();
        _caKey?.Dispose();
        _nodeKey.Dispose();
    }

    private static ECDsa EnsureKey(string path, out bool created)
    {
        created = PkiFiles.Read(path) is null;
        if (!created) return ParseKey(path);
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        PkiFiles.Write(path, key.ExportPkcs8PrivateKeyPem());
        return key;
    }

    public static ECDsa ParseKey(string path)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(Required(path));
            return key;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            key.Dispose();
            throw Certificates.Torn(path, "it is not a private key", e);
        }
    }

    private static string Required(string path) =>
        PkiFiles.Read(path) ?? throw new ProblemException(PeerProblems.NoPki(path));

    private static void CheckClock(X509Certificate2 ca, DateTimeOffset now)
    {
        if (now < ca.NotBefore.ToUniversalTime())
            throw new ProblemException(PeerProblems.Clock(now, ca.NotBefore.ToUniversalTime()));
        if (now > ca.NotAfter.ToUniversalTime())
            throw new ProblemException(PeerProblems.CaExpired(now, ca.NotAfter.ToUniversalTime()));
    }
}
