// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;

namespace Nomadstack.Products;

/// <summary>Ports for servers that live beside the cluster for a moment.</summary>
internal static class FreePorts
{
    /// <summary>Ports of loopback that nobody had a moment ago. Whoever takes one first makes this attempt fail, and the next one has others.</summary>
    public static IReadOnlyList<int> OfLoopback(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        try
        {
            foreach (var listener in listeners) listener.Start();
            return [.. listeners.Select(l => ((IPEndPoint)l.LocalEndpoint).Port)];
        }
        finally
        {
            foreach (var listener in listeners) listener.Dispose();
        }
    }
}
