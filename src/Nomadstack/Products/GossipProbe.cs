// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Nomadstack.Products;

internal enum GossipAnswering
{
    Answers,

    /// <summary>Its TCP port is open, and nothing came back over UDP: it is filtered, or full packets are lost.</summary>
    Deaf,

    /// <summary>Its TCP port is not open either, so its UDP port tells nothing.</summary>
    NotUp,
}

/// <summary>
/// Asks a member of a gossip pool for a sign of life over UDP, with a packet as large as gossip sends them. Without UDP, members take each other for failed now and then.
/// </summary>
internal static class GossipProbe
{
    /// <summary>The largest packet that the library sends (memberlist, <c>UDPBufferSize</c>), without our other fields.</summary>
    private const int Padding = 1300;

    private const int Tries = 3;

    /// <summary>Consul's and Nomad's.</summary>
    private static readonly string[] s_keyrings = ["serf/local.keyring", "server/serf.keyring"];

    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(1), s_answer = TimeSpan.FromMilliseconds(500);

    /// <param name="key">With which the members encrypt; they do not answer one that does not. Null where gossip is open.</param>
    public static async Task<GossipAnswering> AskAsync(IPAddress address, int port, byte[]? key, CancellationToken cancel)
    {
        if (!await OpensAsync(address, port, cancel)) return GossipAnswering.NotUp;
        using var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(address, port, cancel);
        var answer = new byte[2048];
        for (var n = 1; n <= Tries; n++)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            limit.CancelAfter(s_answer);
            try
            {
                await socket.SendAsync(key is null ? Ping(n) : Encrypt(Ping(n), key), limit.Token);
                if (await socket.ReceiveAsync(answer, limit.Token) > 0) return GossipAnswering.Answers;
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                cancel.ThrowIfCancellationRequested();
            }
        }

        return GossipAnswering.Deaf;
    }

    /// <summary>
    /// A ping of the library that the products gossip with (memberlist, <c>pingMsg</c>): its type, then a map in msgpack. A member answers one that names nobody, and skips
    /// fields that it does not know.
    /// </summary>
    internal static byte[] Ping(int number)
    {
        const byte Type = 0, MapOfThree = 0x83, ShortText = 0xa0, Text16 = 0xda;
        List<byte> packet = [Type, MapOfThree];
        Name("SeqNo");
        packet.Add((byte)number);
        Name("Node");
        packet.Add(ShortText);
        Name("Padding");
        packet.AddRange([Text16, Padding >> 8, Padding & 0xff]);
        packet.AddRange(Enumerable.Repeat((byte)'x', Padding));
        return [.. packet];

        void Name(string text)
        {
            packet.Add((byte)(ShortText | text.Length));
            packet.AddRange(Encoding.ASCII.GetBytes(text));
        }
    }

    /// <summary>
    /// The key that an agent with this data folder encrypts with first, from the file in which the library keeps them (serf: base64 texts in JSON); null where there is none, or none that
    /// can be read.
    /// </summary>
    /// <param name="data">Of a server or a client. Nothing else below it is looked at: tasks have their files there too.</param>
    public static byte[]? KeyIn(string data)
    {
        foreach (var file in s_keyrings.Select(name => Path.Combine(data, name)).Where(File.Exists))
        {
            try
            {
                using var keys = JsonDocument.Parse(File.ReadAllText(file));
                if (keys.RootElement is { ValueKind: JsonValueKind.Array } list && list.EnumerateArray().FirstOrDefault() is { ValueKind: JsonValueKind.String } first && first.GetBytesFromBase64() is { Length: 16 or 24 or 32 } key) return key;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or FormatException)
            {
                // Its agent says what is wrong with it. Without a key nobody is asked.
            }
        }

        return null;
    }

    /// <summary>As the library does (memberlist, <c>security.go</c>): version 1, a nonce of 12 bytes, AES-GCM, the tag at the end.</summary>
    internal static byte[] Encrypt(byte[] packet, byte[] key)
    {
        const int Nonce = 12, Tag = 16;
        var message = new byte[1 + Nonce + packet.Length + Tag];
        message[0] = 1;
        RandomNumberGenerator.Fill(message.AsSpan(1, Nonce));
        using var aes = new AesGcm(key, Tag);
        aes.Encrypt(message.AsSpan(1, Nonce), packet, message.AsSpan(1 + Nonce, packet.Length), message.AsSpan(1 + Nonce + packet.Length));
        return message;
    }

    private static async Task<bool> OpensAsync(IPAddress address, int port, CancellationToken cancel)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(s_connect);
        try
        {
            await socket.ConnectAsync(address, port, limit.Token);
            return true;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            cancel.ThrowIfCancellationRequested();
            return false;
        }
    }
}
