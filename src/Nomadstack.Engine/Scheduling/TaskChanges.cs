// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;

namespace Nomadstack.Engine.Scheduling;

/// <summary>What of a group's specification cannot be changed under a running allocation.</summary>
internal static class TaskChanges
{
    /// <summary>Whether an allocation of <paramref name="old"/> must be replaced to become one of <paramref name="job"/>. Both have the group.</summary>
    public static bool NeedReplacement(Job old, Job job, string group)
    {
        var (before, after) = (old.Group(group)!, job.Group(group)!);
        return before.Tasks.Count != after.Tasks.Count
            || before.EphemeralDisk != after.EphemeralDisk
            || NetworksDiffer(before.Networks, after.Networks)
            || before.Tasks.Any(task => after.Task(task.Name) is not { } other || TasksDiffer(task, other) || !Same(old.MetaOf(before, task), job.MetaOf(after, other)));
    }

    private static bool TasksDiffer(JobTask before, JobTask after) =>
        before.Driver != after.Driver
        || before.Resources.CPU != after.Resources.CPU
        || before.Resources.MemoryMB != after.Resources.MemoryMB
        || !Same(before.Env, after.Env)
        || !JsonNode.DeepEquals(Node(before.Config), Node(after.Config));

    /// <summary>The numbers of dynamic ports do not count: they are chosen, not asked for.</summary>
    private static bool NetworksDiffer(IReadOnlyList<NetworkResource>? before, IReadOnlyList<NetworkResource>? after)
    {
        if ((before?.Count ?? 0) != (after?.Count ?? 0)) return true;
        for (var i = 0; i < (before?.Count ?? 0); i++)
        {
            var (left, right) = (before![i], after![i]);
            if (left.Mode != right.Mode || left.MBits != right.MBits
                || !(left.ReservedPorts ?? []).SequenceEqual(right.ReservedPorts ?? [])
                || !(left.DynamicPorts ?? []).Select(p => p with { Value = 0 }).SequenceEqual((right.DynamicPorts ?? []).Select(p => p with { Value = 0 }))) return true;
        }

        return false;
    }

    private static bool Same(IReadOnlyDictionary<string, string>? before, IReadOnlyDictionary<string, string>? after) =>
        (before?.Count ?? 0) == (after?.Count ?? 0) && (before ?? new Dictionary<string, string>()).All(e => after!.TryGetValue(e.Key, out var value) && value == e.Value);

    private static JsonObject? Node(JsonElement? element) => element is { ValueKind: JsonValueKind.Object } some ? JsonObject.Create(some) : null;
}
