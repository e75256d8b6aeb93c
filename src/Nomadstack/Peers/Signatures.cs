// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <summary>What a signature is for. It is part of the signed bytes, so that one kind cannot be used as another.</summary>
internal static class Signed
{
    public const string Node = "node";
    public const string Token = "token";
    public const string Setting = "setting";
    public const string Secret = "secret";
    public const string Renewal = "renewal";

    public static byte[] Message(string what, string clusterId, ReadOnlySpan<byte> body) => [.. Encoding.UTF8.GetBytes($"nomadstack {what} 1\n{clusterId}\n"), .. body];

    public static byte[] ProofMessage(string clusterId, string nodeId, string kind, ReadOnlySpan<byte> key) =>
        Encoding.UTF8.GetBytes($"nomadstack key 1\n{clusterId}\n{nodeId}\n{kind}\n{Certificates.Pin(key)}");
}

/// <summary>This node's key and the CA's proof for it: signs what this node sends.</summary>
internal sealed class NodeSigner : IDisposable
{
    private readonly ECDsa _key;
    private readonly byte[] _publicKey;
    private readonly byte[] _proof;
    private readonly string _clusterId;

    private NodeSigner(string clusterId, string nodeId, string kind, ECDsa key, byte[] proof)
    {
        (_clusterId, NodeId, Kind, _key, _proof) = (clusterId, nodeId, kind, key, proof);
        _publicKey = key.ExportSubjectPublicKeyInfo();
        KeyPin = Certificates.Pin(_publicKey);
    }

    public string NodeId { get; }

    /// <summary><see cref="NodeKind"/>.</summary>
    public string Kind { get; }

    public string KeyPin { get; }

    public bool IsServer => Kind == NodeKind.Server;

    /// <summary>From <c>pki/</c>, or null while that is incomplete, before a bootstrap or join.</summary>
    /// <remarks>A node that got a proof at its join uses it. A node that joined with release 0.1.0 has the CA's key, as every node then, and certifies itself as a server node.</remarks>
    public static NodeSigner? TryLoad(NodePaths paths, string nodeId)
    {
        if (PkiFiles.Read(PkiFiles.CaCertificate(paths)) is not { } caPem || PkiFiles.Read(PkiFiles.NodeKey(paths)) is null) return null;
        using var ca = Certificates.Parse(PkiFiles.CaCertificate(paths), caPem);
        if (Certificates.ClusterIdOf(ca) is not { } clusterId) return null;
        if (ReadProof(paths) is { } given) return new NodeSigner(clusterId, nodeId, given.Kind, Pki.ParseKey(PkiFiles.NodeKey(paths)), given.Proof);
        if (PkiFiles.Read(PkiFiles.CaKey(paths)) is null) return null;
        using var caKey = Pki.ParseKey(PkiFiles.CaKey(paths));
        var key = Pki.ParseKey(PkiFiles.NodeKey(paths));
        return new NodeSigner(clusterId, nodeId, NodeKind.Server, key, Prove(caKey, clusterId, nodeId, NodeKind.Server, key.ExportSubjectPublicKeyInfo()));
    }

    /// <summary>The kind that the CA certified this node's key for. Without a proof it is a server node, which can certify itself.</summary>
    public static string KindOf(NodePaths paths) => ReadProof(paths)?.Kind ?? NodeKind.Server;

    /// <summary>The CA's proof that a key belongs to a node of that kind.</summary>
    public static byte[] Prove(ECDsa caKey, string clusterId, string nodeId, string kind, byte[] publicKey) =>
        caKey.SignData(Signed.ProofMessage(clusterId, nodeId, kind, publicKey), HashAlgorithmName.SHA256);

    /// <summary>Writes the proof from the answer to a join.</summary>
    public static void WriteProof(NodePaths paths, string kind, byte[] proof) => PkiFiles.Write(PkiFiles.NodeProof(paths), $"{kind} {Convert.ToBase64String(proof)}\n");

    public EntrySignature Sign(string what, ReadOnlySpan<byte> body) =>
        new() { By = NodeId, Kind = Kind, Key = _publicKey, Proof = _proof, Value = _key.SignData(Signed.Message(what, _clusterId, body), HashAlgorithmName.SHA256) };

    public NodeEntry Sign(NodeEntry entry)
    {
        var bare = entry with { Signed = null };
        return bare with { Signed = Sign(Signed.Node, Entries.Body(bare)) };
    }

    public TokenEntry Sign(TokenEntry entry)
    {
        var bare = entry with { Signed = null };
        return bare with { Signed = Sign(Signed.Token, Entries.Body(bare)) };
    }

    public Setting Sign(Setting entry)
    {
        var bare = entry with { Signed = null };
        return bare with { Signed = Sign(Signed.Setting, Entries.Body(bare)) };
    }

    /// <summary>The same key, to open what was sealed for this node.</summary>
    public ECDiffieHellman ForAgreement() => ECDiffieHellman.Create(_key.ExportParameters(includePrivateParameters: true));

    public void Dispose() => _key.Dispose();

    private static (string Kind, byte[] Proof)? ReadProof(NodePaths paths)
    {
        if (PkiFiles.Read(PkiFiles.NodeProof(paths)) is not { } text) return null;
        var words = text.Trim().Split(' ');
        var proof = new byte[64];
        if (words.Length == 2 && Convert.TryFromBase64String(words[1], proof, out var length) && length == proof.Length) return (words[0], proof);
        throw Certificates.Torn(PkiFiles.NodeProof(paths), "it is not a proof of a key");
    }
}

/// <summary>Checks signatures. Needs only the cluster's CA, so the result never depends on what was received before.</summary>
internal sealed class SignatureJudge : IDisposable
{
    private const int ProofsKept = 4096;

    private readonly ECDsa _ca;
    private readonly string _clusterId;
    private readonly ConcurrentDictionary<string, bool> _proofs = new();

    private SignatureJudge(ECDsa ca, string clusterId) => (_ca, _clusterId) = (ca, clusterId);

    /// <summary>From <c>pki/ca.crt</c>, or null while there is none.</summary>
    public static SignatureJudge? TryLoad(NodePaths paths)
    {
        if (PkiFiles.Read(PkiFiles.CaCertificate(paths)) is not { } pem) return null;
        using var ca = Certificates.Parse(PkiFiles.CaCertificate(paths), pem);
        return Certificates.ClusterIdOf(ca) is { } clusterId && System.Security.Cryptography.X509Certificates.ECDsaCertificateExtensions.GetECDsaPublicKey(ca) is { } key
            ? new SignatureJudge(key, clusterId)
            : throw Certificates.Torn(PkiFiles.CaCertificate(paths), "it is not a CA of nomadstack");
    }

    /// <summary>Why the entry is refused, or null.</summary>
    public string? Complaint(NodeEntry entry)
    {
        if (entry.Signed is not { } signature) return null;
        if (Complaint(Signed.Node, Entries.SignedBody(entry), signature) is { } complaint) return complaint;
        if (signature.By != entry.Id) return signature.Kind == NodeKind.Server ? null : "it was signed by another node that is not a server node";
        return Certificates.Pin(signature.Key) != entry.KeyPin ? "it was not signed with the key that it names"
            : signature.Kind != (entry.Kind ?? NodeKind.Server) ? $"it says that it is a {entry.Kind ?? NodeKind.Server} node, but its key is certified for a {signature.Kind} node"
            : null;
    }

    /// <inheritdoc cref="Complaint(NodeEntry)"/>
    public string? Complaint(TokenEntry entry) => entry.Signed is { } signature ? OfServer(Signed.Token, Entries.SignedBody(entry), signature) : null;

    /// <inheritdoc cref="Complaint(NodeEntry)"/>
    public string? Complaint(Setting entry) =>
        entry.Signed is not { } signature ? "it is not signed"
        : signature.By != entry.Writer ? "it was not signed by the node that wrote it"
        : OfServer(Signed.Setting, Entries.SignedBody(entry), signature);

    public string? OfServer(string what, ReadOnlySpan<byte> body, EntrySignature signature) =>
        Complaint(what, body, signature) ?? (signature.Kind == NodeKind.Server ? null : "it was signed by a node that is not a server node");

    /// <summary>Why it was not signed by a node of this cluster, whatever its kind.</summary>
    public string? OfAny(string what, ReadOnlySpan<byte> body, EntrySignature signature) => Complaint(what, body, signature);

    public void Dispose() => _ca.Dispose();

    private string? Complaint(string what, ReadOnlySpan<byte> body, EntrySignature signature)
    {
        if (!IsProven(signature)) return "its key is not certified by this cluster's CA";
        try
        {
            using var key = ECDsa.Create();
            key.ImportSubjectPublicKeyInfo(signature.Key, out _);
            return key.KeySize == 256 && key.VerifyData(Signed.Message(what, _clusterId, body), signature.Value, HashAlgorithmName.SHA256) ? null : "its signature is not valid";
        }
        catch (CryptographicException e)
        {
            return $"its signature cannot be read ({e.Message})";
        }
    }

    private bool IsProven(EntrySignature signature)
    {
        var message = Signed.ProofMessage(_clusterId, signature.By, signature.Kind, signature.Key);
        var known = Convert.ToHexStringLower(SHA256.HashData([.. message, .. signature.Proof]));
        if (_proofs.TryGetValue(known, out var holds)) return holds;
        if (_proofs.Count >= ProofsKept) _proofs.Clear();
        bool verified;
        lock (_ca) verified = _ca.VerifyData(message, signature.Proof, HashAlgorithmName.SHA256);
        return _proofs[known] = verified;
    }
}
