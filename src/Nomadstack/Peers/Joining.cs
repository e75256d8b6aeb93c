// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <param name="AlreadyMember">This node belonged to the token's cluster before; nothing was asked or changed.</param>
internal sealed record JoinOutcome(bool AlreadyMember, ClusterDocument Document);

/// <summary>
/// Makes this node a member: looks at who answers, holds the CA against the token's hash, and only then says the secret.
/// A refusal comes within ten seconds and changes nothing, and an attempt that was cut off may simply be repeated.
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
                : throw new ProblemException(new("join/wrong-cluster", "This node is a member of another cluster.", $"It belongs to cluster {current.ClusterId}; the token is of a cluster with another CA.", "Use a token of its own cluster, or another data folder, or remove the node there and move its data folder away.") { Unsafe = true });
        }

        using var ca = await LookAsync(at, token, time, cancel);
        using var key = PrepareKey(paths, token, time, out var created);
        try
        {
            var answer = await AskAsync(at, token, ca, key, membership.Node, version, time, cancel);
            Check(answer, token, ca, key, membership.Node, time);
            // Keys first: a membership without keys could not start, keys without a membership are just an unfinished join.
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
            // The cluster did not take the key, so nobody knows it.
            PkiFiles.Delete(PkiFiles.NodeKey(paths));
            throw;
        }
    }

    /// <summary>Which cluster's agent answers at an address, by its own word; null when none does.</summary>
    public static async Task<string?> ClusterAtAsync(JoinAddress at, TimeProvider time, CancellationToken cancel)
    {
        try
        {
            var (ca, _) = await PingAsync(at, time, cancel);
            using (ca) return Certificates.ClusterIdOf(ca);
        }
        catch (ProblemException)
        {
            // Nobody, or no agent: the question was only whether one is there.
            return null;
        }
    }

    /// <summary>Asks who is there, without a secret, and returns the CA once it is the token's.</summary>
    private static async Task<X509Certificate2> LookAsync(JoinAddress at, JoinToken token, TimeProvider time, CancellationToken cancel)
    {
        var (ca, ping) = await PingAsync(at, time, cancel);
        try
        {
            if (!string.Equals(Certificates.Pin(ca), token.CaPin, StringComparison.Ordinal))
                throw new ProblemException(WrongCa(at, "Its CA has another hash than the token names."));
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
        var connected = false;
        // Whoever it is: nothing is said here, and what is heard is not yet believed.
        using var http = Client(() => connected = true, _ => true);
        PingAnswer ping;
        try
        {
            ping = await PeerCalls.SendAsync(http, new HttpRequestMessage(HttpMethod.Get, Uri(at, "/v1/ping")), PeersJson.Default.PingAnswer, s_lookDeadline, time, cancel);
        }
        catch (ProblemException e)
        {
            var silent = e.InnerException is OperationCanceledException;
            throw new ProblemException(!connected ? Unreachable(at, e.Problem.Why) : silent ? NoAnswer(at) : NotAnAgent(at, e.Problem.Why), e);
        }

        if (ping.Service != PingAnswer.Nomadstack || ping.Ca is null) throw new ProblemException(NotAnAgent(at, "It answered, but not as an agent does."));
        try
        {
            return (X509Certificate2.CreateFromPem(ping.Ca), ping);
        }
        catch (CryptographicException e)
        {
            throw new ProblemException(NotAnAgent(at, "The CA it shows is no certificate."), e);
        }
    }

    private static async Task<JoinAnswer> AskAsync(JoinAddress at, JoinToken token, X509Certificate2 ca, ECDsa key, NodeFile node, string version, TimeProvider time, CancellationToken cancel)
    {
        var publicKey = key.ExportSubjectPublicKeyInfo();
        var entry = new NodeEntry { Id = node.Id, Name = node.Name, Address = node.Address, Ports = node.Ports, Version = version, KeyPin = Certificates.Pin(publicKey) };
        string? distrust = null;
        using var http = Client(() => { }, shown => (distrust = Certificates.Complaint(shown, ca, time.GetUtcNow())) is null);
        var request = new JoinRequest(token.Id, token.Secret, publicKey, JsonSerializer.SerializeToElement(entry, PeersJson.Default.NodeEntry), time.GetUtcNow(), Signs: true);
        try
        {
            return await PeerCalls.SendAsync(http, PeerCalls.Post(Uri(at, "/v1/join"), request, PeersJson.Default.JoinRequest), PeersJson.Default.JoinAnswer, s_joinDeadline, time, cancel);
        }
        catch (ProblemException e) when (e.Problem.Code == "peers/unreachable")
        {
            // Showing the right CA is easy for a man in the middle; holding a certificate of it is not.
            throw new ProblemException(distrust is null ? Unreachable(at, e.Problem.Why) : WrongCa(at, $"It shows the right CA, but its own certificate is not of that CA ({distrust})."), e);
        }
    }

    /// <summary>The key pair, durable before the cluster hears of it: the same node asks with the same key after a crash.</summary>
    private static ECDsa PrepareKey(NodePaths paths, JoinToken token, TimeProvider time, out bool created)
    {
        if (PkiFiles.Read(PkiFiles.CaCertificate(paths)) is { } pem)
        {
            using var left = Certificates.Parse(PkiFiles.CaCertificate(paths), pem);
            // Left by a bootstrap or join of another cluster that never came to an end.
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
            using var caKey = ECDsa.Create();
            caKey.ImportFromPem(answer.CaKey);
            if (Certificates.Pin(answeredCa) == token.CaPin && Certificates.Pin(caKey.ExportSubjectPublicKeyInfo()) == token.CaPin
                && Certificates.Pin(certificate) == Certificates.Pin(key.ExportSubjectPublicKeyInfo()) && Certificates.NodeIdOf(certificate) == node.Id
                && Certificates.Complaint(certificate, ca, time.GetUtcNow()) is null
                && MembershipRules.Complaint(answer.Document) is null && answer.Document.CaPin == token.CaPin && answer.Document.Nodes.ContainsKey(node.Id)) return;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new ProblemException(BadAnswer, e);
        }

        throw new ProblemException(BadAnswer);
    }

    private static Problem BadAnswer { get; } =
        new("join/bad-answer", "The cluster answered the join with keys that do not fit together.", "Certificate, CA, key or membership are not those that were asked for.", "Run the same version of nomadstack on both nodes, then try again.");

    private static bool IsRefusal(Problem problem) => problem.Code.StartsWith("join/", StringComparison.Ordinal) && problem.Code is not ("join/unreachable" or "join/bad-answer");

    private static HttpClient Client(Action connected, Func<X509Certificate2, bool> trusted) => new(new ResetConnections(new SocketsHttpHandler
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        ConnectCallback = async (context, cancel) =>
        {
            var stream = await PeerCalls.ConnectAsync(context.DnsEndPoint.Host, context.DnsEndPoint.Port, cancel);
            connected();
            return stream;
        },
        SslOptions = new SslClientAuthenticationOptions
        {
            ApplicationProtocols = [SslApplicationProtocol.Http2],
            RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is X509Certificate2 shown && trusted(shown),
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        },
    }))
    {
        Timeout = Timeout.InfiniteTimeSpan,
        DefaultRequestVersion = HttpVersion.Version20,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    private static Uri Uri(JoinAddress at, string path) => new($"https://{at}{path}");

    private static Problem Unreachable(JoinAddress at, string why) =>
        new("join/unreachable", $"{at} cannot be reached.", why, "Check the address, that an agent of the cluster runs there, and that the network lets its peer port (4640 by default) through. Any node of the cluster will do.");

    private static Problem NoAnswer(JoinAddress at) =>
        new("join/no-answer", $"{at} takes connections but did not answer within {s_lookDeadline.TotalSeconds:0} s.", "Its agent has no time to answer (the machine is overloaded, or the agent is stuck), or what listens there is something else.", "Look at the load of that machine and at the log of its agent, then try again. Any other node of the cluster will do as well.");

    private static Problem NotAnAgent(JoinAddress at, string why) =>
        new("join/not-an-agent", $"What answers at {at} is no nomadstack agent.", why, "Give the address of a cluster node and its peer port (4640 by default).");

    private static Problem WrongCa(JoinAddress at, string why) =>
        new("join/wrong-ca", $"{at} is not of the cluster the token is for.", why + " The token's secret was not sent.", "Check the address; make the token on the very cluster you join. If both are right, somebody may be between you and the cluster.") { Unsafe = true };
}
