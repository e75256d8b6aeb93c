// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Nomadstack.Cluster.Tests.Machines;

/// <summary>A socket that a process of a node listens on.</summary>
/// <param name="Kind"><c>tcp</c>, <c>udp</c> or <c>unix</c>.</param>
/// <param name="Where">Reachable from the node itself, which a <see cref="NodeSockets"/> is on.</param>
internal sealed record Listener(string Kind, EndPoint Where, NodeProcess Owner)
{
    public override string ToString() => Where is UnixDomainSocketEndPoint ? $"{Kind} {Path.GetFileName(Where.ToString())}" : $"{Kind} {Where}";
}

/// <summary>
/// A program on a node, as far as sockets go: it reaches what listens on the node's loopback address and in its folders. A socket belongs to the network of the thread that made it, so
/// one thread of this process lives in the node's and makes them all.
/// </summary>
internal sealed partial class NodeSockets : IDisposable
{
    private const int NewNetwork = 0x40000000;

    private readonly LabNode _node;
    private readonly BlockingCollection<Action> _wishes = [];

    public NodeSockets(LabNode node)
    {
        _node = node;
        var moved = new TaskCompletionSource();
        new Thread(() => Live(moved)) { IsBackground = true }.Start();
        moved.Task.GetAwaiter().GetResult();
    }

    /// <summary>A connection, or for UDP a socket that sends there.</summary>
    /// <exception cref="SocketException">Nobody listens there, or who does takes no more.</exception>
    public async Task<Socket> ConnectAsync(Listener to, CancellationToken cancel)
    {
        var made = new TaskCompletionSource<Socket>(TaskCreationOptions.RunContinuationsAsynchronously);
        _wishes.Add(() => made.SetResult(to.Kind switch
        {
            "tcp" => new Socket(to.Where.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true },
            "udp" => new Socket(to.Where.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { EnableBroadcast = true },
            _ => new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified),
        }), cancel);
        var socket = await made.Task;
        try
        {
            await socket.ConnectAsync(to.Where, cancel);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>What the node's processes that this holds for listen on now.</summary>
    public IReadOnlyList<Listener> Listeners(Func<NodeProcess, bool> whose)
    {
        var owners = new Dictionary<string, NodeProcess>();
        foreach (var process in _node.Pids().Where(whose))
        {
            foreach (var open in process.Descriptors().Where(d => d.StartsWith("socket:[", StringComparison.Ordinal))) owners.TryAdd(open[8..^1], process);
        }

        return [.. Internet("tcp", "0A"), .. Internet("tcp6", "0A"), .. Internet("udp", "07"), .. Internet("udp6", "07"), .. Unix()];

        // proc(5): local address in hex, state, and the inode as the tenth field. A UDP socket that anybody may send to is in state 07.
        IEnumerable<Listener> Internet(string table, string state) =>
            from line in Table(table)
            let fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            where fields[3] == state && owners.ContainsKey(fields[9])
            select new Listener(table[..3], Reachable(Parse(fields[1])), owners[fields[9]]);

        // The flag 00010000 is __SO_ACCEPTCON: somebody listens. A path is the node's, and seen from here through its root.
        IEnumerable<Listener> Unix() =>
            from line in Table("unix")
            let fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            where fields.Length > 7 && fields[3] == "00010000" && fields[7].StartsWith('/') && owners.ContainsKey(fields[6])
            select new Listener("unix", new UnixDomainSocketEndPoint($"/proc/{_node.Init}/root{fields[7]}"), owners[fields[6]]);

        IEnumerable<string> Table(string name) => File.ReadLines($"/proc/{_node.Init}/net/{name}").Skip(1);
        IPEndPoint Reachable(IPEndPoint at) => at.Address.Equals(IPAddress.Any) || at.Address.Equals(IPAddress.IPv6Any) ? new(IPAddress.Parse(_node.Address), at.Port) : at;
    }

    public void Dispose() => _wishes.CompleteAdding();

    private void Live(TaskCompletionSource moved)
    {
        using (var network = File.OpenHandle($"/proc/{_node.Init}/ns/net"))
        {
            if (SetNamespace((int)network.DangerousGetHandle(), NewNetwork) != 0)
            {
                moved.SetException(new IOException($"setns to the network of {_node.Name}: errno {Marshal.GetLastPInvokeError()}"));
                return;
            }
        }

        moved.SetResult();
        foreach (var wish in _wishes.GetConsumingEnumerable()) wish();
    }

    /// <summary>Words of 32 bits in the machine's order, then the port.</summary>
    private static IPEndPoint Parse(string text)
    {
        var (address, port) = (text[..text.IndexOf(':', StringComparison.Ordinal)], text[(text.IndexOf(':', StringComparison.Ordinal) + 1)..]);
        var bytes = Convert.FromHexString(address);
        for (var word = 0; word < bytes.Length; word += 4) Array.Reverse(bytes, word, 4);
        return new(new IPAddress(bytes), int.Parse(port, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
    }

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int SetNamespace(int descriptor, int kind);
}
