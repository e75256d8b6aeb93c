// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Nomadstack.Cluster.Tests.Machines;

namespace Nomadstack.Cluster.Tests.Stack;

/// <summary>
/// Whoever means harm and reaches a socket: sends what is random, cut short, too large, too slow, or too many at once. It speaks the beginnings of all protocols that a node knows, with and
/// without TLS, and with a certificate of the cluster, which it stole.
/// </summary>
/// <param name="stolen">A client's certificate that the cluster's products take. Half of the connections over TLS show it.</param>
internal sealed class Hostility(NodeSockets node, X509Certificate2 stolen)
{
    /// <summary>More than any message is allowed to have, and enough to see what is kept of it.</summary>
    private const long Huge = 300L << 20;

    /// <summary>Longer than a handshake may take, shorter than a test is patient.</summary>
    private static readonly TimeSpan s_slow = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(40);

    private static readonly byte[][] s_openings =
    [
        "GET /v1/status/leader HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"u8.ToArray(),
        "PUT /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9223372036854775807\r\n\r\n{\"Job\":{\"ID\":\""u8.ToArray(),
        "POST /v1/bootstrap HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFF\r\n{"u8.ToArray(),
        "GET /v1/event/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\nX: "u8.ToArray(),
        // HTTP/2: the preface, then SETTINGS, then the header of a frame of 16 MiB.
        [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 1, 4, 0, 0, 0, 1],
        // A TLS record that says it is a ClientHello of 16 KiB, and is not.
        [0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc, 3, 3],
        // Nomad's and Consul's own ports: the first byte names the protocol, msgpack follows (array of 2^32-1, map of 2^32-1, text of 2^32-1).
        [1, 0xdd, 0xff, 0xff, 0xff, 0xff],
        [2, 0xdf, 0xff, 0xff, 0xff, 0xff],
        [4, 0, 0, 0xdb, 0xff, 0xff, 0xff, 0xff],
        [8, 0x82, 0xa6, .. "Method"u8, 0xdb, 0xff, 0xff, 0xff, 0xff],
        // Lengths that are negative, zero, or more than there is memory.
        [0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0], [0x7f, 0xff, 0xff, 0xff, 1],
        "{\"type\":\"\\ud800\",\"type\":["u8.ToArray(),
    ];

    private long _sent;

    /// <summary>Attacks that were carried out; a refused connection counts.</summary>
    public long Attacks => _sent;

    /// <summary>One attack on one socket.</summary>
    public async Task AttackAsync(Listener target, Random dice, CancellationToken cancel)
    {
        Interlocked.Increment(ref _sent);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(s_patience);
        try
        {
            if (target.Kind == "udp")
            {
                using var socket = await node.ConnectAsync(target, limit.Token);
                for (var packet = dice.Next(1, 200); packet > 0; packet--) await socket.SendAsync(Noise(dice, dice.Next(1, 1400)), limit.Token);
            }
            else if (dice.Next(40) == 0) await ManyAsync(target, dice, limit.Token);
            else await SpeakAsync(target, dice, limit.Token);
        }
        catch (Exception e) when (e is SocketException or IOException or AuthenticationException or OperationCanceledException)
        {
            // Refused, cut off, or left waiting: all of it is allowed.
        }
    }

    private async Task SpeakAsync(Listener target, Random dice, CancellationToken cancel)
    {
        using var socket = await node.ConnectAsync(target, cancel);
        await using var stream = new NetworkStream(socket, ownsSocket: false);
        Stream open = stream;
        if (target.Kind == "tcp" && dice.Next(2) == 0)
        {
            var tls = new SslStream(stream, leaveInnerStreamOpen: true, (_, _, _, errors) => errors != SslPolicyErrors.RemoteCertificateNotAvailable, (_, _, _, _, _) => dice.Next(2) == 0 ? stolen : null!);
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "x", ApplicationProtocols = dice.Next(2) == 0 ? [SslApplicationProtocol.Http2] : null }, cancel);
            open = tls;
        }

        await using (open)
        {
            var opening = s_openings[dice.Next(s_openings.Length)];
            switch (dice.Next(6))
            {
                case 0: // Random from the first byte.
                    await open.WriteAsync(Noise(dice, dice.Next(1, 1 << 16)), cancel);
                    break;
                case 1: // Cut short.
                    await open.WriteAsync(opening.AsMemory(0, dice.Next(1, opening.Length + 1)), cancel);
                    break;
                case 2: // Right at first, then random.
                    await open.WriteAsync(opening, cancel);
                    await open.WriteAsync(Noise(dice, dice.Next(1, 1 << 14)), cancel);
                    break;
                case 3 when dice.Next(8) == 0: // Without an end.
                    await open.WriteAsync(opening, cancel);
                    var block = Noise(dice, 1 << 16);
                    for (var sent = 0L; sent < Huge; sent += block.Length) await open.WriteAsync(block, cancel);
                    break;
                case 4 when dice.Next(4) == 0: // A byte now and then.
                    using (var clock = new PeriodicTimer(TimeSpan.FromMilliseconds(500)))
                    {
                        for (var i = 0; i * clock.Period < s_slow && await clock.WaitForNextTickAsync(cancel); i++) await open.WriteAsync(opening.AsMemory(i % opening.Length, 1), cancel);
                    }

                    break;
                default: // A request that is whole, for a path that is not.
                    var path = Convert.ToHexString(Noise(dice, dice.Next(1, 6000)));
                    await open.WriteAsync(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{(dice.Next(2) == 0 ? "GET" : "PUT")} /v1/{path}?{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]")), cancel);
                    break;
            }

            if (dice.Next(3) == 0) return;
            socket.Shutdown(SocketShutdown.Send);
            var answer = new byte[1 << 14];
            while (await open.ReadAsync(answer, cancel) > 0)
            {
            }
        }
    }

    /// <summary>A few hundred at once that say nothing, or little.</summary>
    private async Task ManyAsync(Listener target, Random dice, CancellationToken cancel)
    {
        List<Socket> held = [];
        try
        {
            for (var i = dice.Next(50, 400); i > 0; i--)
            {
                held.Add(await node.ConnectAsync(target, cancel));
                if (dice.Next(2) == 0) await held[^1].SendAsync(s_openings[dice.Next(s_openings.Length)].AsMemory(0, 1), cancel);
            }

            await Task.Delay(dice.Next(2000), cancel);
        }
        finally
        {
            foreach (var socket in held) socket.Dispose();
        }
    }

    private static byte[] Noise(Random dice, int bytes)
    {
        var noise = new byte[bytes];
        dice.NextBytes(noise);
        return noise;
    }
}
