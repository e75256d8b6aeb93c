// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Jobs;

/// <summary>The schedulers there are.</summary>
internal static class JobType
{
    public const string Service = "service";
    public const string Batch = "batch";
    public const string System = "system";

    /// <summary>Nomad's since 1.2; not one of ours.</summary>
    public const string SysBatch = "sysbatch";

    public static readonly IReadOnlyList<string> All = [Service, Batch, System];
}

internal static class JobStatus
{
    public const string Pending = "pending";
    public const string Running = "running";
    public const string Dead = "dead";
}
