// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Products;

/// <summary>A registered job in the cluster's state.</summary>
/// <param name="Status"><c>pending|running|dead</c>.</param>
/// <param name="Stop">True once the job was stopped.</param>
/// <param name="Version">Raised by every change of the job.</param>
/// <param name="JobModifyIndex">For compare-and-set in <see cref="IScheduler.RegisterServerJobAsync"/>.</param>
/// <param name="Counts">By task group.</param>
/// <param name="Raw">The whole job, as Nomad sent it.</param>
internal sealed record JobFacts(string Id, string Type, string Status, bool Stop, long Version, long JobModifyIndex, IReadOnlyDictionary<string, int> Counts, IReadOnlyDictionary<string, string> Meta, string Raw)
{
    /// <summary>The count of its only or first group.</summary>
    public int Count => Counts.Values.FirstOrDefault();
}

/// <summary>A job in a list.</summary>
/// <param name="Stop">True once it was stopped.</param>
/// <param name="Running">How many of its allocations run, as the servers know it.</param>
internal sealed record ListedJob(string Namespace, string Id, bool Stop, long Running)
{
    /// <summary>The id, with its namespace where that is not the default.</summary>
    public override string ToString() => Namespace is "" or "default" ? Id : $"{Namespace}/{Id}";
}

/// <summary>The result of registering a job.</summary>
internal abstract record JobRegistration
{
    private JobRegistration()
    {
    }

    /// <param name="EvalId">Empty if the registration made no evaluation.</param>
    internal sealed record Registered(string EvalId, long JobModifyIndex, string Warnings) : JobRegistration;

    /// <summary>The job does not (or no longer) have the given index.</summary>
    internal sealed record Conflict(string Text) : JobRegistration;

    /// <summary>Nomad refused the job.</summary>
    internal sealed record Refused(string Text) : JobRegistration;

    /// <summary>Nomad is unreachable or has no leader. The job may still have been registered: check that before repeating a call that is not safe to repeat.</summary>
    internal sealed record NotReached(string Why) : JobRegistration;
}

/// <summary>An allocation in the list of a job's allocations.</summary>
/// <param name="Index">The number in its name <c>job.group[0]</c>.</param>
/// <param name="DesiredStatus"><c>run|stop|evict</c>.</param>
/// <param name="ClientStatus"><c>pending|running|complete|failed|lost|unknown</c>.</param>
/// <param name="Migrating">True while a drain wants it elsewhere.</param>
/// <param name="FollowupEvalId">The evaluation that will reschedule it later; null if none.</param>
/// <param name="Events">Messages of its tasks' events, oldest first.</param>
internal sealed record AllocationFacts(string Id, string NodeId, string NodeName, string TaskGroup, int Index, string DesiredStatus, string ClientStatus, string Description, long JobVersion, bool Migrating, bool? DeploymentHealthy, string? FollowupEvalId, long CreateIndex, long ModifyIndex, DateTimeOffset CreatedAt, IReadOnlyList<string> Events)
{
    /// <summary>The client is done with it, whatever the desired status.</summary>
    public bool ClientTerminal => ClientStatus is "complete" or "failed" or "lost";

    /// <summary>Wanted and running.</summary>
    public bool Running => DesiredStatus == "run" && ClientStatus == "running";
}

/// <summary>An allocation as far as its node must know.</summary>
/// <param name="Live">Wanted, and not ended.</param>
internal sealed record NodeAllocation(string Id, bool Live)
{
    /// <summary>As people know it: <c>JOB.GROUP[INDEX]</c>.</summary>
    public string Name { get; init; } = "";

    /// <summary>How its tasks are stopped.</summary>
    public IReadOnlyList<TaskEnd> Tasks { get; init; } = [];
}

/// <param name="Index">What a writer insists on; 0 where there is none.</param>
internal sealed record StateNote(string Text, long Index);
