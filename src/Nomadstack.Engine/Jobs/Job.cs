// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;

namespace Nomadstack.Engine.Jobs;

/// <summary>A registered job, every field filled in. Written to JSON it has the shape in which a Nomad server gives a job back.</summary>
internal sealed record Job
{
    public bool Stop { get; init; }
    public string Region { get; init; } = "global";
    public string Namespace { get; init; } = "default";
    public string ID { get; init; } = "";
    public string Name { get; init; } = "";
    public string Type { get; init; } = JobType.Service;
    public int Priority { get; init; }
    public bool AllAtOnce { get; init; }
    public IReadOnlyList<string> Datacenters { get; init; } = [];
    public IReadOnlyList<Constraint>? Constraints { get; init; }
    public IReadOnlyList<TaskGroup> TaskGroups { get; init; } = [];
    public UpdateStrategy Update { get; init; } = new();
    public IReadOnlyDictionary<string, string>? Meta { get; init; }
    public string Status { get; init; } = "";
    public string StatusDescription { get; init; } = "";

    /// <summary>A deployment of this version became healthy.</summary>
    public bool Stable { get; init; }

    public long Version { get; init; }

    public ParameterizedJob? ParameterizedJob { get; init; }

    /// <summary>The job it was dispatched from.</summary>
    public string ParentID { get; init; } = "";

    public bool Dispatched { get; init; }

    /// <summary>What the caller gave to the dispatch, so that the same dispatch does not happen twice; null for none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? DispatchIdempotencyToken { get; init; }

    /// <summary>A template, which never has allocations.</summary>
    [JsonIgnore]
    public bool IsParameterized => ParameterizedJob is not null && !Dispatched;

    /// <summary>Nanoseconds since 1970.</summary>
    public long? SubmitTime { get; init; }

    public long CreateIndex { get; init; }
    public long ModifyIndex { get; init; }

    /// <summary>Moves only when the specification changes, not with the status.</summary>
    public long JobModifyIndex { get; init; }

    // What Nomad's job has and ours never uses, under the names that readers know.
    public IReadOnlyList<string>? Affinities { get; }
    public IReadOnlyList<string>? Spreads { get; }
    public string? Multiregion { get; }
    public string? Periodic { get; }
    public string? Payload { get; }
    public string ConsulNamespace { get; } = "";
    public string ConsulToken { get; } = "";
    public string VaultNamespace { get; } = "";
    public string VaultToken { get; } = "";
    public string NomadTokenID { get; } = "";

    [JsonIgnore]
    public JobKey Key => new(Namespace, ID);

    public TaskGroup? Group(string name) => TaskGroups.FirstOrDefault(g => g.Name == name);

    /// <summary>The metadata of a task with its group's and its job's; the nearer wins. What a dispatch may give and did not is there, and empty.</summary>
    public IReadOnlyDictionary<string, string> MetaOf(TaskGroup group, JobTask task)
    {
        var all = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var key in ParameterizedJob?.MetaOptional ?? []) all[key] = "";
        foreach (var meta in new[] { Meta, group.Meta, task.Meta })
            foreach (var (key, value) in meta ?? new Dictionary<string, string>()) all[key] = value;
        return all;
    }
}

/// <summary>What names a job in a region.</summary>
internal readonly record struct JobKey(string Namespace, string ID) : IComparable<JobKey>
{
    /// <summary>Unambiguous: a namespace has no slash.</summary>
    public override string ToString() => $"{Namespace}/{ID}";

    public int CompareTo(JobKey other) => string.CompareOrdinal(Namespace, other.Namespace) is var order && order != 0 ? order : string.CompareOrdinal(ID, other.ID);
}
