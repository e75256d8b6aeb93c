// SPDX-License-Identifier: MPL-2.0
using Google.Protobuf;
using Grpc.AspNetCore.Server.Model;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.HealthCheck;
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Ground.Protocol;

namespace Nomadstack.Driver;

/// <summary>
/// Which method answers which call, and the status of a failed call: a problem is <c>FAILED_PRECONDITION</c>, a call that ends with the agent is
/// <c>UNAVAILABLE</c>, and anything else is a bug, which is logged. The table is written by hand, because the generated binding is built while the program runs,
/// type by type, when it is compiled ahead of time (docs/decisions/126).
/// </summary>
internal sealed partial class DriverCalls(TaskDriver driver, PluginIntroduction introduction, PluginController controller, ILogger<DriverCalls> log, CancellationToken stopping) : IServiceMethodProvider<DriverCalls>
{
    private const string Driver = "hashicorp.nomad.plugins.drivers.proto.Driver", Base = "hashicorp.nomad.plugins.base.proto.BasePlugin", Health = "grpc.health.v1.Health";

    public void OnServiceMethodDiscovery(ServiceMethodProviderContext<DriverCalls> context)
    {
        Unary(Driver, "Init", InitRequest.Parser, InitResponse.Parser, driver.Init);
        Unary(Driver, "Shutdown", ShutdownRequest.Parser, ShutdownResponse.Parser, driver.Shutdown);
        Unary(Driver, "TaskConfigSchema", TaskConfigSchemaRequest.Parser, TaskConfigSchemaResponse.Parser, driver.TaskConfigSchema);
        Unary(Driver, "Capabilities", CapabilitiesRequest.Parser, CapabilitiesResponse.Parser, driver.Capabilities);
        Unary(Driver, "StartTask", StartTaskRequest.Parser, StartTaskResponse.Parser, driver.StartTask);
        Unary(Driver, "RecoverTask", RecoverTaskRequest.Parser, RecoverTaskResponse.Parser, driver.RecoverTask);
        Unary(Driver, "WaitTask", WaitTaskRequest.Parser, WaitTaskResponse.Parser, driver.WaitTask);
        Unary(Driver, "StopTask", StopTaskRequest.Parser, StopTaskResponse.Parser, driver.StopTask);
        Unary(Driver, "DestroyTask", DestroyTaskRequest.Parser, DestroyTaskResponse.Parser, driver.DestroyTask);
        Unary(Driver, "InspectTask", InspectTaskRequest.Parser, InspectTaskResponse.Parser, driver.InspectTask);
        Unary(Driver, "SignalTask", SignalTaskRequest.Parser, SignalTaskResponse.Parser, driver.SignalTask);
        Unary(Driver, "ExecTask", ExecTaskRequest.Parser, ExecTaskResponse.Parser, driver.ExecTask);
        Duplex(Driver, "ExecTaskStreaming", ExecTaskStreamingRequest.Parser, ExecTaskStreamingResponse.Parser, driver.ExecTaskStreaming);
        ServerStream(Driver, "Fingerprint", FingerprintRequest.Parser, FingerprintResponse.Parser, driver.Fingerprint);
        ServerStream(Driver, "TaskStats", TaskStatsRequest.Parser, TaskStatsResponse.Parser, driver.TaskStats);
        ServerStream(Driver, "TaskEvents", TaskEventsRequest.Parser, DriverTaskEvent.Parser, driver.TaskEvents);
        // CreateNetwork and DestroyNetwork are never called for a driver that offers only the host's network. A call that is not in this table is UNIMPLEMENTED.

        Unary(Base, "PluginInfo", PluginInfoRequest.Parser, PluginInfoResponse.Parser, introduction.PluginInfo);
        Unary(Base, "ConfigSchema", ConfigSchemaRequest.Parser, ConfigSchemaResponse.Parser, introduction.ConfigSchema);
        Unary(Base, "SetConfig", SetConfigRequest.Parser, SetConfigResponse.Parser, introduction.SetConfig);

        Unary("plugin.GRPCController", "Shutdown", Empty.Parser, Empty.Parser, controller.Shutdown);
        ServerStream("plugin.GRPCStdio", "StreamStdio", Google.Protobuf.WellKnownTypes.Empty.Parser, StdioData.Parser, new PluginOutput().StreamStdio);
        Duplex("plugin.GRPCBroker", "StartStream", ConnInfo.Parser, ConnInfo.Parser, new PluginBroker().StartStream);

        // The name that Nomad's plugin host uses.
        var health = new HealthServiceImpl();
        health.SetStatus("plugin", HealthCheckResponse.Types.ServingStatus.Serving);
        Unary(Health, "Check", HealthCheckRequest.Parser, HealthCheckResponse.Parser, health.Check);
        ServerStream(Health, "Watch", HealthCheckRequest.Parser, HealthCheckResponse.Parser, health.Watch);

        void Unary<TRequest, TResponse>(string service, string name, MessageParser<TRequest> requests, MessageParser<TResponse> responses, UnaryServerMethod<TRequest, TResponse> method)
            where TRequest : class, IMessage<TRequest>
            where TResponse : class, IMessage<TResponse> =>
            context.AddUnaryMethod(Method(MethodType.Unary, service, name, requests, responses), [], async (_, request, call) =>
            {
                try
                {
                    return await method(request, call);
                }
                catch (Exception e) when (!IsOver(e, call))
                {
                    throw Outcome(e, call);
                }
            });

        void ServerStream<TRequest, TResponse>(string service, string name, MessageParser<TRequest> requests, MessageParser<TResponse> responses, ServerStreamingServerMethod<TRequest, TResponse> method)
            where TRequest : class, IMessage<TRequest>
            where TResponse : class, IMessage<TResponse> =>
            context.AddServerStreamingMethod(Method(MethodType.ServerStreaming, service, name, requests, responses), [], (_, request, stream, call) => GuardAsync(method(request, stream, call), call));

        void Duplex<TRequest, TResponse>(string service, string name, MessageParser<TRequest> requests, MessageParser<TResponse> responses, DuplexStreamingServerMethod<TRequest, TResponse> method)
            where TRequest : class, IMessage<TRequest>
            where TResponse : class, IMessage<TResponse> =>
            context.AddDuplexStreamingMethod(Method(MethodType.DuplexStreaming, service, name, requests, responses), [], (_, incoming, outgoing, call) => GuardAsync(method(incoming, outgoing, call), call));
    }

    private static Method<TRequest, TResponse> Method<TRequest, TResponse>(MethodType type, string service, string name, MessageParser<TRequest> requests, MessageParser<TResponse> responses)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        new(type, service, name, Marshal(requests), Marshal(responses));

    private static Marshaller<T> Marshal<T>(MessageParser<T> parser) where T : class, IMessage<T> => Marshallers.Create(
        (message, to) =>
        {
            to.SetPayloadLength(message.CalculateSize());
            message.WriteTo(to.GetBufferWriter());
            to.Complete();
        },
        from => parser.ParseFrom(from.PayloadAsReadOnlySequence()));

    private async Task GuardAsync(Task method, ServerCallContext call)
    {
        try
        {
            await method;
        }
        catch (Exception e) when (!IsOver(e, call))
        {
            throw Outcome(e, call);
        }
    }

    /// <summary>The method has set its status itself, or the caller has gone.</summary>
    private bool IsOver(Exception e, ServerCallContext call) => e is RpcException || (call.CancellationToken.IsCancellationRequested && !stopping.IsCancellationRequested);

    private RpcException Outcome(Exception e, ServerCallContext call)
    {
        if (e is ProblemException) return new(new(StatusCode.FailedPrecondition, e.Message));
        if (call.CancellationToken.IsCancellationRequested) return new(new(StatusCode.Unavailable, "The nomadstack agent is stopping."));
        LogFailed(call.Method, e);
        return new(new(StatusCode.Internal, $"The driver failed: {e.Message}"));
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} failed")]
    private partial void LogFailed(string method, Exception e);
}
