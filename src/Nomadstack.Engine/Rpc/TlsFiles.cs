// SPDX-License-Identifier: MPL-2.0
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Nomadstack.Engine.Configuration;

namespace Nomadstack.Engine.Rpc;

/// <summary>What the files of a <c>tls</c> block hold: whom this agent believes, and what it shows.</summary>
internal sealed record TlsFiles(X509Certificate2Collection Authorities, SslStreamCertificateContext Own, string Digest)
{
    /// <summary>RFC 8410. Nomad refuses such a leaf, though not such a CA.</summary>
    private const string Ed25519 = "1.3.101.112";

    /// <exception cref="ConfigException">They cannot be used, in Nomad's words.</exception>
    /// <exception cref="IOException">They cannot be read.</exception>
    public static TlsFiles Read(TlsConfig tls)
    {
        if (tls.CaFile.Length == 0) throw Refused("VerifyOutgoing set, and no CA certificate provided!");
        if (tls.CertFile.Length == 0 || tls.KeyFile.Length == 0) throw Refused("VerifyIncoming set, and no Cert/Key pair provided!");
        var (ca, cert, key) = (File.ReadAllText(tls.CaFile), File.ReadAllText(tls.CertFile), File.ReadAllText(tls.KeyFile));
        var digest = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', ca, cert, key))));
        return new TlsFiles(AuthoritiesOf(ca, tls.CaFile), OwnOf(cert, key, tls.CertFile), digest);
    }

    private static X509Certificate2Collection AuthoritiesOf(string pem, string path)
    {
        var found = new X509Certificate2Collection();
        try
        {
            found.ImportFromPem(pem);
        }
        catch (CryptographicException e)
        {
            throw Refused($"Failed to parse any valid certificates in CA file: {path}: {e.Message}");
        }

        return found.Count > 0 ? found : throw Refused($"Failed to parse any valid certificates in CA file: {path}");
    }

    private static SslStreamCertificateContext OwnOf(string pem, string key, string path)
    {
        try
        {
            using (var leaf = X509Certificate2.CreateFromPem(pem))
                if (leaf.GetKeyAlgorithm() == Ed25519) throw Refused("Unsupported signature algorithm ed25519.PrivateKey; RSA and ECDSA only are supported.");
            var between = new X509Certificate2Collection();
            between.ImportFromPem(pem);
            between.RemoveAt(0);
            return SslStreamCertificateContext.Create(X509Certificate2.CreateFromPem(pem, key), between, offline: true);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw Refused($"Failed to load cert/key pair: {path}: {e.Message}");
        }
    }

    private static ConfigException Refused(string why) => new([why]);
}
