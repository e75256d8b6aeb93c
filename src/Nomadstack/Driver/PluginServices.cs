// SPDX-License-Identifier: MPL-2.0
using Grpc.Core;
using Nomadstack.Ground.Protocol;
using Nothing = Google.Protobuf.WellKnownTypes.Empty;

namespace Nomadstack.Driver;

// The calls that Nomad's plugin host makes to every plugin.

/// <summary>The plugin's identity and its configuration.</summary>
internal sealed class PluginIntroduction(string version) : BasePlugin.BasePluginBase
{
    public override Task<PluginInfoResponse> PluginInfo(PluginInfoRequest request, ServerCallContext context) =>
        Task.FromResult(new PluginInfoResponse { Type = PluginType.Driver, Name = PluginFile.Name, PluginVersion = version, PluginApiVersions = { "v0.1.0" } });

    public override Task<ConfigSchemaResponse> ConfigSchema(ConfigSchemaRequest request, ServerCallContext context) =>
        Task.FromResult(new ConfigSchemaResponse { Spec = DriverSchema.PluginConfig() });

    /// <summary>The agent has all configuration. Nomad sends an empty one twice, and once more with its port range.</summary>
    public override Task<SetConfigResponse> SetConfig(SetConfigRequest request, ServerCallContext context) => Task.FromResult(new SetConfigResponse());
}

/// <summary>Ends the plugin process of the caller.</summary>
internal sealed class PluginController(Lifelines lifelines) : GRPCController.GRPCControllerBase
{
    public override Task<Empty> Shutdown(Empty request, ServerCallContext context)
    {
        var http = context.GetHttpContext();
        var caller = http.Features.Get<DriverConnection>()?.PeerPid ?? 0;
        // After the answer is sent, so that Nomad sees an orderly exit and not a crash.
        http.Response.OnCompleted(() =>
        {
            lifelines.CloseNewest(caller);
            return Task.CompletedTask;
        });
        return Task.FromResult(new Empty());
    }
}

/// <summary>The host opens this at once and keeps it open while it is connected. Nothing is ever sent on it.</summary>
internal sealed class PluginOutput : GRPCStdio.GRPCStdioBase
{
    public override async Task StreamStdio(Nothing request, IServerStreamWriter<StdioData> responseStream, ServerCallContext context)
    {
        await context.WriteResponseHeadersAsync([]);
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.CancellationToken);
    }
}

/// <summary>Like <see cref="PluginOutput"/>.</summary>
internal sealed class PluginBroker : GRPCBroker.GRPCBrokerBase
{
    public override async Task StartStream(IAsyncStreamReader<ConnInfo> requestStream, IServerStreamWriter<ConnInfo> responseStream, ServerCallContext context)
    {
        await context.WriteResponseHeadersAsync([]);
        try
        {
            while (await requestStream.MoveNext(context.CancellationToken))
            {
            }
        }
        catch (IOException)
        {
            // The host closed the stream or its connection. Kestrel reports this before it cancels the call.
        }
    }
}
