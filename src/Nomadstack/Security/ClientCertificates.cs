// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Nomadstack.Cluster;
using Nomadstack.Peers;

namespace Nomadstack.Security;

/// <summary>The products' certificates of client nodes. They open what clients may open, and no server of the product believes them to be a server.</summary>
internal static class ClientCertificates
{
    /// <param name="node">Whom it is for: its name, id and address, as the cluster has them and not as somebody asks.</param>
    /// <param name="signingKey">The authority's key as PEM.</param>
    /// <param name="publicKey">SubjectPublicKeyInfo.</param>
    /// <param name="withAddress">False where the address is another node's as well: nobody may pass for that one.</param>
    /// <returns>PEM.</returns>
    /// <exception cref="ProblemException"><c>join/bad-request</c> if that is not an ECDSA P-256 key.</exception>
    public static string Issue(Product product, NodeEntry node, X509Certificate2 ca, string signingKey, byte[] publicKey, bool withAddress, DateTimeOffset now)
    {
        using var caKey = ECDsa.Create();
        caKey.ImportFromPem(signingKey);
        using var made = Certificates.Issue(ca, caKey, publicKey, $"{node.Name} {node.Id}", Names(product, withAddress ? node.Address : null), now + CredentialFiles.Life, now);
        return made.ExportCertificatePem();
    }

    /// <summary>The client's name, and what programs on the node itself call it. Never the server's.</summary>
    private static SubjectAlternativeNameBuilder Names(Product product, string? address)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(product.CertificateName(ProductPort.Client)!);
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        if (address is not null && !IPAddress.Parse(address).Equals(IPAddress.Loopback)) names.AddIpAddress(IPAddress.Parse(address));
        return names;
    }
}
