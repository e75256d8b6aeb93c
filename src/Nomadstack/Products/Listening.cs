// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;

namespace Nomadstack.Products;

/// <summary>Whether something listens at a port: the cheapest sign that an agent has started.</summary>
internal static class Listening
{
    /// <summary>Nomad listens a moment before it handles signals (command/agent/command.go); until then SIGHUP ends it.</summary>
    private static readonly TimeSpan s_untilItHandlesSignals = TimeSpan.FromMilliseconds(500);

    public static async Task<bool> AtAsync(string address, int port, CancellationToken cancel)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Parse(address), port, cancel);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Whether an agent takes SIGHUP as the request to read its files again. One that is starting would end by it.</summary>
    public static async Task<bool> TakesReloadAsync(string address, int port, TimeProvider time, CancellationToken cancel)
    {
        if (!await AtAsync(address, port, cancel)) return false;
        await Task.Delay(s_untilItHandlesSignals, time, cancel);
        return await AtAsync(address, port, cancel);
    }
}
