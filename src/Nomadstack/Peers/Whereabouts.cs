// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Nomadstack.Peers;

/// <summary>
/// Finds members whose address changed while nobody who knew them was on: calls into the network of this node's address (IPv4: the subnet's broadcast address, IPv6: all nodes of the link)
/// while a member cannot be reached, and listens for such calls. In a network that does not carry them, a person names one address (<c>node address</c>).
/// </summary>
internal sealed class Whereabouts(Membership membership, PeerHealth health, Func<string, IPEndPoint, CancellationToken, Task> heard, TimeProvider time, ILogger log)
{
    /// <summary>The first calls come in quick order, for others may start at the same moment. Later ones are for whoever comes back tomorrow.</summary>
    private static readonly TimeSpan s_first = TimeSpan.FromMilliseconds(500), s_later = TimeSpan.FromSeconds(10);

    /// <summary>Two asks at most for one peer's call in this time, whoever repeats it.</summary>
    private static readonly TimeSpan s_quiet = TimeSpan.FromMilliseconds(400);

    private const int FirstCalls = 40;

    /// <summary>All nodes of the link (RFC 4291, 2.7.1).</summary>
    private static readonly IPAddress s_allNodes = IPAddress.Parse("ff02::1");

    /// <summary>So that addresses that somebody makes up fill no memory.</summary>
    private const int MostAsked = 1024;

    private readonly Dictionary<(string NodeId, IPAddress From), long> _askedAt = [];

    /// <summary>Calls and listens until cancelled. A network that refuses one of them is told once, and tried again: addresses and cables come and go.</summary>
    public Task RunAsync(CancellationToken cancel) => Task.WhenAll(
        EndlesslyAsync(
            "Members that come back under other addresses cannot be heard",
            async (_, network) =>
            {
                using var listener = Listen(network, membership.Node.Ports.Peers);
                await ListenAsync(listener, cancel);
            },
            cancel),
        EndlesslyAsync(
            "Members that know this node by another address cannot be called",
            async (own, network) =>
            {
                using var caller = Caller(own, network);
                await CallAsync(caller, network, cancel);
            },
            cancel));

    private async Task EndlesslyAsync(string complaint, Func<IPAddress, IPAddress, Task> work, CancellationToken cancel)
    {
        var told = "";
        try
        {
            while (true)
            {
                try
                {
                    var own = IPAddress.Parse(membership.Node.Address);
                    if (IPAddress.IsLoopback(own)) return;
                    if (Network(own) is { } network) await work(own, network);
                }
                catch (SocketException e)
                {
                    if (told != e.Message) log.LogWarning("{What} in this network ({Why}). `nomadstack node address NODE ADDRESS` tells a node where another one is", complaint, told = e.Message);
                }

                await Task.Delay(s_later, time, cancel);
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // The agent ends.
        }
    }

    private async Task CallAsync(Socket caller, IPAddress network, CancellationToken cancel)
    {
        for (var call = 0; ; call++)
        {
            if (membership.Current is { } cluster && membership.Self is { Removed: false } self && membership.Others.Any(n => !health.IsReachable(n.Id) || health.Of(n.Id).LastHeard is null))
            {
                foreach (var port in membership.Others.Select(n => n.Ports.Peers).Distinct()) await SendAsync(caller, WhereaboutsMessage.Of(cluster, self), new(network, port), cancel);
            }

            await Task.Delay(call < FirstCalls ? s_first : s_later, time, cancel);
        }
    }

    private static async Task SendAsync(Socket caller, byte[] message, IPEndPoint to, CancellationToken cancel)
    {
        try
        {
            await caller.SendToAsync(message, to, cancel);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.NetworkUnreachable or SocketError.HostUnreachable or SocketError.NetworkDown)
        {
            // The cable is out. The next call may find it in.
        }
    }

    private async Task ListenAsync(Socket listener, CancellationToken cancel)
    {
        var buffer = new byte[WhereaboutsMessage.Bytes + 1];
        var anybody = new IPEndPoint(listener.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        while (true)
        {
            var received = await listener.ReceiveFromAsync(buffer, anybody, cancel);
            if (membership.Current is not { } cluster || WhereaboutsMessage.Read(buffer.AsSpan(0, received.ReceivedBytes), cluster, cluster.Nodes.Values.Where(n => n.Id != membership.Node.Id)) is not var (node, port)) continue;
            var from = ((IPEndPoint)received.RemoteEndPoint).Address;
            if (from.IsIPv6LinkLocal) continue;
            var known = IPAddress.Parse(node.Address).Equals(from) && node.Ports.Peers == port;
            if (known && health.IsReachable(node.Id) && health.Of(node.Id).LastHeard is not null) continue;
            // One that was removed while it was off learns it here, and is otherwise nobody's business. A call can be repeated by anybody who has heard it: from each address it is
            // asked for itself, and seldom for a member that answers where it is known.
            var pause = node.Removed || (health.IsReachable(node.Id) && health.Of(node.Id).LastHeard is not null) ? s_later : s_quiet;
            if (_askedAt.TryGetValue((node.Id, from), out var at) && time.GetElapsedTime(at) < pause) continue;
            if (_askedAt.Count >= MostAsked) _askedAt.Clear();
            _askedAt[(node.Id, from)] = time.GetTimestamp();
            await heard(node.Id, new(from, port), cancel);
        }
    }

    /// <summary>Bound to the broadcast address, the socket gets nothing else: no port of this node is open to a single sender.</summary>
    private static Socket Listen(IPAddress network, int port)
    {
        var socket = new Socket(network.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(network, port));
        if (network.AddressFamily == AddressFamily.InterNetworkV6) socket.SetSocketOption(SocketOptionLevel.IPv6, SocketOptionName.AddMembership, new IPv6MulticastOption(s_allNodes, network.ScopeId));
        return socket;
    }

    private static Socket Caller(IPAddress own, IPAddress network)
    {
        var socket = new Socket(own.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        if (own.AddressFamily == AddressFamily.InterNetwork) socket.EnableBroadcast = true;
        else socket.SetSocketOption(SocketOptionLevel.IPv6, SocketOptionName.MulticastInterface, (int)network.ScopeId);
        socket.Bind(new IPEndPoint(own, 0));
        return socket;
    }

    /// <summary>Where calls go in the network that has this address; null for loopback, an interface without neighbours, and an address that this machine does not have.</summary>
    internal static IPAddress? Network(IPAddress own)
    {
        if (IPAddress.IsLoopback(own)) return null;
        foreach (var nic in NetworkInterface.GetAllNetworkInterfaces())
        {
            if (nic.GetIPProperties().UnicastAddresses.FirstOrDefault(a => a.Address.Equals(own)) is not { } held) continue;
            if (own.AddressFamily == AddressFamily.InterNetworkV6) return new IPAddress(s_allNodes.GetAddressBytes(), nic.GetIPProperties().GetIPv6Properties().Index);
            return Broadcast(own, held.PrefixLength);
        }

        return null;
    }

    internal static IPAddress? Broadcast(IPAddress own, int prefix)
    {
        // A point to point link and a single host have no broadcast address (RFC 3021).
        if (prefix is < 1 or > 30) return null;
        var bytes = own.GetAddressBytes();
        for (var bit = prefix; bit < 32; bit++) bytes[bit / 8] |= (byte)(0x80 >> (bit % 8));
        return new IPAddress(bytes);
    }
}
