// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <summary>
/// Finds the cluster that counts on this machine although its data folder is empty: a replaced disk, a wiped folder. Each of its agents
/// calls its peers every second, so whoever calls here before there is a cluster takes this machine for a member (I1).
/// </summary>
internal static class FormerCluster
{
    /// <summary>Longer than the longest pause between two exchanges of a small cluster; a large one calls more often still.</summary>
    private static readonly TimeSpan s_listen = TimeSpan.FromSeconds(2.5);

    /// <exception cref="ProblemException"><c>bootstrap/known-elsewhere</c>, or <c>peers/cannot-listen</c>.</exception>
    public static async Task RefuseAsync(NodeFile node, TimeProvider time, CancellationToken cancel)
    {
        using var limit = new CancellationTokenSource(s_listen, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        using var listener = Listen(node);
        var asked = new HashSet<IPAddress> { IPAddress.Parse(node.Address) };
        while (await CallerAsync(listener, either.Token) is { } caller)
        {
            if (!asked.Add(caller)) continue;
            // What calls may be anything, a port scanner too. Only an agent that shows a cluster's CA is a reason to refuse.
            var at = new JoinAddress(caller.ToString(), node.Ports.Peers);
            if (await Joining.ClusterAtAsync(at, time, cancel) is { } cluster)
            {
                throw new ProblemException(new("bootstrap/known-elsewhere", $"Cluster {cluster} takes this machine for one of its nodes.",
                    $"The agent at {at} calls {node.Address} as its peer, while the data folder here is empty: a node was replaced or its disk was wiped.",
                    $"Let it join again: `nomadstack node remove` its old entry and `nomadstack token create` on {caller}, then `nomadstack agent --join {caller} --token-file F` here. For a cluster of its own, remove the old entry there first.")
                { Unsafe = true });
            }
        }

        cancel.ThrowIfCancellationRequested();
    }

    private static async Task<IPAddress?> CallerAsync(TcpListener listener, CancellationToken cancel)
    {
        try
        {
            using var socket = await listener.AcceptSocketAsync(cancel);
            return ((IPEndPoint)socket.RemoteEndPoint!).Address;
        }
        catch (OperationCanceledException)
        {
            // Time is up, or the caller's wish, which it looks at itself.
            return null;
        }
    }

    private static TcpListener Listen(NodeFile node)
    {
        var listener = new TcpListener(IPAddress.Parse(node.Address), node.Ports.Peers);
        try
        {
            listener.Start();
            return listener;
        }
        catch (SocketException e)
        {
            listener.Dispose();
            throw new ProblemException(PeerHost.CannotListen(IPAddress.Parse(node.Address), node.Ports.Peers, e.Message), e);
        }
    }
}
