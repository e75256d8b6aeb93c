// SPDX-License-Identifier: MPL-2.0
using static Nomadstack.Engine.Jobs.FieldKind;

namespace Nomadstack.Engine.Jobs;

/// <summary>
/// Every field that a job may have here, once, for HCL and JSON alike. What is in no list below is refused by name, wherever it comes from.
/// Names, shapes and absent values are those of Nomad 1.1's <c>api</c> package.
/// </summary>
internal static class JobSchema
{
    private static readonly JobBlock Constraint = new("constraint", null, [new("LTarget", null, Text), new("RTarget", null, Text), new("Operand", null, Text)]);

    private static readonly JobBlock Port = new("port", "Label",
    [
        new("Label", null, Text),
        new("Value", "static", Number),
        new("To", "to", Number),
        new("HostNetwork", "host_network", Text),
        new("IgnoreCollision", "ignore_collision", Refused) { Newer = true },
    ]);

    private static readonly JobBlock Network = new("network", null,
    [
        new("Mode", "mode", Text),
        new("Device", "device", Text),
        new("CIDR", "cidr", Text),
        new("IP", "ip", Text),
        new("DNS", "dns", Refused),
        new("DynamicPorts", "port", Ports, Of: Port),
        new("ReservedPorts", null, Ports, Of: Port),
        new("MBits", "mbits", Number, Nullable: true),
        new("Hostname", "hostname", Refused) { Newer = true },
        new("CNI", "cni", Refused) { Newer = true },
    ]);

    private static readonly JobBlock Restart = new("restart", null,
    [
        new("Interval", "interval", Duration, Nullable: true),
        new("Attempts", "attempts", Number, Nullable: true),
        new("Delay", "delay", Duration, Nullable: true),
        new("Mode", "mode", Text, Nullable: true),
        new("RenderTemplates", "render_templates", Refused) { Newer = true },
    ]);

    private static readonly JobBlock Reschedule = new("reschedule", null,
    [
        new("Attempts", "attempts", Number, Nullable: true),
        new("Interval", "interval", Duration, Nullable: true),
        new("Delay", "delay", Duration, Nullable: true),
        new("DelayFunction", "delay_function", Text, Nullable: true),
        new("MaxDelay", "max_delay", Duration, Nullable: true),
        new("Unlimited", "unlimited", Flag, Nullable: true),
    ]);

    private static readonly JobBlock Update = new("update", null,
    [
        new("Stagger", "stagger", Duration, Nullable: true),
        new("MaxParallel", "max_parallel", Number, Nullable: true),
        new("HealthCheck", "health_check", Text, Nullable: true),
        new("MinHealthyTime", "min_healthy_time", Duration, Nullable: true),
        new("HealthyDeadline", "healthy_deadline", Duration, Nullable: true),
        new("ProgressDeadline", "progress_deadline", Duration, Nullable: true),
        new("Canary", "canary", Refused),
        new("AutoRevert", "auto_revert", Refused),
        new("AutoPromote", "auto_promote", Refused),
    ]);

    private static readonly JobBlock Migrate = new("migrate", null,
    [
        new("MaxParallel", "max_parallel", Number, Nullable: true),
        new("HealthCheck", "health_check", Text, Nullable: true),
        new("MinHealthyTime", "min_healthy_time", Duration, Nullable: true),
        new("HealthyDeadline", "healthy_deadline", Duration, Nullable: true),
    ]);

    private static readonly JobBlock Resources = new("resources", null,
    [
        new("CPU", "cpu", Number, Nullable: true),
        new("Cores", "cores", Refused),
        new("MemoryMB", "memory", Number, Nullable: true),
        new("MemoryMaxMB", "memory_max", Refused),
        new("DiskMB", "disk", Number, Nullable: true),
        new("Networks", "network", Refused),
        new("Devices", "device", Refused),
        new("IOPS", "iops", Refused),
        new("NUMA", "numa", Refused) { Newer = true },
        new("SecretsMB", "secrets", Refused) { Newer = true },
    ]);

    private static readonly JobBlock Logs = new("logs", null,
    [
        new("MaxFiles", "max_files", Number, Nullable: true),
        new("MaxFileSizeMB", "max_file_size", Number, Nullable: true),
        new("Disabled", "disabled", Refused) { Newer = true },
        new("Enabled", "enabled", Refused) { Newer = true, Harmless = ["true"] },
    ]);

    private static readonly JobBlock Task = new("task", "Name",
    [
        new("Name", null, Text),
        new("Driver", "driver", Text),
        new("User", "user", Refused) { Zero = Text },
        new("Lifecycle", "lifecycle", Refused),
        new("Config", "config", Config),
        new("Constraints", "constraint", Constraints, Of: Constraint),
        new("Affinities", "affinity", Refused),
        new("Env", "env", Map),
        new("Services", "service", Refused),
        new("Resources", "resources", Block, Of: Resources),
        new("RestartPolicy", "restart", Block, Of: Restart),
        new("Meta", "meta", Map),
        new("KillTimeout", "kill_timeout", Duration, Nullable: true),
        new("LogConfig", "logs", Block, Of: Logs),
        new("Artifacts", "artifact", Refused),
        new("Vault", "vault", Refused),
        new("Templates", "template", Refused),
        new("DispatchPayload", "dispatch_payload", Refused),
        new("VolumeMounts", "volume_mount", Refused),
        new("CSIPluginConfig", "csi_plugin", Refused) { Newer = true },
        new("Leader", "leader", Refused) { Zero = Flag },
        new("ShutdownDelay", "shutdown_delay", Refused) { Zero = Duration },
        new("KillSignal", "kill_signal", Text),
        new("Kind", "kind", Refused) { Zero = Text },
        new("ScalingPolicies", "scaling", Refused),
        new("Identity", "identity", Refused) { Newer = true },
        new("Identities", null, Refused) { Newer = true },
        new("Actions", "action", Refused) { Newer = true },
        new("Consul", "consul", Refused) { Newer = true },
        new("Schedule", "schedule", Refused) { Newer = true },
        new("Secrets", "secret", Refused) { Newer = true },
    ]);

    private static readonly JobBlock EphemeralDisk = new("ephemeral_disk", null,
    [
        new("Sticky", "sticky", Refused),
        new("Migrate", "migrate", Refused),
        new("SizeMB", "size", Number, Nullable: true),
    ]);

    private static readonly JobBlock Group = new("group", "Name",
    [
        new("Name", null, Text),
        new("Count", "count", Number, Nullable: true),
        new("Constraints", "constraint", Constraints, Of: Constraint),
        new("Affinities", "affinity", Refused),
        new("Tasks", "task", Blocks, Of: Task),
        new("Spreads", "spread", Refused),
        new("Volumes", "volume", Refused),
        new("RestartPolicy", "restart", Block, Of: Restart),
        new("ReschedulePolicy", "reschedule", Block, Of: Reschedule),
        new("EphemeralDisk", "ephemeral_disk", Block, Of: EphemeralDisk),
        new("Update", "update", Block, Of: Update),
        new("Migrate", "migrate", Block, Of: Migrate),
        new("Networks", "network", Blocks, Of: Network),
        new("Meta", "meta", Map),
        new("Services", "service", Refused),
        new("ShutdownDelay", "shutdown_delay", Refused),
        new("StopAfterClientDisconnect", "stop_after_client_disconnect", Refused),
        new("Scaling", "scaling", Refused),
        new("Consul", "consul", Refused) { Harmless = ["default"], FilledIn = true },
        new("Vault", "vault", Refused) { Newer = true },
        new("MaxClientDisconnect", "max_client_disconnect", Refused) { Newer = true },
        new("PreventRescheduleOnLost", "prevent_reschedule_on_lost", Refused) { Newer = true },
        new("Disconnect", "disconnect", Refused) { Newer = true },
    ]);

    private static readonly JobBlock Parameterized = new("parameterized", null,
    [
        new("Payload", "payload", Text),
        new("MetaRequired", "meta_required", Texts),
        new("MetaOptional", "meta_optional", Texts),
    ]);

    public static readonly JobBlock Job = new("job", "ID",
    [
        new("Region", "region", Text, Nullable: true),
        new("Namespace", "namespace", Text, Nullable: true),
        new("ID", "id", Text, Nullable: true),
        new("Name", "name", Text, Nullable: true),
        new("Type", "type", Text, Nullable: true),
        new("Priority", "priority", Number, Nullable: true),
        new("AllAtOnce", "all_at_once", Flag, Nullable: true),
        new("Datacenters", "datacenters", Texts),
        new("Constraints", "constraint", Constraints, Of: Constraint),
        new("Affinities", "affinity", Refused),
        new("TaskGroups", "group", Blocks, Of: Group),
        new("Update", "update", Block, Of: Update),
        new("Multiregion", "multiregion", Refused),
        new("Spreads", "spread", Refused),
        new("Periodic", "periodic", Refused),
        new("ParameterizedJob", "parameterized", Block, Of: Parameterized),
        new("Reschedule", "reschedule", Block, Of: Reschedule),
        new("Migrate", "migrate", Block, Of: Migrate),
        new("Meta", "meta", Map),
        new("ConsulToken", "consul_token", Refused),
        new("VaultToken", "vault_token", Refused),
        new("Vault", "vault", Refused) { Newer = true },
        new("NodePool", "node_pool", Refused) { Newer = true, Harmless = ["default", "all"] },
        new("Stop", null, FieldKind.Server),
        new("ParentID", null, Text, Nullable: true),
        new("Dispatched", null, Flag),
        new("Payload", null, Refused),
        new("ConsulNamespace", null, Refused),
        new("VaultNamespace", null, Refused),
        new("NomadTokenID", null, Refused),
        new("Status", null, FieldKind.Server),
        new("StatusDescription", null, FieldKind.Server),
        new("Stable", null, FieldKind.Server),
        new("Version", null, FieldKind.Server),
        new("SubmitTime", null, FieldKind.Server),
        new("CreateIndex", null, FieldKind.Server),
        new("ModifyIndex", null, FieldKind.Server),
        new("JobModifyIndex", null, FieldKind.Server),
        new("DispatchIdempotencyToken", null, FieldKind.Server) { Newer = true },
        new("VersionTag", null, Refused) { Newer = true },
        new("UI", "ui", Refused) { Newer = true },
    ]);
}
