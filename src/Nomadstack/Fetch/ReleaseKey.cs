// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Org.BouncyCastle.Bcpg;
using Org.BouncyCastle.Bcpg.OpenPgp;
using Org.BouncyCastle.Utilities.IO;

namespace Nomadstack.Fetch;

/// <summary>The OpenPGP key that a release must be signed with. HashiCorp's is part of this program; a mirror's own is read from a file.</summary>
internal sealed class ReleaseKey
{
    /// <summary>As published at hashicorp.com/security.</summary>
    public const string HashiCorpFingerprint = "C874011F0AB405110D02105534365D9472D7468F";

    private static readonly HashAlgorithmTag[] s_strong = [HashAlgorithmTag.Sha256, HashAlgorithmTag.Sha384, HashAlgorithmTag.Sha512];

    private readonly IReadOnlyList<PgpPublicKey> _keys;

    private ReleaseKey(IReadOnlyList<PgpPublicKey> keys) => _keys = keys;

    /// <summary>Of the first primary key, in capitals.</summary>
    public string Fingerprint => Convert.ToHexString(_keys[0].GetFingerprint());

    public static ReleaseKey HashiCorp()
    {
        using var block = typeof(ReleaseKey).Assembly.GetManifestResourceStream("hashicorp.asc") ?? throw new InvalidOperationException("the release key was not built in");
        var key = new ReleaseKey(SigningKeys(block));
        if (key.Fingerprint != HashiCorpFingerprint) throw new InvalidOperationException($"the key that was built in is {key.Fingerprint}, not HashiCorp's");
        return key;
    }

    /// <param name="file">A public key, armored or binary.</param>
    /// <exception cref="ProblemException"><c>fetch/bad-key</c>.</exception>
    public static ReleaseKey From(string file)
    {
        try
        {
            using var stream = File.OpenRead(file);
            var keys = SigningKeys(stream);
            return keys.Count > 0 ? new(keys) : throw Bad("it holds no public key", null);
        }
        catch (Exception e) when (e is not ProblemException)
        {
            // Whatever a parser of foreign bytes throws, it means the same.
            throw Bad(e.Message.TrimEnd('.'), e);
        }

        ProblemException Bad(string why, Exception? inner) =>
            new(new("fetch/bad-key", $"{file} is no OpenPGP public key.", $"Read as one, it says: {why}.", "Give --key a file made with `gpg --export --armor KEYID`."), inner);
    }

    /// <summary>Why the detached signature does not vouch for the content; null when it does.</summary>
    public string? Complaint(byte[] content, byte[] signature)
    {
        List<string> complaints = [];
        try
        {
            using var decoded = PgpUtilities.GetDecoderStream(new MemoryStream(signature));
            var factory = new PgpObjectFactory(decoded);
            while (factory.NextPgpObject() is { } packet)
            {
                if (packet is not PgpSignatureList list) continue;
                for (var i = 0; i < list.Count; i++)
                {
                    if (Complaint(content, list[i]) is not { } complaint) return null;
                    complaints.Add(complaint);
                }
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The parser throws many kinds. A signature that cannot be read does not vouch for anything.
            complaints.Add($"it cannot be read ({e.Message.TrimEnd('.')})");
        }

        return complaints.Count > 0 ? string.Join("; ", complaints.Distinct()) : "the file holds no signature";
    }

    private string? Complaint(byte[] content, PgpSignature signature)
    {
        if (_keys.FirstOrDefault(k => k.KeyId == signature.KeyId) is not { } key) return $"it was made by the key {signature.KeyId:X16}, not by {Fingerprint}";
        if (signature.SignatureType != PgpSignature.BinaryDocument) return "it is not a signature of a file";
        if (!s_strong.Contains(signature.HashAlgorithm)) return $"it rests on {signature.HashAlgorithm}, which can be forged";
        // By the time of the signature, not by today's: what was good when it was published stays so.
        if (key.GetValidSeconds() is > 0 and var seconds && signature.CreationTime > key.CreationTime.AddSeconds(seconds)) return $"it was made after the key {key.KeyId:X16} had expired";
        if (key.HasRevocation()) return $"the key {key.KeyId:X16} was revoked";
        signature.InitVerify(key);
        signature.Update(content);
        return signature.Verify() ? null : "it does not fit the file";
    }

    /// <summary>Primary keys, and those of their subkeys that they vouch for as signing keys.</summary>
    private static List<PgpPublicKey> SigningKeys(Stream block)
    {
        using var decoded = PgpUtilities.GetDecoderStream(new MemoryStream(Streams.ReadAll(block)));
        List<PgpPublicKey> keys = [];
        foreach (PgpPublicKeyRing ring in new PgpPublicKeyRingBundle(decoded).GetKeyRings())
        {
            var primary = ring.GetPublicKey();
            keys.Add(primary);
            foreach (PgpPublicKey key in ring.GetPublicKeys())
            {
                if (!key.IsMasterKey && IsVouchedFor(key, primary)) keys.Add(key);
            }
        }

        return keys;
    }

    private static bool IsVouchedFor(PgpPublicKey subkey, PgpPublicKey primary)
    {
        foreach (PgpSignature binding in subkey.GetSignaturesOfType(PgpSignature.SubkeyBinding))
        {
            if (binding.KeyId != primary.KeyId || (binding.GetHashedSubPackets()?.GetKeyFlags() & PgpKeyFlags.CanSign) is not > 0) continue;
            binding.InitVerify(primary);
            if (binding.VerifyCertification(primary, subkey)) return true;
        }

        return false;
    }
}
