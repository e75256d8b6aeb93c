// SPDX-License-Identifier: MPL-2.0
using System.Buffers;
using System.Buffers.Binary;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;

namespace Nomadstack.Driver;

/// <summary>One gRPC call: reads and writes length-prefixed messages. Nothing is copied between the connection's buffers and the messages.</summary>
/// <param name="cancel">Ends when the caller gave up, or when the driver stops.</param>
internal sealed class GrpcCall(HttpContext http, CancellationToken cancel)
{
    private const int PrefixLength = 5;

    /// <summary>gRPC's own default; Nomad's largest message, a TaskConfig with its environment, stays far below.</summary>
    private const int LongestMessage = 4 * 1024 * 1024;

    public CancellationToken Cancel { get; } = cancel;

    public HttpContext Http { get; } = http;

    /// <summary>The single request of a unary or server-streaming call.</summary>
    public async ValueTask<T> ReadOneAsync<T>(MessageParser<T> parser) where T : class, IMessage<T>
    {
        var message = await ReadAsync(parser) ?? throw new GrpcException(GrpcCode.Internal, "The request holds no message.");
        // Reading to the end lets the response finish without a reset of the stream.
        if (await ReadAsync(parser) is not null) throw new GrpcException(GrpcCode.Internal, "The request holds more than one message.");
        return message;
    }

    /// <summary>The next message, or null when the caller has sent its last.</summary>
    public async ValueTask<T?> ReadAsync<T>(MessageParser<T> parser) where T : class, IMessage<T>
    {
        var reader = Http.Request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(Cancel);
            var buffer = read.Buffer;
            if (TryTakeFrame(ref buffer, out var payload))
            {
                var message = Parse(parser, payload);
                reader.AdvanceTo(buffer.Start);
                return message;
            }

            var empty = buffer.IsEmpty;
            reader.AdvanceTo(buffer.Start, buffer.End);
            if (!read.IsCompleted) continue;
            return empty ? null : throw new GrpcException(GrpcCode.Internal, "The request ends in the middle of a message.");
        }
    }

    public async ValueTask WriteAsync(IMessage message)
    {
        var writer = Http.Response.BodyWriter;
        var prefix = writer.GetSpan(PrefixLength);
        prefix[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(prefix[1..], message.CalculateSize());
        writer.Advance(PrefixLength);
        message.WriteTo(writer);
        var flushed = await writer.FlushAsync(Cancel);
        if (flushed.IsCompleted) throw new OperationCanceledException("The caller reads no more.");
    }

    /// <summary>Sends the headers now: a stream may have nothing to say for days, and its caller waits for them.</summary>
    public async ValueTask StartAsync() => await Http.Response.BodyWriter.FlushAsync(Cancel);

    private static bool TryTakeFrame(ref ReadOnlySequence<byte> buffer, out ReadOnlySequence<byte> payload)
    {
        payload = default;
        if (buffer.Length < PrefixLength) return false;
        Span<byte> prefix = stackalloc byte[PrefixLength];
        buffer.Slice(0, PrefixLength).CopyTo(prefix);
        if (prefix[0] != 0) throw new GrpcException(GrpcCode.Unimplemented, "Compressed messages are not understood.");
        var length = BinaryPrimitives.ReadUInt32BigEndian(prefix[1..]);
        if (length > LongestMessage) throw new GrpcException(GrpcCode.ResourceExhausted, $"A message of {length} bytes is longer than {LongestMessage}.");
        if (buffer.Length < PrefixLength + length) return false;
        payload = buffer.Slice(PrefixLength, length);
        buffer = buffer.Slice(payload.End);
        return true;
    }

    private static T Parse<T>(MessageParser<T> parser, ReadOnlySequence<byte> payload) where T : class, IMessage<T>
    {
        try
        {
            return parser.ParseFrom(payload);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new GrpcException(GrpcCode.Internal, $"The request is not the protobuf message expected: {e.Message}", inner: e);
        }
    }
}
