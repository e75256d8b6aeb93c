// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;

namespace Nomadstack.Engine.Jobs;

/// <summary>
/// Fills in what a job leaves open, as Nomad 1.1 does when it canonicalizes: defaults, and what groups inherit from the job and tasks from their group.
/// Works on the JSON, where "not said" and "said to be zero" still differ.
/// </summary>
internal static class JobDefaults
{
    private const long Second = 1_000_000_000;
    private const long Minute = 60 * Second;

    /// <summary>Changes <paramref name="job"/>, which must have every field. Doing it again changes nothing.</summary>
    public static void Fill(JsonObject job)
    {
        Default(job, "ID", "");
        Default(job, "Name", (string?)job["ID"]);
        foreach (var name in new[] { "ParentID", "ConsulToken", "ConsulNamespace", "VaultToken", "VaultNamespace", "NomadTokenID", "Status", "StatusDescription" })
            Default(job, name, "");
        Default(job, "Namespace", "default");
        Default(job, "Region", "global");
        Default(job, "Type", JobType.Service);
        Default(job, "Priority", 50);
        // As Nomad since 1.6; before, a job without datacenters was refused.
        if (job["Datacenters"] is not JsonArray { Count: > 0 }) job["Datacenters"] = new JsonArray("*");
        foreach (var name in new[] { "Stop", "AllAtOnce", "Stable" }) Default(job, name, false);
        foreach (var name in new[] { "Version", "CreateIndex", "ModifyIndex", "JobModifyIndex" }) Default(job, name, 0);

        if (job["Update"] is null && (string?)job["Type"] == JobType.Service) job["Update"] = new JsonObject();
        if (job["Update"] is JsonObject update) FillUpdate(update);
        foreach (var group in Objects(job, "TaskGroups")) FillGroup(group, job);
    }

    private static void FillGroup(JsonObject group, JsonObject job)
    {
        var type = (string?)job["Type"];
        Default(group, "Count", 1);
        var disk = Block(group, "EphemeralDisk");
        Default(disk, "Sticky", false);
        Default(disk, "Migrate", false);
        Default(disk, "SizeMB", 300);
        group["Consul"] = new JsonObject { ["Namespace"] = "" };

        Inherit(group, job, "Update", when: IsSet(job["Update"]));
        if (group["Update"] is JsonObject update) FillUpdate(update);

        Inherit(group, job, "ReschedulePolicy", from: "Reschedule");
        if (group["ReschedulePolicy"] is null && type != JobType.System) group["ReschedulePolicy"] = new JsonObject();
        if (group["ReschedulePolicy"] is JsonObject reschedule) FillReschedule(reschedule, type);

        Inherit(group, job, "Migrate");
        if (group["Migrate"] is null && type == JobType.Service) group["Migrate"] = new JsonObject();
        if (group["Migrate"] is JsonObject migrate) FillMigrate(migrate);

        FillRestart(Block(group, "RestartPolicy"), type);
        foreach (var task in Objects(group, "Tasks")) FillTask(task, group);
    }

    private static void FillTask(JsonObject task, JsonObject group)
    {
        var resources = Block(task, "Resources", "DiskMB", "MemoryMaxMB", "Networks", "Devices", "IOPS");
        Default(resources, "Cores", 0);
        Default(resources, "CPU", 100);
        Default(resources, "MemoryMB", 300);
        Default(task, "KillTimeout", 5 * Second);
        var logs = Block(task, "LogConfig");
        Default(logs, "MaxFiles", 10);
        Default(logs, "MaxFileSizeMB", 10);
        Inherit(task, group, "RestartPolicy");
    }

    private static void FillUpdate(JsonObject update)
    {
        Default(update, "Stagger", 30 * Second);
        Default(update, "MaxParallel", 1);
        Default(update, "HealthCheck", "checks");
        Default(update, "MinHealthyTime", 10 * Second);
        Default(update, "HealthyDeadline", 5 * Minute);
        Default(update, "ProgressDeadline", 10 * Minute);
        Default(update, "AutoRevert", false);
        Default(update, "AutoPromote", false);
        Default(update, "Canary", 0);
    }

    private static void FillReschedule(JsonObject reschedule, string? type)
    {
        var (attempts, interval, delay, function, max, unlimited) = type switch
        {
            JobType.Service => (0, 0L, 30 * Second, "exponential", 60 * Minute, true),
            JobType.Batch => (1, 24 * 60 * Minute, 5 * Second, "constant", 0L, false),
            _ => (0, 0L, 0L, "", 0L, false),
        };
        Default(reschedule, "Attempts", attempts);
        Default(reschedule, "Interval", interval);
        Default(reschedule, "Delay", delay);
        Default(reschedule, "DelayFunction", function);
        Default(reschedule, "MaxDelay", max);
        Default(reschedule, "Unlimited", unlimited);
    }

    private static void FillMigrate(JsonObject migrate)
    {
        Default(migrate, "MaxParallel", 1);
        Default(migrate, "HealthCheck", "checks");
        Default(migrate, "MinHealthyTime", 10 * Second);
        Default(migrate, "HealthyDeadline", 5 * Minute);
    }

    private static void FillRestart(JsonObject restart, string? type)
    {
        var longRunning = type is JobType.Service or JobType.System;
        Default(restart, "Attempts", longRunning ? 2 : 3);
        Default(restart, "Interval", longRunning ? 30 * Minute : 24 * 60 * Minute);
        Default(restart, "Delay", 15 * Second);
        Default(restart, "Mode", "fail");
    }

    /// <summary>What the owner above says, where this one says nothing: block by block and field by field.</summary>
    private static void Inherit(JsonObject owner, JsonObject above, string name, string? from = null, bool when = true)
    {
        if (above[from ?? name] is not JsonObject inherited || (owner[name] is null && !when)) return;
        if (owner[name] is not JsonObject own)
        {
            owner[name] = inherited.DeepClone();
            return;
        }

        foreach (var (field, value) in inherited)
            if (own[field] is null) own[field] = value?.DeepClone();
    }

    private static bool IsSet(JsonNode? update) => update is JsonObject block && block.Any(entry => entry.Value is not null && !IsZero(entry.Value));

    private static bool IsZero(JsonNode? value) => value?.ToJsonString() is null or "0" or "false" or "\"\"";

    private static void Default(JsonObject owner, string name, JsonNode? value)
    {
        if (owner[name] is null) owner[name] = value;
    }

    private static JsonObject Block(JsonObject owner, string name, params ReadOnlySpan<string> like)
    {
        if (owner[name] is JsonObject block) return block;
        block = [];
        foreach (var field in like) block[field] = null;
        owner[name] = block;
        return block;
    }

    private static IEnumerable<JsonObject> Objects(JsonObject owner, string name) => (owner[name] as JsonArray ?? []).OfType<JsonObject>();
}
