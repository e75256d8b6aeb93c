// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Acl;

/// <summary>What may be done in a namespace, by Nomad's words.</summary>
internal static class Capability
{
    public const string
        Deny = "deny",
        ListJobs = "list-jobs",
        ParseJob = "parse-job",
        ReadJob = "read-job",
        SubmitJob = "submit-job",
        RegisterJob = "register-job",
        DeregisterJob = "deregister-job",
        PurgeJob = "purge-job",
        DispatchJob = "dispatch-job",
        ReadLogs = "read-logs",
        ReadFs = "read-fs",
        AllocLifecycle = "alloc-lifecycle",
        ReadJobScaling = "read-job-scaling",
        ScaleJob = "scale-job";

    /// <summary>Of the operator, not of a namespace.</summary>
    public const string SnapshotSave = "snapshot-save";

    private static readonly string[] s_scaling = ["list-scaling-policies", "read-scaling-policy", ReadJobScaling];

    private static readonly string[] s_read = [ListJobs, ParseJob, ReadJob, "csi-list-volume", "csi-read-volume", "host-volume-read", .. s_scaling];

    private static readonly string[] s_write =
    [
        .. s_read, SubmitJob, DispatchJob, ScaleJob, ReadLogs, ReadFs, AllocLifecycle, "alloc-exec", "csi-write-volume", "csi-mount-volume", "host-volume-write", "submit-recommendation",
    ];

    /// <summary>All that a rule for a namespace may name. What the engine does not do may be granted: there is nothing that would ask for it.</summary>
    public static readonly IReadOnlySet<string> OfNamespaces = new HashSet<string>(
        [.. s_write, Deny, RegisterJob, DeregisterJob, PurgeJob, "alloc-node-exec", "csi-register-plugin", "host-volume-create", "host-volume-register", "host-volume-delete", "sentinel-override"],
        StringComparer.Ordinal);

    public static readonly IReadOnlySet<string> OfOperators = new HashSet<string>([Deny, SnapshotSave, "license-read", "keyring-read", "keyring-rotate", "keyring-delete"], StringComparer.Ordinal);

    /// <summary>What a policy's short word stands for in a namespace; null when it is none.</summary>
    public static IReadOnlyList<string>? Of(string policy) => policy switch
    {
        "deny" => [Deny],
        "read" => s_read,
        "write" => s_write,
        "scale" => [.. s_scaling, ScaleJob],
        _ => null,
    };
}
