// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Storage;

namespace Nomadstack.Security;

/// <summary>
/// What a client node has to be let in by the products' agents: keys of its own, and certificates, tokens and gossip keys that server nodes gave it. All of it can be had again, so
/// a damaged file is asked for anew.
/// </summary>
internal sealed class ClientGrants(NodePaths paths, NodeFile node, TimeProvider time)
{
    private const int Schema = 1;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, ClientGrant?> _read = [];

    /// <summary>The public key for a product's certificate. The private one is on disk before anybody gets to know it.</summary>
    public byte[] KeyFor(Product product)
    {
        using var key = FindKey(product) ?? MakeKey(product);
        return key.ExportSubjectPublicKeyInfo();
    }

    /// <summary>
    /// Keeps what a server node gave. A certificate that is not due stays: one at each start of the agent would only make its processes read files. Returns whether anything is
    /// new, so that they have to.
    /// </summary>
    /// <param name="authorities">Those that count, as PEM.</param>
    /// <param name="asked">The settings under which it was asked for.</param>
    /// <exception cref="ProblemException"><c>client/bad-answer</c>: it is not for this node's key, or of another authority. <c>storage/unwritable</c>.</exception>
    public bool Take(Product product, GivenCredentials given, string authorities, string asked = "")
    {
        if (!IsUsable(product, given.Certificate, CredentialFiles.Parse(authorities, CaFile(product))))
            throw new ProblemException(ClientProblems.BadAnswer(product.Title, ClientProblems.ForeignCertificate));
        var (next, held) = (new ClientGrant(Schema, node.Address, given.Gossip, given.Tokens, given.Digest, asked), Of(product));
        var isNew = held is null || held.Address != next.Address || held.Gossip != next.Gossip || held.Digest != next.Digest || held.Asked != next.Asked || held.Tokens.Count != next.Tokens.Count || held.Tokens.Except(next.Tokens).Any();
        var wanted = IsDue(product, authorities, asked);
        if (!isNew && !wanted) return false;
        CredentialFiles.MarkDue(paths, product);
        lock (_gate)
        {
            PkiFiles.Write(GrantFile(product), JsonSerializer.Serialize(next, ClientGrantJson.Default.ClientGrant));
            _read[product.Name] = next;
        }

        if (wanted) PkiFiles.Write(CertificateFile(product), given.Certificate);
        return true;
    }

    /// <summary>This node's credentials for a product; null while it has none that count.</summary>
    public Credentials? Load(Product product, string authorities)
    {
        var ca = CredentialFiles.Parse(authorities, CaFile(product));
        if (Of(product) is null || PkiFiles.Read(CertificateFile(product)) is not { } pem || !IsUsable(product, pem, ca)) return null;
        // After the certificate: nobody reads that only a new authority counts before there is one of it.
        if (PkiFiles.Read(CaFile(product)) != authorities)
        {
            CredentialFiles.MarkDue(paths, product);
            PkiFiles.Write(CaFile(product), authorities);
        }

        return new(CaFile(product), CertificateFile(product), KeyFile(product), ca, X509Certificate2.CreateFromPem(pem, PkiFiles.Read(KeyFile(product))!));
    }

    /// <summary>Whether new ones are wanted: a third of the certificate's life is left, another authority signs, the node has another address, or something is missing.</summary>
    public bool IsDue(Product product, string authorities, string asked = "")
    {
        var ca = CredentialFiles.Parse(authorities, CaFile(product));
        if (Of(product) is not { } grant || grant.Asked != asked || grant.Address != node.Address || PkiFiles.Read(CertificateFile(product)) is not { } pem || !IsUsable(product, pem, ca)) return true;
        using var certificate = X509Certificate2.CreateFromPem(pem);
        var (from, until, now) = (certificate.NotBefore.ToUniversalTime(), certificate.NotAfter.ToUniversalTime(), time.GetUtcNow());
        return until - now.UtcDateTime <= (until - from) / 3 || Certificates.Complaint(certificate, ca[0], now) is not null;
    }

    public string Digest(Product product) => Of(product)?.Digest ?? "";

    public string? Gossip(Product product) => Of(product)?.Gossip;

    /// <summary>A token by its name, or the one for everything else.</summary>
    public string? Token(Product product, string name) =>
        Of(product)?.Tokens is not { } tokens ? null : tokens.GetValueOrDefault(name) ?? tokens.GetValueOrDefault(GivenCredentials.Own);

    private ClientGrant? Of(Product product)
    {
        lock (_gate)
        {
            if (_read.TryGetValue(product.Name, out var known) && known is not null) return known;
            return _read[product.Name] = Parse(PkiFiles.Read(GrantFile(product)));
        }
    }

    private static ClientGrant? Parse(string? text)
    {
        try
        {
            return text is not null && JsonSerializer.Deserialize(text, ClientGrantJson.Default.ClientGrant) is { Schema: Schema, Tokens: not null } grant ? grant : null;
        }
        catch (JsonException)
        {
            // Half a file, or a newer release's: it is asked for again.
            return null;
        }
    }

    private bool IsUsable(Product product, string pem, X509Certificate2Collection ca)
    {
        try
        {
            using var key = FindKey(product);
            using var certificate = X509Certificate2.CreateFromPem(pem);
            return key is not null && Certificates.Pin(certificate) == Certificates.Pin(key.ExportSubjectPublicKeyInfo())
                && ca.Any(a => Certificates.Complaint(certificate, a, time.GetUtcNow()) is null);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private ECDsa? FindKey(Product product)
    {
        if (PkiFiles.Read(KeyFile(product)) is null) return null;
        try
        {
            return Pki.ParseKey(KeyFile(product));
        }
        catch (ProblemException)
        {
            // A damaged key is worth nothing, and another is as good.
            return null;
        }
    }

    private ECDsa MakeKey(Product product)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        PkiFiles.Write(KeyFile(product), key.ExportPkcs8PrivateKeyPem());
        return key;
    }

    private string GrantFile(Product product) => Path.Combine(paths.Pki, product.Name, "given.json");

    private string CaFile(Product product) => Path.Combine(paths.Pki, product.Name, "ca.pem");

    private string CertificateFile(Product product) => Path.Combine(paths.Pki, product.Name, "node.pem");

    private string KeyFile(Product product) => Path.Combine(paths.Pki, product.Name, "node-key.pem");
}
