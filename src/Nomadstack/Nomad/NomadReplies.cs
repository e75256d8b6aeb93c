// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.HashiCorp;
using Nomadstack.Products;

namespace Nomadstack.Nomad;

/// <summary><c>/v1/agent/self</c>, the part that we read.</summary>
internal sealed record SelfReply(SelfConfig? Config, MemberReply? Member, IReadOnlyDictionary<string, Dictionary<string, string>>? Stats)
{
    public AgentSelf ToSelf()
    {
        var client = Stats?.GetValueOrDefault("client");
        return new(
            Config?.Version?.Version ?? "",
            Stats?.GetValueOrDefault("nomad")?.GetValueOrDefault("server") == "true",
            NullIfEmpty(Member?.Tags?.GetValueOrDefault("id")),
            Member?.Name ?? "",
            Member?.Status ?? "",
            RaftStats.From(Stats?.GetValueOrDefault("raft")),
            NullIfEmpty(client?.GetValueOrDefault("node_id")),
            (client?.GetValueOrDefault("known_servers") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
    }

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}

/// <summary>An element of <c>/v1/jobs</c>, the part that we read.</summary>
internal sealed record ListedJobReply(string? ID, string? Namespace, string? ParentID, bool Stop, JobSummaryReply? JobSummary)
{
    public ListedJob ToListed() => new(Namespace is { Length: > 0 } named ? named : "default", ID ?? "", Stop, JobSummary?.Summary?.Values.Sum(g => g.Running) ?? 0);
}

internal sealed record JobSummaryReply(Dictionary<string, GroupSummaryReply>? Summary);

internal sealed record GroupSummaryReply(long Running);

internal sealed record SelfConfig(SelfVersion? Version);

internal sealed record SelfVersion(string? Version);

internal sealed record MemberReply(string? Name, string? Addr, int Port, string? Status, Dictionary<string, string>? Tags)
{
    public GossipMember ToMember() => new(
        Name ?? "",
        Addr ?? "",
        Port,
        Status ?? "none",
        Tags?.GetValueOrDefault("id"),
        Tags?.GetValueOrDefault("port") is { } rpc ? $"{Bracketed(Tags.GetValueOrDefault("rpc_addr") ?? Addr ?? "")}:{rpc}" : null,
        Server: true,
        Tags ?? []);

    private static string Bracketed(string address) => address.Contains(':') ? $"[{address}]" : address;
}

internal sealed record MembersReply(IReadOnlyList<MemberReply>? Members)
{
    public IReadOnlyList<GossipMember> ToMembers() => [.. (Members ?? []).Select(m => m.ToMember())];
}

internal sealed record JoinReply([property: JsonPropertyName("num_joined")] int NumJoined, [property: JsonPropertyName("error")] string? Error);

/// <summary>A piece of a file that is streamed; without data it is a sign of life.</summary>
internal sealed record LogFrame(byte[]? Data);

internal sealed record JobRegisterReply(string? EvalID, long JobModifyIndex, string? Warnings);

internal sealed record AllocationReply(string ID, string? Name, string? NodeID, string? NodeName, string? TaskGroup, string? DesiredStatus, string? DesiredDescription, string? ClientStatus, string? ClientDescription, long JobVersion, TransitionReply? DesiredTransition, DeploymentStatusReply? DeploymentStatus, string? FollowupEvalID, long CreateIndex, long ModifyIndex, long CreateTime, IReadOnlyDictionary<string, TaskStateReply>? TaskStates)
{
    public AllocationFacts ToFacts() => new(
        ID,
        NodeID ?? "",
        NodeName ?? "",
        TaskGroup ?? "",
        NumberIn(Name),
        DesiredStatus ?? "",
        ClientStatus ?? "",
        string.IsNullOrEmpty(DesiredDescription) ? ClientDescription ?? "" : DesiredDescription,
        JobVersion,
        DesiredTransition?.Migrate ?? false,
        DeploymentStatus?.Healthy,
        string.IsNullOrEmpty(FollowupEvalID) ? null : FollowupEvalID,
        CreateIndex,
        ModifyIndex,
        DateTimeOffset.UnixEpoch.AddTicks(CreateTime / 100),
        [.. (TaskStates ?? new Dictionary<string, TaskStateReply>()).Values.SelectMany(s => s?.Events ?? []).OrderBy(e => e.Time).Select(e => e.DisplayMessage ?? e.Type ?? "")]);

    private static int NumberIn(string? name)
    {
        if (name is null) return -1;
        var open = name.LastIndexOf('[');
        return open >= 0 && name.EndsWith(']') && int.TryParse(name.AsSpan(open + 1, name.Length - open - 2), out var number) ? number : -1;
    }
}

internal sealed record NodeAllocationReply(string? ID, string? DesiredStatus, string? ClientStatus, string? TaskGroup, NodeJobReply? Job)
{
    public string? Name { get; init; }

    public NodeAllocation ToAllocation() => new(ID ?? "", DesiredStatus == "run" && ClientStatus is "running" or "pending" or "unknown")
    {
        Name = Name ?? "",
        Tasks = [.. (Job?.TaskGroups ?? []).Where(g => g.Name == TaskGroup).SelectMany(g => g.Tasks ?? []).Select(TaskStops.EndOf)],
    };
}

internal sealed record NodeJobReply(IReadOnlyList<NodeGroupReply>? TaskGroups);

internal sealed record NodeGroupReply(string? Name, IReadOnlyList<NodeTaskReply>? Tasks);

/// <param name="KillTimeout">Nanoseconds.</param>
internal sealed record NodeTaskReply(string? Name, string? Driver, string? KillSignal, long? KillTimeout);

internal sealed record TokenReply(string? SecretID, string? Type, string? AccessorID = null, string? Name = null);

internal sealed record KeyReply(string? KeyID);

internal sealed record TransitionReply(bool? Migrate);

internal sealed record DeploymentStatusReply(bool? Healthy);

internal sealed record TaskStateReply(IReadOnlyList<TaskEventReply>? Events);

internal sealed record TaskEventReply(string? Type, string? DisplayMessage, long Time);

[JsonSerializable(typeof(SelfReply))]
[JsonSerializable(typeof(MembersReply))]
[JsonSerializable(typeof(TokenReply))]
[JsonSerializable(typeof(IReadOnlyList<TokenReply>))]
[JsonSerializable(typeof(JobRegisterReply))]
[JsonSerializable(typeof(JoinReply))]
[JsonSerializable(typeof(LogFrame))]
[JsonSerializable(typeof(IReadOnlyList<AllocationReply>))]
[JsonSerializable(typeof(IReadOnlyList<NodeAllocationReply>))]
[JsonSerializable(typeof(IReadOnlyList<KeyReply>))]
[JsonSerializable(typeof(IReadOnlyList<ListedJobReply>))]
[JsonSerializable(typeof(IReadOnlyList<NodeFacts>))]
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNameCaseInsensitive = true)]
internal sealed partial class NomadJson : JsonSerializerContext;
