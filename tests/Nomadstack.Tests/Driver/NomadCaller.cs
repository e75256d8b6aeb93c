// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Google.Protobuf;

namespace Nomadstack.Tests.Driver;

/// <summary>Calls the driver as Nomad's client does: HTTP/2 by prior knowledge on the Unix socket, one connection for everything.</summary>
internal sealed class NomadCaller : IDisposable
{
    public const string Driver = "hashicorp.nomad.plugins.drivers.proto.Driver/";
    public const string Base = "hashicorp.nomad.plugins.base.proto.BasePlugin/";

    private readonly HttpClient _http;

    /// <summary>A client that is disposed of keeps its connection for as long as a stream is open on it; a process that goes does not.</summary>
    private readonly System.Collections.Concurrent.ConcurrentBag<Socket> _sockets = [];

    public NomadCaller(string socketPath) => _http = new(new SocketsHttpHandler
    {
        UseProxy = false,
        ConnectCallback = async (_, cancel) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            _sockets.Add(socket);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancel);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    public async Task<T> UnaryAsync<T>(string method, IMessage request, MessageParser<T> parser, CancellationToken cancel = default) where T : IMessage<T>
    {
        using var call = await OpenAsync(method, request, cancel);
        var payload = await call.NextAsync(cancel);
        if (payload is not null && await call.NextAsync(cancel) is not null) throw new InvalidOperationException("two answers");
        call.ThrowUnlessOk();
        return parser.ParseFrom(payload ?? throw new InvalidOperationException("no answer"));
    }

    public async Task<GrpcCallInTest> OpenAsync(string method, IMessage request, CancellationToken cancel = default)
    {
        var payload = request.ToByteArray();
        var frame = new byte[5 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), payload.Length);
        payload.CopyTo(frame, 5);
        var message = new HttpRequestMessage(HttpMethod.Post, "http://unused/" + method)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(frame),
        };
        message.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        message.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        var response = await _http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancel);
        return new(response, await response.Content.ReadAsStreamAsync(cancel));
    }

    public void Dispose()
    {
        foreach (var socket in _sockets) socket.Dispose();
        _http.Dispose();
    }
}

internal sealed class GrpcCallInTest(HttpResponseMessage response, Stream body) : IDisposable
{
    /// <summary>The next message's bytes, or null at the end.</summary>
    public async Task<byte[]?> NextAsync(CancellationToken cancel = default)
    {
        var prefix = new byte[5];
        if (await body.ReadAtLeastAsync(prefix, 5, throwOnEndOfStream: false, cancel) == 0) return null;
        var payload = new byte[BinaryPrimitives.ReadInt32BigEndian(prefix.AsSpan(1))];
        await body.ReadExactlyAsync(payload, cancel);
        return payload;
    }

    public bool TrailersOnly => response.Headers.Contains("grpc-status");

    public string? Status(string name) =>
        response.TrailingHeaders.TryGetValues(name, out var trailer) || response.Headers.TryGetValues(name, out trailer) ? trailer.Single() : null;

    public void ThrowUnlessOk()
    {
        if (Status("grpc-status") is not "0") throw new GrpcFailure(int.Parse(Status("grpc-status") ?? "-1"), Uri.UnescapeDataString(Status("grpc-message") ?? ""), Status("grpc-status-details-bin"));
    }

    /// <summary>Drops the call as Nomad does by cancelling its context.</summary>
    public void Dispose()
    {
        body.Dispose();
        response.Dispose();
    }
}

internal sealed class GrpcFailure(int code, string message, string? details) : Exception(message)
{
    public int Code { get; } = code;

    public string? Details { get; } = details;
}
