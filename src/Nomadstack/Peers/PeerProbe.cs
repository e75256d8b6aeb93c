// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;

namespace Nomadstack.Peers;

/// <summary>What an agent's peer port did when it was asked who is there.</summary>
internal enum PeerAnswering
{
    /// <summary>It answered, also to full-sized packets.</summary>
    Fully,

    /// <summary>It answers only while packets are small: larger ones are lost on the way, and nobody says so.</summary>
    OnlySmall,

    /// <summary>A connection was made, and nothing came.</summary>
    Silent,

    /// <summary>No connection was made.</summary>
    Away,
}

/// <summary>
/// Asks who answers at a peer port. Tells a path that loses large packets from an agent that is stuck: there, TCP connects and TLS stalls, and with small segments
/// everything works. Such a path is a tunnel or VLAN whose MTU is lower than both ends', with a router or firewall that does not report it (RFC 2923, section 2.1).
/// </summary>
internal static class PeerProbe
{
    /// <summary>Every host must accept a datagram of 576 bytes (RFC 1122, section 3.3.3), which is 536 without headers.</summary>
    public const int SmallSegment = 536;

    /// <summary>More than one full-sized Ethernet frame in either direction, as random digits, for headers are compressed.</summary>
    public const int Padding = 3000;

    /// <summary>An answer takes milliseconds. A busy machine may take longer, and is not suspected at once.</summary>
    private static readonly TimeSpan s_doubt = TimeSpan.FromSeconds(2), s_smallDeadline = TimeSpan.FromSeconds(2), s_againDeadline = TimeSpan.FromSeconds(3), s_clockDeadline = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan s_lookDeadline = TimeSpan.FromSeconds(5);

    /// <summary>Who answers. While nothing comes, the same is tried with small segments.</summary>
    /// <param name="describe">Makes the problem of what failed. Its argument is why the connection or the call failed.</param>
    /// <exception cref="ProblemException">What <paramref name="describe"/> made.</exception>
    public static async Task<PingAnswer> PingAsync(JoinAddress at, TimeSpan deadline, bool padded, Func<PeerAnswering, ProblemException, Problem> describe, TimeProvider time, CancellationToken cancel)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var connected = false;
        var started = time.GetTimestamp();
        var onlySmall = AnswersOnlySmallAsync(at, s_doubt, time, over.Token);
        try
        {
            return await AskAsync(at, deadline, padded, null, () => connected = true, time, cancel);
        }
        catch (ProblemException e)
        {
            // An agent also ends a handshake that stalls, so how it failed tells less than that it took its time.
            var state = !connected ? PeerAnswering.Away
                : time.GetElapsedTime(started) >= s_doubt && await onlySmall ? PeerAnswering.OnlySmall
                : e.InnerException is OperationCanceledException ? PeerAnswering.Silent
                : PeerAnswering.Fully;
            throw new ProblemException(describe(state, e), e);
        }
        finally
        {
            await over.CancelAsync();
            await onlySmall;
        }
    }

    /// <summary>What a peer port does, without a word about why; and its answer, if there is one.</summary>
    public static async Task<(PeerAnswering Answering, PingAnswer? Answer)> LookAsync(JoinAddress at, TimeProvider time, CancellationToken cancel)
    {
        var found = PeerAnswering.Fully;
        PingAnswer? answer = null;
        try
        {
            answer = await PingAsync(at, s_lookDeadline, padded: true, (state, e) =>
            {
                found = state;
                return e.Problem;
            }, time, cancel);
        }
        catch (ProblemException)
        {
            // What it does instead is noted above.
        }

        return (found, answer);
    }

    /// <summary>The time at a peer; null if it does not answer quickly.</summary>
    public static async Task<DateTimeOffset?> ClockAsync(JoinAddress at, TimeProvider time, CancellationToken cancel)
    {
        try
        {
            return (await AskAsync(at, s_clockDeadline, padded: false, null, () => { }, time, cancel)).Clock;
        }
        catch (ProblemException)
        {
            return null;
        }
    }

    /// <summary>Whether it answers when no segment is larger than <see cref="SmallSegment"/>, and then once more does not when they may be. The last tells it from an agent that was just starting.</summary>
    /// <param name="after">How long to wait before.</param>
    public static async Task<bool> AnswersOnlySmallAsync(JoinAddress at, TimeSpan after, TimeProvider time, CancellationToken cancel)
    {
        try
        {
            await Task.Delay(after, time, cancel);
            return await AnswersAsync(SmallSegment, s_smallDeadline) && !await AnswersAsync(null, s_againDeadline);
        }
        catch (OperationCanceledException)
        {
            return false;
        }

        async Task<bool> AnswersAsync(int? segment, TimeSpan deadline)
        {
            try
            {
                await AskAsync(at, deadline, padded: segment is null, segment, () => { }, time, cancel);
                return true;
            }
            catch (ProblemException)
            {
                return false;
            }
        }
    }

    private static async Task<PingAnswer> AskAsync(JoinAddress at, TimeSpan deadline, bool padded, int? segment, Action connected, TimeProvider time, CancellationToken cancel)
    {
        // Any certificate is accepted here: nothing secret is sent, and the answer is not trusted.
        using var http = Client(connected, _ => true, segment);
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"https://{at}/v1/ping{(padded ? "?padding=" + Padding : "")}"));
        if (padded) request.Headers.Add("X-Padding", RandomNumberGenerator.GetHexString(Padding));
        return await PeerCalls.SendAsync(http, request, PeersJson.Default.PingAnswer, deadline, time, cancel);
    }

    /// <summary>A client for an agent that is known by its address alone.</summary>
    public static HttpClient Client(Action connected, Func<X509Certificate2, bool> trusted, int? segment = null) => new(new ResetConnections(new SocketsHttpHandler
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        ConnectCallback = async (context, cancel) =>
        {
            var stream = await PeerCalls.ConnectAsync(context.DnsEndPoint.Host, context.DnsEndPoint.Port, cancel, segment);
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
}
