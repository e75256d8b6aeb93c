// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <summary>
/// Finds the cluster that has this machine as a node although the data folder is empty: the disk was replaced or wiped. Each of its agents
/// calls its peers every second. So an agent that calls here before there is a cluster takes this machine for a member (I1).
/// </summary>
internal static class FormerCluster
{
    /// <summary>Longer than the longest pause between two exchanges of a small cluster. A large cluster calls more often.</summary>
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
            // The caller may be any program, such as a port scanner. Only an agent that shows a cluster's CA is a reason to refuse.
            // Its peer port is not told by its call. It is most likely the one of this node, or the default.
            foreach (var port in new[] { node.Ports.Peers, new PortPlan().Peers }.Distinct())
            {
                var at = new JoinAddress(caller.ToString(), port);
                if (await Joining.ClusterAtAsync(at, time, cancel) is { } cluster)
                    throw new ProblemException(JoinProblems.KnownElsewhere(cluster, node.Address, at, caller.ToString()));
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
            // The time is over, or the caller has cancelled, which is checked afterwards.
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
            throw new ProblemException(PeerProblems.CannotListen(IPAddress.Parse(node.Address), node.Ports.Peers, e.Message), e);
        }
    }
}
