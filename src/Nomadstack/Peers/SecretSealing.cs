// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Text;

namespace Nomadstack.Peers;

/// <summary>
/// How a secret is sealed and opened. The content is encrypted with a random key (AES-256-GCM), and that key for each server node's key (ECDH P-256 with an ephemeral key,
/// HKDF-SHA256, AES-256-GCM). Name, version, cluster and recipient are bound to both.
/// </summary>
internal static class SecretSealing
{
    private const int KeyBytes = 32, NonceBytes = 12, TagBytes = 16, PublicKeyBytes = 91;

    public const int BoxBytes = PublicKeyBytes + KeyBytes + TagBytes;

    public static (byte[] Content, byte[] Commit, byte[] Key) Close(string clusterId, string name, long version, ReadOnlySpan<byte> value)
    {
        var key = RandomNumberGenerator.GetBytes(KeyBytes);
        var content = new byte[NonceBytes + value.Length + TagBytes];
        RandomNumberGenerator.Fill(content.AsSpan(0, NonceBytes));
        using var cipher = new AesGcm(key, TagBytes);
        cipher.Encrypt(content.AsSpan(0, NonceBytes), value, content.AsSpan(NonceBytes, value.Length), content.AsSpan(NonceBytes + value.Length), Bound("content", clusterId, name, version));
        return (content, Commit(clusterId, name, version, key), key);
    }

    /// <exception cref="CryptographicException">The content was not sealed with this key.</exception>
    public static byte[] Open(string clusterId, string name, long version, byte[] content, byte[] key)
    {
        var value = new byte[content.Length - NonceBytes - TagBytes];
        using var cipher = new AesGcm(key, TagBytes);
        cipher.Decrypt(content.AsSpan(0, NonceBytes), content.AsSpan(NonceBytes, value.Length), content.AsSpan(NonceBytes + value.Length), value, Bound("content", clusterId, name, version));
        return value;
    }

    public static bool Fits(string clusterId, string name, long version, byte[] key, byte[] commit) => CryptographicOperations.FixedTimeEquals(Commit(clusterId, name, version, key), commit);

    public static bool IsContent(byte[] content) => content.Length >= NonceBytes + TagBytes;

    /// <param name="publicKey">The recipient's, SubjectPublicKeyInfo.</param>
    public static byte[] Box(string clusterId, string name, long version, string nodeId, byte[] publicKey, byte[] key)
    {
        using var recipient = ECDiffieHellman.Create();
        recipient.ImportSubjectPublicKeyInfo(publicKey, out _);
        using var ephemeral = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        var shown = ephemeral.ExportSubjectPublicKeyInfo();
        using var cipher = new AesGcm(WrappingKey(ephemeral.DeriveRawSecretAgreement(recipient.PublicKey), shown, publicKey, clusterId, name, version, nodeId), TagBytes);
        var box = new byte[BoxBytes];
        shown.CopyTo(box, 0);
        // The wrapping key is used once, so any nonce will do.
        cipher.Encrypt(new byte[NonceBytes], key, box.AsSpan(PublicKeyBytes, KeyBytes), box.AsSpan(PublicKeyBytes + KeyBytes));
        return box;
    }

    /// <exception cref="CryptographicException">The box is not for this key.</exception>
    public static byte[] Unbox(string clusterId, string name, long version, string nodeId, ECDiffieHellman own, byte[] box)
    {
        using var ephemeral = ECDiffieHellman.Create();
        ephemeral.ImportSubjectPublicKeyInfo(box.AsSpan(0, PublicKeyBytes), out _);
        using var cipher = new AesGcm(WrappingKey(own.DeriveRawSecretAgreement(ephemeral.PublicKey), box.AsSpan(0, PublicKeyBytes), own.ExportSubjectPublicKeyInfo(), clusterId, name, version, nodeId), TagBytes);
        var key = new byte[KeyBytes];
        cipher.Decrypt(new byte[NonceBytes], box.AsSpan(PublicKeyBytes, KeyBytes), box.AsSpan(PublicKeyBytes + KeyBytes), key);
        return key;
    }

    private static byte[] WrappingKey(byte[] agreed, ReadOnlySpan<byte> ephemeral, ReadOnlySpan<byte> recipient, string clusterId, string name, long version, string nodeId) =>
        HKDF.DeriveKey(HashAlgorithmName.SHA256, agreed, KeyBytes, [.. ephemeral, .. recipient], [.. Bound("box", clusterId, name, version), .. Encoding.UTF8.GetBytes("\n" + nodeId)]);

    private static byte[] Commit(string clusterId, string name, long version, byte[] key) => SHA256.HashData([.. Bound("commit", clusterId, name, version), .. key]);

    private static byte[] Bound(string what, string clusterId, string name, long version) => Encoding.UTF8.GetBytes($"nomadstack secret {what} 1\n{clusterId}\n{name}\n{version}");
}
