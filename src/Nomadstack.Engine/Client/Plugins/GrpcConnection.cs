// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Google.Protobuf;
using Nomadstack.Engine.Client.Plugins.Protocol;

namespace Nomadstack.Engine.Client.Plugins;

/// <summary>gRPC calls over one plugin's socket: plain HTTP/2, each message behind its length, the outcome in the trailers.</summary>
internal sealed class GrpcConnection : IDisposable
{
    private const int PrefixLength = 5, LongestMessage = 64 * 1024 * 1024;

    private readonly HttpClient _http;

    public GrpcConnection(EndPoint endpoint)
    {
        var handler = new SocketsHttpHandler
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
        };
        // Waiting for a task's end may take years.
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <exception cref="GrpcException">Every other outcome than an answer.</exception>
    public async Task<T> CallAsync<T>(string method, IMessage request, MessageParser<T> parser, CancellationToken cancel) where T : class, IMessage<T>
    {
        T? answer = null;
        await foreach (var message in StreamAsync(method, request, parser, cancel)) answer = message;
        return answer ?? throw new GrpcException(GrpcException.Internal, $"{method} answered nothing");
    }

    /// <exception cref="GrpcException">The stream ended with an error.</exception>
    public async IAsyncEnumerable<T> StreamAsync<T>(string method, IMessage request, MessageParser<T> parser, [EnumeratorCancellation] CancellationToken cancel) where T : class, IMessage<T>
    {
        using var response = await GuardAsync(() => _http.SendAsync(Request(method, request), HttpCompletionOption.ResponseHeadersRead, cancel), cancel);
        if (response.StatusCode != HttpStatusCode.OK) throw new GrpcException(GrpcException.Unknown, $"{method}: unexpected HTTP status {(int)response.StatusCode}");
        await using var body = await GuardAsync(() => response.Content.ReadAsStreamAsync(cancel), cancel);
        while (await GuardAsync(() => ReadAsync(body, cancel), cancel) is { } message) yield return Parse(parser, message);
        // An answer without messages has its outcome among the headers.
        ThrowUnlessOk(method, response.TrailingHeaders.Contains("grpc-status") ? response.TrailingHeaders : response.Headers);
    }

    public void Dispose() => _http.Dispose();

    private static HttpRequestMessage Request(string method, IMessage message)
    {
        var frame = new byte[PrefixLength + message.CalculateSize()];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), frame.Length - PrefixLength);
        message.WriteTo(frame.AsSpan(PrefixLength));
        var content = new ByteArrayContent(frame);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        var request = new HttpRequestMessage(HttpMethod.Post, "http://unused/" + method) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = content };
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        return request;
    }

    private static async Task<byte[]?> ReadAsync(Stream body, CancellationToken cancel)
    {
        var prefix = new byte[PrefixLength];
        var read = await body.ReadAtLeastAsync(prefix, PrefixLength, throwOnEndOfStream: false, cancel);
        if (read == 0) return null;
        if (read < PrefixLength || prefix[0] != 0) throw new GrpcException(GrpcException.Internal, "the answer is no plain gRPC message");
        var length = BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1));
        if (length > LongestMessage) throw new GrpcException(GrpcException.Internal, $"a message of {length} bytes is longer than {LongestMessage}");
        var message = new byte[length];
        await body.ReadExactlyAsync(message, cancel);
        return message;
    }

    private static T Parse<T>(MessageParser<T> parser, byte[] message) where T : class, IMessage<T>
    {
        try
        {
            return parser.ParseFrom(message);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new GrpcException(GrpcException.Internal, $"the answer is not the message expected: {e.Message}", inner: e);
        }
    }

    private static async Task<T> GuardAsync<T>(Func<Task<T>> act, CancellationToken cancel)
    {
        try
        {
            return await act();
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException or ObjectDisposedException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            throw new GrpcException(GrpcException.Unavailable, $"the plugin does not answer: {e.Message}", inner: e);
        }
    }

    private static void ThrowUnlessOk(string method, HttpResponseHeaders outcome)
    {
        var code = Value("grpc-status") is { } text && int.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : GrpcException.Unavailable;
        if (code == 0) return;
        var recoverable = false;
        if (Value("grpc-status-details-bin") is { } details)
        {
            var status = RpcStatus.Parser.ParseFrom(Convert.FromBase64String(details.PadRight((details.Length + 3) / 4 * 4, '=')));
            recoverable = status.Details.Any(d => d.TypeUrl.EndsWith(".RecoverableError", StringComparison.Ordinal) && RecoverableError.Parser.ParseFrom(d.Value).Recoverable);
        }

        throw new GrpcException(code, Value("grpc-message") is { Length: > 0 } message ? Uri.UnescapeDataString(message) : $"{method} failed", recoverable);

        string? Value(string name) => outcome.TryGetValues(name, out var values) ? string.Concat(values) : null;
    }
}

/// <summary>A call that ended with another status than OK.</summary>
internal sealed class GrpcException(int code, string message, bool recoverable = false, Exception? inner = null) : Exception(message, inner)
{
    public const int Cancelled = 1, Unknown = 2, Unimplemented = 12, Internal = 13, Unavailable = 14;

    public int Code { get; } = code;

    /// <summary>The plugin says that another attempt may succeed.</summary>
    public bool Recoverable { get; } = recoverable;

    /// <summary>As grpc-go prints it, which is what operators see in task events.</summary>
    public string Text => $"rpc error: code = {Name} desc = {Message}";

    private string Name => Code switch
    {
        1 => "Canceled",
        2 => "Unknown",
        3 => "InvalidArgument",
        4 => "DeadlineExceeded",
        5 => "NotFound",
        6 => "AlreadyExists",
        7 => "PermissionDenied",
        8 => "ResourceExhausted",
        9 => "FailedPrecondition",
        10 => "Aborted",
        11 => "OutOfRange",
        12 => "Unimplemented",
        13 => "Internal",
        14 => "Unavailable",
        15 => "DataLoss",
        16 => "Unauthenticated",
        _ => $"Code({Code.ToString(CultureInfo.InvariantCulture)})",
    };
}
