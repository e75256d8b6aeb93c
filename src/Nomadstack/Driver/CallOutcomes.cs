// SPDX-License-Identifier: MPL-2.0
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;

namespace Nomadstack.Driver;

/// <summary>
/// Gives every call that failed the status that Nomad can act on, in words: a problem is <c>FAILED_PRECONDITION</c>, what the agent's end cuts off is
/// <c>UNAVAILABLE</c>, and anything else is a bug, which is logged.
/// </summary>
internal sealed partial class CallOutcomes(ILogger<CallOutcomes> log, CancellationToken stopping) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (Exception e) when (!IsOver(e, context))
        {
            throw Outcome(e, context);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception e) when (!IsOver(e, context))
        {
            throw Outcome(e, context);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(requestStream, responseStream, context);
        }
        catch (Exception e) when (!IsOver(e, context))
        {
            throw Outcome(e, context);
        }
    }

    /// <summary>The method chose its status itself, or the caller gave up and nobody is left to tell.</summary>
    private bool IsOver(Exception e, ServerCallContext context) =>
        e is RpcException || (context.CancellationToken.IsCancellationRequested && !stopping.IsCancellationRequested);

    private RpcException Outcome(Exception e, ServerCallContext context)
    {
        if (e is ProblemException) return new(new(StatusCode.FailedPrecondition, e.Message));
        if (context.CancellationToken.IsCancellationRequested) return new(new(StatusCode.Unavailable, "The nomadstack agent is stopping."));
        LogFailed(context.Method, e);
        return new(new(StatusCode.Internal, $"The driver failed: {e.Message}"));
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} failed")]
    private partial void LogFailed(string method, Exception e);
}
