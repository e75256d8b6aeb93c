// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <param name="AlreadyMember">This node was already a member of the token's cluster. Nothing was sent or changed.</param>
internal sealed record JoinOutcome(bool AlreadyMember, ClusterDocument Document);

/// <summary>
/// Makes this node a member. Compares the CA of the answering agent with the token's hash, and only then sends the secret.
/// A refusal comes within ten seconds and changes nothing. An interrupted attempt may simply be repeated.
/// </summary>
internal static class Joining
{
    private static readonly TimeSpan s_lookDeadline = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan s_joinDeadline = TimeSpan.FromSeconds(6);

    /// <exception cref="ProblemException"><c>join/*</c>.</exception>
    public static async Task<JoinOutcome> JoinAsync(JoinAddress at, string tokenText, Membership membership, NodePaths paths, string version, TimeProvider time, CancellationToken cancel)
    {
        var token = JoinToken.Parse(tokenText);
        if (membership.Current is { } current && !membership.Self!.Removed)
        {
            return current.CaPin == token.CaPin
                ? new JoinOutcome(AlreadyMember: true, current)
                : throw new ProblemException(JoinProblems.WrongCluster(current.ClusterId));
        }

        using var ca = await LookAsync(at, token, time, cancel);
        using var key = PrepareKey(paths, token, time, out var created);
        try
        {
            var answer = await AskAsync(at, token, ca, key, membership.Node, version, time, cancel);
            Check(answer, token, ca, key, membership.Node, time);
            // Keys first: a membership without keys could not start. Keys without a membership are only an unfinished join.
            Fault.At("before:join-pki");
            if (answer.Proof is { Length: 64 } proof) NodeSigner.WriteProof(paths, answer.Kind, proof);
            Pki.Adopt(paths, answer.Ca, answer.CaKey, answer.Certificate);
            Fault.At("after:join-pki");
            membership.Adopt(answer.Document);
            Fault.At("after:join-cluster");
            return new JoinOutcome(AlreadyMember: false, membership.Current!);
        }
        catch (ProblemException e) when (created && IsRefusal(e.Problem))
        {
            // The cluster refused the key, so nobody knows it.
            PkiFiles.Delete(PkiFiles.NodeKey(paths));
            throw;
        }
    }

    /// <summary>The cluster of the agent that answers at an address, unverified; null if no agent answers.</summary>
    public static async Task<string?> ClusterAtAsync(JoinAddress at, TimeProvider time, CancellationToken cancel)
    {
        try
        {
            var (ca, _) = await PingAsync(at, time, cancel);
            using (ca) return Certificates.ClusterIdOf(ca);
        }
        catch (ProblemException)
        {
            // No agent answers. That is what the caller wants to know.
            return null;
        }
    }

    /// <summary>Asks the agent for its CA, without sending a secret, and returns the CA if it is the token's.</summary>
    private static async Task<X509Certificate2> LookAsync(JoinAddress at, JoinToken token, TimeProvider time, CancellationToken cancel)
    {
        var (ca, ping) = await PingAsync(at, time, cancel);
        try
        {
            if (!string.Equals(Certificates.Pin(ca), token.CaPin, StringComparison.Ordinal))
                throw new ProblemException(JoinProblems.WrongCa(at, "The hash of its CA is not the one in the token."));
            JoinDesk.CheckClock(time.GetUtcNow(), ping.Clock);
            return ca;
        }
        catch
        {
            ca.Dispose();
            throw;
        }
    }

    private static async Task<(X509Certificate2 Ca, PingAnswer Ping)> PingAsync(JoinAddress at, TimeProvider time, CancellationToken cancel)
    {
        var ping = await PeerProbe.PingAsync(at, s_lookDeadline, padded: false, (state, e) => state switch
        {
            PeerAnswering.Away => JoinProblems.Unreachable(at, e.Problem.Why),
            PeerAnswering.OnlySmall => JoinProblems.LargePacketsLost(at),
            PeerAnswering.Silent => JoinProblems.NoAnswer(at, s_lookDeadline),
            _ => JoinProblems.NotAnAgent(at, e.Problem.Why),
        }, time, cancel);
        if (ping.Service != PingAnswer.Nomadstack || ping.Ca is null) throw new ProblemException(JoinProblems.NotAnAgent(at, "It answered, but not in the way an agent does."));
        try
        {
            return (X509Certificate2.CreateFromPem(ping.Ca), ping);
        }
        catch (CryptographicException e)
        {
            throw new ProblemException(JoinProblems.NotAnAgent(at, "The CA in its answer is not a certificate."), e);
        }
    }

    private static async Task<JoinAnswer> AskAsync(JoinAddress at, JoinToken token, X509Certificate2 ca, ECDsa key, NodeFile node, string version, TimeProvider time, CancellationToken cancel)
    {
        var publicKey = key.ExportSubjectPublicKeyInfo();
        var entry = new NodeEntry { Id = node.Id, Name = node.Name, Address = node.Address, Ports = node.Ports, Version = version, KeyPin = Certificates.Pin(publicKey) };
        string? distrust = null;
        using var http = PeerProbe.Client(() => { }, shown => (distrust = Certificates.Complaint(shown, ca, time.GetUtcNow())) is null);
        var request = new JoinRequest(token.Id, token.Secret, publicKey, JsonSerializer.SerializeToElement(entry, PeersJson.Default.NodeEntry), time.GetUtcNow(), Signs: true);
        try
        {
            return await PeerCalls.SendAsync(http, PeerCalls.Post(Uri(at, "/v1/join"), request, PeersJson.Default.JoinRequest), PeersJson.Default.JoinAnswer, s_joinDeadline, time, cancel);
        }
        catch (ProblemException e) when (e.Problem.Code == "peers/unreachable")
        {
            if (e.InnerException is OperationCanceledException && (await PeerProbe.LookAsync(at, time, cancel)).Answering == PeerAnswering.OnlySmall) throw new ProblemException(JoinProblems.LargePacketsLost(at), e);
            // A man in the middle can show the right CA, but he has no certificate of that CA.
            throw new ProblemException(distrust is null ? JoinProblems.Unreachable(at, e.Problem.Why) : JoinProblems.WrongCa(at, $"It shows the right CA, but its own certificate is not from that CA ({distrust})."), e);
        }
    }

    /// <summary>The key pair, on disk before the cluster gets it: after a crash, the node asks again with the same key.</summary>
    private static ECDsa PrepareKey(NodePaths paths, JoinToken token, TimeProvider time, out bool created)
    {
        if (PkiFiles.Read(PkiFiles.CaCertificate(paths)) is { } pem)
        {
            using var left = Certificates.Parse(PkiFiles.CaCertificate(paths), pem);
            // Left by an unfinished bootstrap or join of another cluster.
            if (Certificates.Pin(left) != token.CaPin) Retirement.Retire(paths, paths.Pki, "pki", time.GetUtcNow());
        }

        return Pki.EnsureNodeKey(paths, out created);
    }

    private static void Check(JoinAnswer answer, JoinToken token, X509Certificate2 ca, ECDsa key, NodeFile node, TimeProvider time)
    {
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(answer.Certificate);
            using var answeredCa = X509Certificate2.CreateFromPem(answer.Ca);
            if (Certificates.Pin(answeredCa) == token.CaPin && HasKeysOfItsKind(answer, token)
                && Certificates.Pin(certificate) == Certificates.Pin(key.ExportSubjectPublicKeyInfo()) && Certificates.NodeIdOf(certificate) == node.Id
                && Certificates.Complaint(certificate, ca, time.GetUtcNow()) is null
                && MembershipRules.Complaint(answer.Document) is null && answer.Document.CaPin == token.CaPin && answer.Document.Nodes.ContainsKey(node.Id)) return;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new ProblemException(JoinProblems.BadAnswer(), e);
        }

        throw new ProblemException(JoinProblems.BadAnswer());
    }

    /// <summary>A server node gets the CA's key; a client node a proof that it is one, and no key: it must not have one that it does not know of.</summary>
    private static bool HasKeysOfItsKind(JoinAnswer answer, JoinToken token)
    {
        if (answer.Kind == NodeKind.Client) return answer is { CaKey: null, Proof.Length: 64 };
        if (answer.CaKey is null) return false;
        using var caKey = ECDsa.Create();
        caKey.ImportFromPem(answer.CaKey);
        return Certificates.Pin(caKey.ExportSubjectPublicKeyInfo()) == token.CaPin;
    }

    private static bool IsRefusal(Problem problem) => problem.Code.StartsWith("join/", StringComparison.Ordinal) && problem.Code is not ("join/unreachable" or "join/bad-answer");

    private static Uri Uri(JoinAddress at, string path) => new($"https://{at}{path}");
}
