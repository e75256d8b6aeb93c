// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;
using Nomadstack.Engine.Jobs;

namespace Nomadstack.Engine.State;

/// <summary>
/// A change to the state, as it goes through the log. The set is closed. Whatever differs between two servers (a time, an id) is inside the command,
/// so that each of them applies it to the same end.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "$")]
[JsonDerivedType(typeof(RegisterNode), "node")]
[JsonDerivedType(typeof(DeregisterNodes), "node-gone")]
[JsonDerivedType(typeof(UpdateNodeStatus), "node-status")]
[JsonDerivedType(typeof(UpdateNodeDrain), "node-drain")]
[JsonDerivedType(typeof(UpdateNodeEligibility), "node-eligibility")]
[JsonDerivedType(typeof(RegisterJob), "job")]
[JsonDerivedType(typeof(DeregisterJob), "job-gone")]
[JsonDerivedType(typeof(SetJobStability), "job-stability")]
[JsonDerivedType(typeof(UpsertEvaluations), "evals")]
[JsonDerivedType(typeof(Reap), "reap")]
[JsonDerivedType(typeof(ApplyPlan), "plan")]
[JsonDerivedType(typeof(UpdateAllocations), "allocs")]
[JsonDerivedType(typeof(UpdateDesiredTransitions), "transitions")]
[JsonDerivedType(typeof(UpdateDeployment), "deployment")]
[JsonDerivedType(typeof(SetDeploymentHealth), "deployment-health")]
[JsonDerivedType(typeof(SetSchedulerConfiguration), "scheduler-configuration")]
[JsonDerivedType(typeof(SetAutopilotConfiguration), "autopilot-configuration")]
[JsonDerivedType(typeof(BootstrapAcl), "acl-bootstrap")]
[JsonDerivedType(typeof(UpsertAclToken), "acl-token")]
[JsonDerivedType(typeof(UpsertAclPolicy), "acl-policy")]
[JsonDerivedType(typeof(DeleteAcl), "acl-gone")]
internal abstract record Command
{
    private protected Command() { }

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, StateJson.Default.Command);

    /// <exception cref="JsonException">The entry is none of ours.</exception>
    public static Command FromBytes(ReadOnlySpan<byte> bytes) =>
        JsonSerializer.Deserialize(bytes, StateJson.Default.Command) ?? throw new JsonException("a log entry holds no command");
}

/// <summary>A client registers, or registers again: drain, eligibility and history stay as they are.</summary>
internal sealed record RegisterNode(Node Node, DateTimeOffset At) : Command;

internal sealed record DeregisterNodes(IReadOnlyList<string> NodeIDs, IReadOnlyList<Evaluation> Evaluations) : Command;

internal sealed record UpdateNodeStatus(string NodeID, string Status, DateTimeOffset At, NodeEvent? Event, IReadOnlyList<Evaluation> Evaluations) : Command;

/// <param name="Drain">Null ends the drain.</param>
/// <param name="Completed">Whether it ended because nothing is left, not because somebody called it off.</param>
internal sealed record UpdateNodeDrain(string NodeID, DrainStrategy? Drain, bool MarkEligible, bool Completed, DateTimeOffset At, NodeEvent? Event, IReadOnlyDictionary<string, string>? Meta, IReadOnlyList<Evaluation> Evaluations) : Command;

internal sealed record UpdateNodeEligibility(string NodeID, string Eligibility, DateTimeOffset At, NodeEvent? Event, IReadOnlyList<Evaluation> Evaluations) : Command;

/// <param name="EnforceIndex">Only when the job still has this JobModifyIndex; 0: only when there is none. Null: whatever there is.</param>
internal sealed record RegisterJob(Job Job, Evaluation? Evaluation, long? EnforceIndex) : Command;

/// <param name="Purge">Forgets the job; otherwise it stays, stopped.</param>
internal sealed record DeregisterJob(JobKey Key, bool Purge, Evaluation? Evaluation) : Command;

internal sealed record SetJobStability(JobKey Key, long Version, bool Stable) : Command;

internal sealed record UpsertEvaluations(IReadOnlyList<Evaluation> Evaluations) : Command;

/// <summary>What the garbage collection found to be over.</summary>
internal sealed record Reap(IReadOnlyList<string> EvaluationIDs, IReadOnlyList<string> AllocationIDs, IReadOnlyList<JobKey> Jobs, IReadOnlyList<string> DeploymentIDs, IReadOnlyList<string> NodeIDs) : Command;

/// <summary>What the scheduler decided and the leader found to be still possible.</summary>
/// <param name="Job">Of every allocation that has none of its own; null when a job without a specification is stopped.</param>
/// <param name="Placed">New allocations, and existing ones changed in place.</param>
/// <param name="Evaluations">Those that allocations name as theirs to come: they must not be known to one without the other.</param>
internal sealed record ApplyPlan(string EvalID, Job? Job, IReadOnlyList<StoppedAllocation> Stopped, IReadOnlyList<Allocation> Placed, Deployment? Deployment, IReadOnlyList<DeploymentStatusUpdate> DeploymentUpdates, IReadOnlyList<Evaluation> Evaluations, DateTimeOffset At) : Command;

/// <param name="ClientStatus">Empty to leave it to the client; <c>lost</c> when there is none to ask.</param>
internal sealed record StoppedAllocation(string ID, string DesiredDescription, string ClientStatus, string FollowupEvalID);

/// <summary>What clients report. Only what they are the authority on is taken over.</summary>
internal sealed record UpdateAllocations(IReadOnlyList<ClientUpdate> Updates, DateTimeOffset At, IReadOnlyList<Evaluation> Evaluations) : Command;

internal sealed record ClientUpdate(string ID, string ClientStatus, string ClientDescription, IReadOnlyDictionary<string, TaskState>? TaskStates, AllocDeploymentStatus? DeploymentStatus);

internal sealed record UpdateDesiredTransitions(IReadOnlyDictionary<string, DesiredTransition> Transitions, IReadOnlyList<Evaluation> Evaluations) : Command;

internal sealed record UpdateDeployment(DeploymentStatusUpdate Update, Evaluation? Evaluation) : Command;

/// <summary>An operator's word on the health of allocations.</summary>
internal sealed record SetDeploymentHealth(string DeploymentID, IReadOnlyList<string> Healthy, IReadOnlyList<string> Unhealthy, DateTimeOffset At, DeploymentStatusUpdate? Update, Evaluation? Evaluation) : Command;

/// <param name="OnlyAt">Check-and-set: only when the setting was last changed at this index.</param>
internal sealed record SetSchedulerConfiguration(JsonElement Value, long? OnlyAt) : Command;

internal sealed record SetAutopilotConfiguration(JsonElement Value, long? OnlyAt) : Command;

/// <summary>The first management token; once only, or once more after the index of the last time.</summary>
internal sealed record BootstrapAcl(AclToken Token, long ResetIndex) : Command;

internal sealed record UpsertAclToken(AclToken Token) : Command;

internal sealed record UpsertAclPolicy(AclPolicy Policy) : Command;

internal sealed record DeleteAcl(IReadOnlyList<string> AccessorIDs, IReadOnlyList<string> Policies) : Command;

/// <summary>What became of a command; the same on every server.</summary>
internal abstract record Applied
{
    private Applied() { }

    internal sealed record Done(long Index) : Applied;

    /// <summary>The command does not fit the state any more; nothing was changed.</summary>
    internal sealed record Refused(string Reason) : Applied;
}
