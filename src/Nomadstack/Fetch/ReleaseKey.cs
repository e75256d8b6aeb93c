// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Org.BouncyCastle.Bcpg;
using Org.BouncyCastle.Bcpg.OpenPgp;
using Org.BouncyCastle.Utilities.IO;

namespace Nomadstack.Fetch;

/// <summary>The OpenPGP key with which a release must be signed. HashiCorp's key is part of this program. A mirror's own key is read from a file.</summary>
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
        using var block = typeof(ReleaseKey).Assembly.GetManifestResourceStream("hashicorp.asc") ?? throw new InvalidOperationException("The release key is missing from this build.");
        var key = new ReleaseKey(SigningKeys(block));
        if (key.Fingerprint != HashiCorpFingerprint) throw new InvalidOperationException($"The release key in this build is {key.Fingerprint}, not HashiCorp's.");
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
            return keys.Count > 0 ? new(keys) : throw Bad("it contains no public key", null);
        }
        catch (Exception e) when (e is not ProblemException)
        {
            // Any exception of the parser means the same: the file is not a key.
            throw Bad(e.Message.TrimEnd('.'), e);
        }

        ProblemException Bad(string why, Exception? inner) =>
            new(FetchProblems.BadKey(file, why), inner);
    }

    /// <summary>Why the detached signature is not valid for the content; null when it is.</summary>
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
            // The parser throws many kinds of exceptions. A signature that cannot be read is not valid.
            complaints.Add($"it cannot be read ({e.Message.TrimEnd('.')})");
        }

        return complaints.Count > 0 ? string.Join("; ", complaints.Distinct()) : "the file contains no signature";
    }

    private string? Complaint(byte[] content, PgpSignature signature)
    {
        if (_keys.FirstOrDefault(k => k.KeyId == signature.KeyId) is not { } key) return $"it was made by the key {signature.KeyId:X16}, not by {Fingerprint}";
        if (signature.SignatureType != PgpSignature.BinaryDocument) return "it is not the signature of a file";
        if (!s_strong.Contains(signature.HashAlgorithm)) return $"it uses {signature.HashAlgorithm}, which can be forged";
        // Judged at the time of the signature, not today: a release that was valid when it was published stays valid.
        if (key.GetValidSeconds() is > 0 and var seconds && signature.CreationTime > key.CreationTime.AddSeconds(seconds)) return $"it was made after the key {key.KeyId:X16} had expired";
        if (key.HasRevocation()) return $"the key {key.KeyId:X16} was revoked";
        signature.InitVerify(key);
        signature.Update(content);
        return signature.Verify() ? null : "it does not match the file";
    }

    /// <summary>Primary keys, and those of their subkeys that they have certified for signing.</summary>
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
