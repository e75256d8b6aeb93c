// SPDX-License-Identifier: MPL-2.0
using Org.BouncyCastle.Bcpg;
using Org.BouncyCastle.Bcpg.OpenPgp;
using Org.BouncyCastle.Crypto.Generators;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Math;
using Org.BouncyCastle.Security;

namespace Nomadstack.Tests.Fetch;

/// <summary>Somebody who signs releases, with an OpenPGP key of their own: a primary key and a subkey that may sign.</summary>
internal sealed class Signer
{
    private static readonly SecureRandom s_random = new();

    private readonly PgpSecretKeyRing _secret;
    private readonly PgpPublicKeyRing _public;

    /// <param name="lifetime">Seconds from <paramref name="made"/>; 0 for no end.</param>
    public Signer(DateTime? made = null, long lifetime = 0)
    {
        var subpackets = new PgpSignatureSubpacketGenerator();
        if (lifetime > 0) subpackets.SetKeyExpirationTime(false, lifetime);
        var since = made ?? new DateTime(2025, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        var ring = new PgpKeyRingGenerator(PgpSignature.PositiveCertification, Pair(since), "tests", SymmetricKeyAlgorithmTag.Null, Array.Empty<char>(), true, subpackets.Generate(), null, s_random);
        var flags = new PgpSignatureSubpacketGenerator();
        flags.SetKeyFlags(false, PgpKeyFlags.CanSign);
        ring.AddSubKey(Pair(since), flags.Generate(), null);
        var encrypts = new PgpSignatureSubpacketGenerator();
        encrypts.SetKeyFlags(false, PgpKeyFlags.CanEncryptStorage);
        ring.AddSubKey(Pair(since), encrypts.Generate(), null);
        _secret = ring.GenerateSecretKeyRing();
        _public = ring.GeneratePublicKeyRing();
    }

    /// <summary>Made once: keys cost a second.</summary>
    public static Signer Known { get; } = new();

    public string Fingerprint => Convert.ToHexString(_public.GetPublicKey().GetFingerprint());

    /// <summary>Writes the public key as <c>gpg --export --armor</c> does.</summary>
    public string KeyIn(string folder)
    {
        var file = Path.Combine(folder, "key.asc");
        using var stream = File.Create(file);
        using var armor = new ArmoredOutputStream(stream);
        _public.Encode(armor);
        return file;
    }

    /// <param name="subkey">0 for the primary key, 1 for the one that may sign, 2 for the one that may not.</param>
    public byte[] Sign(byte[] content, int subkey = 0, HashAlgorithmTag hash = HashAlgorithmTag.Sha256)
    {
        var key = _secret.GetSecretKeys().Cast<PgpSecretKey>().ElementAt(subkey);
        var generator = new PgpSignatureGenerator(key.PublicKey.Algorithm, hash);
        generator.InitSign(PgpSignature.BinaryDocument, key.ExtractPrivateKey(Array.Empty<char>()));
        generator.Update(content);
        return generator.Generate().GetEncoded();
    }

    private static PgpKeyPair Pair(DateTime made)
    {
        var generator = new RsaKeyPairGenerator();
        generator.Init(new RsaKeyGenerationParameters(BigInteger.ValueOf(65537), s_random, 1024, 20));
        return new PgpKeyPair(PublicKeyAlgorithmTag.RsaGeneral, generator.GenerateKeyPair(), made);
    }
}
