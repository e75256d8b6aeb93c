// SPDX-License-Identifier: MPL-2.0
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Nomadstack.Storage;

namespace Nomadstack.Api;

/// <summary>
/// Kestrel on unix sockets that nobody but the agent's own user can open: the folder is 0700, the socket 0600, and whoever connects is looked at
/// (<see cref="KeptListener"/>).
/// </summary>
internal static class AgentSocket
{
    private const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>
    /// Listens on <paramref name="path"/> with HTTP/1.1 (or what <paramref name="configure"/> says).
    /// Replaces the socket file of a killed agent, so the caller must hold the data folder's lock.
    /// </summary>
    public static void ListenAgentSocket(this KestrelServerOptions kestrel, string path, Action<ListenOptions>? configure = null)
    {
        RunFolder.Prepare(Path.GetDirectoryName(path)!);
        File.Delete(path);
        kestrel.ListenUnixSocket(path, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            configure?.Invoke(listen);
        });
    }

    /// <summary>Gives every unix socket of this Kestrel mode 0600 before it accepts its first connection, and keeps it there however often it is swept away.</summary>
    public static IServiceCollection KeepUnixSockets(this IServiceCollection services, TimeProvider time, ILoggerFactory logs) =>
        services
            .AddSingleton<IConnectionListenerFactory>(all => new KeptListenerFactory(all.GetRequiredService<IOptions<SocketTransportOptions>>(), logs, time))
            .Configure<SocketTransportOptions>(options => options.CreateBoundListenSocket = endpoint =>
            {
                var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
                if (endpoint is UnixDomainSocketEndPoint unix) File.SetUnixFileMode(unix.ToString(), OwnerFile);
                return socket;
            });
}
