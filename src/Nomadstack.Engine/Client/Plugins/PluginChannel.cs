// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;
using Nomadstack.Ground.Http;
using Nomadstack.Ground.Protocol;

namespace Nomadstack.Engine.Client.Plugins;

/// <summary>The way to one plugin's socket, and what a call that failed says of the plugin.</summary>
internal static class PluginChannel
{
    private const int LongestMessage = 64 * 1024 * 1024;

    public static GrpcChannel To(EndPoint endpoint) => GrpcChannel.ForAddress("http://unused", new()
    {
        DisposeHttpClient = true,
        MaxReceiveMessageSize = LongestMessage,
        HttpHandler = new ResetConnections(new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, cancel) =>
            {
                var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, endpoint.AddressFamily == AddressFamily.Unix ? ProtocolType.Unspecified : ProtocolType.Tcp);
                try
                {
                    await socket.ConnectAsync(endpoint, cancel);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        }),
    });

    /// <summary>Whether the plugin may have died rather than refused. A connection that ends in good order counts, too.</summary>
    public static bool IsSilence(RpcException e) =>
        e.StatusCode is StatusCode.Unavailable or StatusCode.Cancelled or StatusCode.DeadlineExceeded || e.Status.DebugException is IOException or HttpRequestException;

    /// <summary>Whether the plugin says that another attempt may succeed.</summary>
    public static bool IsRecoverable(RpcException e) =>
        e.Trailers.GetValueBytes("grpc-status-details-bin") is { } details
        && Ground.Protocol.Status.Parser.ParseFrom(details).Details.Any(d => d.TypeUrl.EndsWith(".RecoverableError", StringComparison.Ordinal) && RecoverableError.Parser.ParseFrom(d.Value).Recoverable);

    /// <summary>As grpc-go prints it, which is what operators see in task events.</summary>
    public static string Text(RpcException e) => $"rpc error: code = {(e.StatusCode == StatusCode.Cancelled ? "Canceled" : e.StatusCode)} desc = {e.Status.Detail}";
}
