// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>
/// Renews the peer certificates of client nodes, which cannot sign their own. The old one may have ended: the node's key is what counts, and that it was not removed.
/// </summary>
internal sealed class RenewalDesk(Membership membership, Pki pki, TimeProvider time)
{
    /// <summary>What a client node asks with.</summary>
    public static CertificateAsked Ask(NodeSigner signer, string certificate) => new(certificate, signer.Sign(Signed.Renewal, Encoding.UTF8.GetBytes(certificate)));

    /// <exception cref="ProblemException"><c>client/*</c>, <c>peers/removed</c>, <c>peers/other-key</c>.</exception>
    public CertificateGiven Answer(CertificateAsked asked)
    {
        if (!pki.CanSign) throw new ProblemException(ClientProblems.AskedAClientNode(membership.Node.Name));
        if (asked.Certificate is null || asked.Signed is not { By: not null, Key: not null, Proof: not null, Value: not null } signature)
            throw Refused("It has no certificate or no signature.");
        if (membership.Judge?.OfAny(Signed.Renewal, Encoding.UTF8.GetBytes(asked.Certificate), signature) is { } complaint) throw Refused($"In the request, {complaint}.");
        if (membership.Current?.Nodes.GetValueOrDefault(signature.By) is not { } node) throw new ProblemException(ClientProblems.NotKnownYet(signature.By));
        if (node.Removed) throw new ProblemException(PeerProblems.Removed(node.Name));
        if (node.KeyPin != Certificates.Pin(signature.Key)) throw new ProblemException(PeerProblems.OtherKey(node.Name));
        if (node.IsServer || signature.Kind != NodeKind.Client) throw Refused("Server nodes sign their own certificates.");
        using var old = Read(asked.Certificate);
        // By the time at which it was made: that it has ended is why it is shown here.
        if (Certificates.Complaint(old, pki.Ca, old.NotBefore) is not null || Certificates.NodeIdOf(old) != node.Id)
            throw Refused("The certificate is not one that this cluster gave the node.");
        if (!Certificates.IsFor(old, node.Name)) throw new ProblemException(ClientProblems.OtherName(node.Name));
        using var made = pki.IssueFor(signature.Key, node, time.GetUtcNow());
        return new(made.ExportCertificatePem());
    }

    private static X509Certificate2 Read(string pem)
    {
        try
        {
            return X509Certificate2.CreateFromPem(pem);
        }
        catch (CryptographicException e)
        {
            throw new ProblemException(ClientProblems.NotRenewed($"The certificate cannot be read ({e.Message})."), e);
        }
    }

    private static ProblemException Refused(string why) => new(ClientProblems.NotRenewed(why));
}
