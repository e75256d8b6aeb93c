// SPDX-License-Identifier: MPL-2.0
using System.Text;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Ground.Protocol;

namespace Nomadstack.Driver;

/// <summary>
/// Answers gRPC calls on an HTTP/2 connection, each method by its path. Every call ends with a status: what a method throws becomes one,
/// what is not known is <c>UNIMPLEMENTED</c>, and whatever is open when the driver stops is <c>UNAVAILABLE</c>.
/// </summary>
internal sealed partial class GrpcEndpoints(ILogger<GrpcEndpoints> log)
{
    private readonly Dictionary<string, Func<GrpcCall, Task>> _methods = new(StringComparer.Ordinal);

    public void Unary<TRequest, TResponse>(string path, MessageParser<TRequest> parser, Func<TRequest, GrpcCall, Task<TResponse>> method)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage =>
        _methods.Add(path, async call =>
        {
            var request = await call.ReadOneAsync(parser);
            await call.WriteAsync(await method(request, call));
        });

    public void ServerStream<TRequest>(string path, MessageParser<TRequest> parser, Func<TRequest, GrpcCall, Task> method)
        where TRequest : class, IMessage<TRequest> =>
        _methods.Add(path, async call => await method(await call.ReadOneAsync(parser), call));

    /// <summary>A call whose messages the method reads and writes itself, in both directions.</summary>
    public void Bidirectional(string path, Func<GrpcCall, Task> method) => _methods.Add(path, method);

    public async Task HandleAsync(HttpContext http, CancellationToken stopping)
    {
        if (!HttpMethods.IsPost(http.Request.Method) || http.Request.ContentType?.StartsWith("application/grpc", StringComparison.Ordinal) != true)
        {
            http.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return;
        }

        http.Response.ContentType = "application/grpc";
        if (!_methods.TryGetValue(http.Request.Path.Value ?? "", out var method))
        {
            End(http, GrpcCode.Unimplemented, $"There is no method {http.Request.Path.Value}.");
            return;
        }

        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, stopping);
        try
        {
            await method(new GrpcCall(http, cancel.Token));
            End(http, GrpcCode.Ok, "");
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The caller gave up; nobody is left to tell.
        }
        catch (IOException)
        {
            // The stream or its connection broke under the call, which says the same.
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            End(http, GrpcCode.Unavailable, "The nomadstack agent is stopping.");
        }
        catch (GrpcException e)
        {
            End(http, e.Code, e.Message, e.Detail);
        }
        catch (ProblemException e)
        {
            End(http, GrpcCode.FailedPrecondition, e.Message);
        }
        catch (Exception e) when (!http.RequestAborted.IsCancellationRequested)
        {
            // A bug. Nomad must hear of it in words, or its event would say no more than "unexpected HTTP status 500".
            LogFailed(http.Request.Path.Value, e);
            End(http, GrpcCode.Internal, $"The driver failed: {e.Message}");
        }
    }

    private static void End(HttpContext http, GrpcCode code, string message, GrpcDetail? detail = null)
    {
        var response = http.Response;
        Put(response, "grpc-status", ((int)code).ToString(System.Globalization.CultureInfo.InvariantCulture));
        if (message.Length > 0) Put(response, "grpc-message", PercentEncode(message));
        if (detail is not null) Put(response, "grpc-status-details-bin", Encode(code, message, detail));
    }

    /// <summary>Before the first message the status goes into the headers, which then end the stream ("trailers-only").</summary>
    private static void Put(HttpResponse response, string name, string value)
    {
        if (response.HasStarted) response.AppendTrailer(name, value);
        else response.Headers[name] = value;
    }

    private static string Encode(GrpcCode code, string message, GrpcDetail detail)
    {
        var status = new Status { Code = (int)code, Message = message };
        status.Details.Add(new Any { TypeUrl = "type.googleapis.com/" + detail.FullName, Value = detail.Message.ToByteString() });
        return Convert.ToBase64String(status.ToByteArray()).TrimEnd('=');
    }

    /// <summary>Printable ASCII stays, everything else and the percent sign become %XX of its UTF-8 bytes.</summary>
    internal static string PercentEncode(string message)
    {
        var encoded = new StringBuilder(message.Length + 16);
        foreach (var b in Encoding.UTF8.GetBytes(message))
        {
            if (b is >= 0x20 and <= 0x7e and not (byte)'%') encoded.Append((char)b);
            else encoded.Append('%').Append(b.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }

        return encoded.ToString();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Path} failed")]
    private partial void LogFailed(string? path, Exception e);
}
