// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Ground.Protocol;

namespace Nomadstack.Driver;

/// <summary>What Nomad's plugin host asks of every plugin, whatever it does: who it is, its configuration, and to exit.</summary>
internal sealed class PluginServices(Lifelines lifelines, string version)
{
    private const string Base = "/hashicorp.nomad.plugins.base.proto.BasePlugin/";

    public void Register(GrpcEndpoints endpoints)
    {
        endpoints.Unary(Base + "PluginInfo", PluginInfoRequest.Parser, (_, _) => Task.FromResult(new PluginInfoResponse
        {
            Type = PluginType.Driver,
            Name = PluginFile.Name,
            PluginVersion = version,
            PluginApiVersions = { "v0.1.0" },
        }));
        endpoints.Unary(Base + "ConfigSchema", ConfigSchemaRequest.Parser, (_, _) => Task.FromResult(new ConfigSchemaResponse { Spec = DriverSchema.PluginConfig() }));
        // All configuration is the agent's own; Nomad sends an empty one twice, and once more with its port range.
        endpoints.Unary(Base + "SetConfig", SetConfigRequest.Parser, (_, _) => Task.FromResult(new SetConfigResponse()));

        endpoints.Unary("/plugin.GRPCController/Shutdown", Empty.Parser, (_, call) => Task.FromResult(Shutdown(call)));
        // Opened by the host at once and for as long as it is connected; nothing is ever said on either.
        endpoints.ServerStream("/plugin.GRPCStdio/StreamStdio", Empty.Parser, (_, call) => StayOpenAsync(call));
        endpoints.Bidirectional("/plugin.GRPCBroker/StartStream", async call =>
        {
            await call.StartAsync();
            while (await call.ReadAsync(ConnInfo.Parser) is not null)
            {
            }
        });
    }

    private Empty Shutdown(GrpcCall call)
    {
        var caller = call.Http.Features.Get<DriverConnection>()?.PeerPid ?? 0;
        // After the answer is out, so that Nomad sees a plugin that obeyed and not one that crashed.
        call.Http.Response.OnCompleted(() =>
        {
            lifelines.CloseNewest(caller);
            return Task.CompletedTask;
        });
        return new();
    }

    private static async Task StayOpenAsync(GrpcCall call)
    {
        await call.StartAsync();
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, call.Cancel);
    }
}
