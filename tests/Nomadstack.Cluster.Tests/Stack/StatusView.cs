// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;

namespace Nomadstack.Cluster.Tests.Stack;

/// <summary>
/// <c>nomadstack status --json</c> as another tool would read it: written down here once more on purpose,
/// so that a renamed field fails a test.
/// </summary>
internal sealed record StatusView(int Schema, NodeView Node, ClusterView Cluster, EngineView Engine, IReadOnlyList<ServerView> Servers, IReadOnlyList<MemberView> Nodes, IReadOnlyList<OperationView> Operations)
{
    private static readonly JsonSerializerOptions s_web = new(JsonSerializerDefaults.Web) { RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true };

    public static StatusView Parse(string json) => JsonSerializer.Deserialize<StatusView>(json, s_web) ?? throw new JsonException("status is null");

    public bool HasConsul => Engine.Consul.Kind == "consul";

    public override string ToString() => JsonSerializer.Serialize(this, s_web);
}

internal sealed record NodeView(string Name, string Id, string Address, string Version);

internal sealed record ClusterView(string Id, string State, string Reason, int DesiredServers);

internal sealed record EngineView(KindView Nomad, KindView Consul);

internal sealed record KindView(string Kind, string Version);

internal sealed record ServerView(string Role, string Node, string Address, string ManagedBy, string State, bool Voter, bool Leader, bool Healthy, int? Pid);

internal sealed record MemberView(string Name, string Address, string Agent, string Nomad, string Consul, bool Eligible, string Kind = "server");

internal sealed record OperationView(string Kind, string Step, string State, string Reason);
