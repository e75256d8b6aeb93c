// SPDX-License-Identifier: MPL-2.0
using System.Net.Sockets;
using Nomadstack.Api;

namespace Nomadstack.Cli.Output;

/// <summary>Whether an address takes connections: asked with a connection and no request, since who may say what there is no question here.</summary>
internal static class Listening
{
    /// <summary>The first address that nobody answers yet, in words; null when all do. Whoever is told an address may use it at once.</summary>
    public static async Task<string?> SilentAsync(Surroundings here, Endpoints where, CancellationToken cancel)
    {
        foreach (var (product, at) in where.Products)
            if (at.Address is { } address && !await here.Listens(new Uri(address), cancel)) return $"{StatusText.Title(product)} to answer at {address}";
        return null;
    }

    public static async Task<bool> AtAsync(Uri address, CancellationToken cancel)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(address.Host.Trim('[', ']'), address.Port, cancel);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
