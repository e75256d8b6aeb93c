// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Nomadstack.Products;

namespace Nomadstack.HashiCorp;

/// <summary>The <c>/v1/operator</c> and <c>/v1/status</c> paths, which are the same in Nomad and Consul. See <see cref="IServerApi"/> for what each call promises.</summary>
internal sealed class OperatorApi(ProductHttp http)
{
    public async Task<string?> LeaderAsync(bool stale, TimeSpan deadline, CancellationToken cancel)
    {
        var answer = await http.GetAsync(Stale("/v1/status/leader", stale), ProductsJson.Default.String, deadline, cancel);
        return answer.Try(out var leader) && leader.Length > 0 ? leader : null;
    }

    public Task<Answer<RaftConfiguration>> RaftConfigurationAsync(bool stale, TimeSpan deadline, CancellationToken cancel) =>
        http.GetAsync(Stale("/v1/operator/raft/configuration", stale), ProductsJson.Default.RaftConfiguration, deadline, cancel);

    public Task<Answer<Done>> RemovePeerAsync(string id, TimeSpan deadline, CancellationToken cancel) =>
        http.DoAsync(HttpMethod.Delete, "/v1/operator/raft/peer?id=" + Uri.EscapeDataString(id), null, deadline, cancel);

    /// <summary>An unhealthy cluster is answered with status 429 and the same body.</summary>
    public Task<Answer<AutopilotHealth>> AutopilotHealthAsync(TimeSpan deadline, CancellationToken cancel) =>
        http.GetAsync("/v1/operator/autopilot/health", ProductsJson.Default.AutopilotHealth, deadline, cancel, 429);

    public async Task<Answer<AutopilotConfiguration>> GetAutopilotConfigurationAsync(TimeSpan deadline, CancellationToken cancel) =>
        (await http.GetAsync("/v1/operator/autopilot/configuration", ProductsJson.Default.JsonObject, deadline, cancel)).Map(raw => new AutopilotConfiguration(raw));

    public async Task<Answer<bool>> PutAutopilotConfigurationAsync(AutopilotConfiguration configuration, TimeSpan deadline, CancellationToken cancel) =>
        await http.JsonAsync(HttpMethod.Put, $"/v1/operator/autopilot/configuration?cas={configuration.ModifyIndex}", configuration.Raw.ToJsonString(), ProductsJson.Default.Boolean, deadline, cancel);

    /// <summary>A write with index 0 goes through raft, and every server's state then refuses it. It proves that raft works and changes nothing.</summary>
    public async Task<Answer<Done>> BarrierAsync(TimeSpan deadline, CancellationToken cancel) =>
        (await http.JsonAsync(HttpMethod.Put, "/v1/operator/autopilot/configuration?cas=0", "{}", ProductsJson.Default.Boolean, deadline, cancel)).Map(_ => default(Done));

    public async Task<LeadershipTransfer> TransferLeadershipAsync(HttpMethod method, string path, string id, TimeSpan deadline, CancellationToken cancel)
    {
        var answer = await http.SendAsync(method, $"{path}?id={Uri.EscapeDataString(id)}", null, deadline, cancel);
        return answer switch
        {
            Answer<HttpReply>.Ok ok when SaysNo(ok.Value.Body) => new LeadershipTransfer.Failed($"the server answered {ok.Value.Body.Trim()}"),
            Answer<HttpReply>.Ok => new LeadershipTransfer.Asked(),
            // If the call exists, an unknown server id gives 400 or 500. 404 means an unknown path.
            Answer<HttpReply>.Refused { Status: 404 } => new LeadershipTransfer.NotSupported(),
            _ => new LeadershipTransfer.Failed(answer.Complaint),
        };
    }

    private static bool SaysNo(string body)
    {
        try
        {
            return JsonNode.Parse(body) is JsonObject reply && (bool?)reply["Success"] == false;
        }
        catch (JsonException)
        {
            // No JSON and no result in the body: only the status counts.
            return false;
        }
    }

    private static string Stale(string path, bool stale) => stale ? path + "?stale" : path;
}

[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(bool))]
[JsonSerializable(typeof(JsonObject))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(IReadOnlyList<string>))]
[JsonSerializable(typeof(KeyringReply))]
[JsonSerializable(typeof(RaftConfiguration))]
[JsonSerializable(typeof(AutopilotHealth))]
internal sealed partial class ProductsJson : JsonSerializerContext;
