// SPDX-License-Identifier: MPL-2.0
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;

namespace Nomadstack.Api;

/// <summary>Kestrel on unix sockets that only the agent's own user can open: the folder has mode 0700, the socket 0600.</summary>
internal static class AgentSocket
{
    private const UnixFileMode OwnerFolder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>
    /// Listens on <paramref name="path"/> with HTTP/1.1 (or what <paramref name="configure"/> says).
    /// Replaces the socket file of a killed agent, so the caller must hold the data folder's lock.
    /// </summary>
    public static void ListenAgentSocket(this KestrelServerOptions kestrel, string path, Action<ListenOptions>? configure = null)
    {
        var folder = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(folder, OwnerFolder);
        File.SetUnixFileMode(folder, OwnerFolder);
        File.Delete(path);
        kestrel.ListenUnixSocket(path, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            configure?.Invoke(listen);
        });
    }

    /// <summary>Sets every unix socket of this Kestrel to mode 0600 before it accepts its first connection.</summary>
    public static IServiceCollection RestrictUnixSockets(this IServiceCollection services) =>
        services.Configure<SocketTransportOptions>(options => options.CreateBoundListenSocket = endpoint =>
        {
            var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
            if (endpoint is UnixDomainSocketEndPoint unix) File.SetUnixFileMode(unix.ToString(), OwnerFile);
            return socket;
        });
}
