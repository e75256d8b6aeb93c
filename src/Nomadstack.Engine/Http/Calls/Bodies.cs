// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using static Nomadstack.Engine.Jobs.FieldKind;

namespace Nomadstack.Engine.Http.Calls;

/// <summary>
/// What the bodies of calls may hold, as jobs are described: a field that is in no list is refused by name, and so is one of another kind. Names are those of
/// Nomad's <c>api</c> package, 1.1 to 2.0.
/// </summary>
internal static class Bodies
{
    private static readonly JobField s_job = new("Job", null, Any, Nullable: true);
    private static readonly JobField s_overridesPolicies = new("PolicyOverride", null, Flag);

    /// <summary>A call without a body, or with one that says nothing.</summary>
    public static readonly JobBlock None = Of();

    /// <summary>The call reads it by itself.</summary>
    public static readonly JobBlock Raw = Of();

    public static readonly JobBlock Register = Of(
        s_job,
        new("EnforceIndex", null, Flag),
        new("JobModifyIndex", null, Number),
        // Policies are Nomad Enterprise's: where there are none, there is nothing to override.
        s_overridesPolicies,
        new("PreserveCounts", null, Flag),
        new("PreserveResources", null, Refused),
        new("EvalPriority", null, Number),
        // The file a job was made from; this engine keeps the job alone.
        new("Submission", null, Any),
        new("Deployment", null, Refused));

    public static readonly JobBlock Plan = Of(s_job, new("Diff", null, Flag), s_overridesPolicies);

    public static readonly JobBlock Validate = Of(s_job);

    public static readonly JobBlock Parse = Of(new("JobHCL", null, Text), new("Variables", null, Refused), new("Canonicalize", null, Flag), new("HCLv1", null, Refused));

    public static readonly JobBlock Evaluate = Of(Id("JobID"), new("EvalOptions", null, Block, Of: Of(new JobField("ForceReschedule", null, Flag))));

    public static readonly JobBlock Revert = Of(
        Id("JobID"),
        new("JobVersion", null, Number, Nullable: true),
        new("EnforcePriorVersion", null, Number, Nullable: true),
        new("ConsulToken", null, Refused),
        new("VaultToken", null, Refused));

    public static readonly JobBlock Dispatch = Of(
        Id("JobID"),
        new("Meta", null, Map),
        new("Payload", null, Text),
        new("IdPrefixTemplate", null, Text),
        new("Priority", null, Number),
        new("IdempotencyToken", null, Text));

    public static readonly JobBlock Scale = Of(
        Id("JobID"),
        new("Count", null, Number, Nullable: true),
        new("Target", null, Map),
        // What goes with a scaling event; this engine keeps none.
        new("Message", null, Text),
        new("Error", null, Flag),
        new("Meta", null, Any),
        s_overridesPolicies,
        new("JobModifyIndex", null, Number));

    public static readonly JobBlock Drain = Of(
        Id("NodeID"),
        new("DrainSpec", null, Block, Of: Of(new("Deadline", null, Duration), new("IgnoreSystemJobs", null, Flag))),
        new("MarkEligible", null, Flag),
        new("Meta", null, Map));

    public static readonly JobBlock Eligibility = Of(Id("NodeID"), new("Eligibility", null, Text));

    public static readonly JobBlock Deployment = Of(Id("DeploymentID"));

    public static readonly JobBlock Promote = Of(Id("DeploymentID"), new("All", null, Flag), new("Groups", null, Texts), new("PromotedAt", null, Number));

    public static readonly JobBlock Pause = Of(Id("DeploymentID"), new("Pause", null, Flag));

    public static readonly JobBlock AllocationHealth = Of(
        Id("DeploymentID"), new("HealthyAllocationIDs", null, Texts), new("UnhealthyAllocationIDs", null, Texts), new("Timestamp", null, Any));

    public static readonly JobBlock Restart = Of(Id("AllocID"), new("TaskName", null, Text), new("AllTasks", null, Flag));

    public static readonly JobBlock Signal = Of(Id("AllocID"), new("Task", null, Text), new("Signal", null, Text));

    /// <summary>With all of the options of a query, which HashiCorp's client sends in the body too.</summary>
    public static readonly JobBlock Search = Of(
        new("Prefix", null, Text),
        new("Context", null, Text),
        new("AllowStale", null, Any),
        new("WaitIndex", null, Any),
        new("WaitTime", null, Any),
        new("Filter", null, Refused),
        new("PerPage", null, Refused),
        new("NextToken", null, Refused),
        new("Reverse", null, Refused),
        new("Params", null, Any),
        new("Headers", null, Any),
        new("AuthToken", null, Any));

    public static readonly JobBlock Key = Of(new JobField("Key", null, Text));

    public static readonly JobBlock Bootstrap = Of(new JobField("BootstrapSecret", null, Text));

    public static readonly JobBlock Policy = Of(
        new("Name", null, Text), new("Description", null, Text), new("Rules", null, Text), new("JobACL", null, Refused), new("Hash", null, Any), new("CreateIndex", null, Any), new("ModifyIndex", null, Any));

    public static readonly JobBlock Token = new("call", null,
    [
        new("AccessorID", null, Text),
        new("SecretID", null, Text),
        new("Name", null, Text),
        new("Type", null, Text),
        new("Policies", null, Texts),
        new("Roles", null, Refused),
        new("Global", null, Flag),
        new("ExpirationTTL", null, Any),
        // What a server fills in, and a client that changes a token sends back.
        new("ExpirationTime", null, Any), new("Hash", null, Any), new("CreateTime", null, Any), new("CreateIndex", null, Any), new("ModifyIndex", null, Any),
    ]);

    private static JobField Id(string name) => new(name, null, Text);

    private static JobBlock Of(params JobField[] fields) => new("call", null,
    [
        .. fields,
        new("Region", null, Text),
        new("Namespace", null, Text),
        // Go's clients have it in their types; the token that counts is in the header.
        new("SecretID", null, Any),
    ]);
}
