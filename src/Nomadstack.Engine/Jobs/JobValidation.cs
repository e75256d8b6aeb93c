// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Engine.Jobs;

/// <summary>What makes a complete job unreasonable. Says it in Nomad's words, since people search for them.</summary>
internal static partial class JobValidation
{
    public const int MinPriority = 1;
    public const int MaxPriority = 100;

    /// <summary>Nomad's default for <c>job_max_count</c>.</summary>
    public const int MaxCount = 50_000;

    /// <summary>In UTF-8. In a URL a byte may take three, and the line of a request must be shorter than Kestrel's 8 KiB.</summary>
    private const int MaxIdBytes = 2048;

    /// <summary>A name becomes part of a file's, of which Linux allows 255 bytes; some are left for what comes behind it.</summary>
    private const int MaxNameBytes = 224;

    /// <summary>All of them at once; empty when the job may be registered.</summary>
    public static IReadOnlyList<JobComplaint> Complaints(Job job) => [.. OfJob(job).Select(what => new JobComplaint("", what))];

    private static IEnumerable<string> OfJob(Job job)
    {
        if (job.Region.Length == 0) yield return "Missing job region";
        if (job.ID.Length == 0) yield return "Missing job ID";
        else if (job.ID.Contains(' ')) yield return "Job ID contains a space";
        else if (job.ID.Contains('\0')) yield return "Job ID contains a null character";
        if (TooLong(job.ID, MaxIdBytes) is { } longId) yield return $"Job ID {longId}";
        if (job.Name.Length == 0) yield return "Missing job name";
        else if (job.Name.Contains('\0')) yield return "Job Name contains a null character";
        if (TooLong(job.Name, MaxIdBytes) is { } longName) yield return $"Job Name {longName}";
        if (job.Namespace != "default") yield return $"job \"{job.ID}\" is in nonexistent namespace \"{job.Namespace}\"";
        if (job.Type.Length == 0) yield return "Missing job type";
        else if (job.Type == JobType.SysBatch) yield return "job type \"sysbatch\" is something that HashiCorp's Nomad does and the embedded engine does not";
        else if (!JobType.All.Contains(job.Type)) yield return $"Invalid job type: \"{job.Type}\"";
        if (job.Priority is < MinPriority or > MaxPriority) yield return $"Job priority must be between [{MinPriority}, {MaxPriority}]";
        if (job.Datacenters.Count == 0) yield return "Missing job datacenters";
        if (job.Datacenters.Any(d => d.Length == 0)) yield return "Job datacenter must be non-empty string";
        if (job.TaskGroups.Count == 0) yield return "Missing job task groups";
        if (job.TaskGroups.Sum(g => (long)g.Count) is > MaxCount and var total) yield return $"total count was greater than job_max_count: {total} > {MaxCount}";
        foreach (var complaint in OfConstraints(job.Constraints)) yield return complaint;
        foreach (var complaint in Repeated(job.TaskGroups.Select(g => g.Name), "Job task group", "group")) yield return complaint;
        foreach (var group in job.TaskGroups)
        {
            if (job.Type == JobType.System && group.Count > 1)
                yield return $"Job task group {group.Name} has count {group.Count}. Count cannot exceed 1 with system scheduler";
            foreach (var complaint in OfGroup(group, job)) yield return $"Task group {group.Name} validation failed: {complaint}";
        }

        if (!job.IsParameterized) yield break;
        if (job.Type != JobType.Batch) yield return $"Parameterized job can only be used with \"{JobType.Batch}\" scheduler";
        foreach (var complaint in OfParameterized(job.ParameterizedJob!)) yield return complaint;
    }

    private static IEnumerable<string> OfParameterized(ParameterizedJob parameterized)
    {
        if (parameterized.Payload == ParameterizedJob.Required) yield return "the embedded engine does not pass payloads to tasks, and this job requires one";
        else if (parameterized.Payload is not (ParameterizedJob.Optional or ParameterizedJob.Forbidden)) yield return $"Unknown payload requirement: \"{parameterized.Payload}\"";
        var both = (parameterized.MetaRequired ?? []).Intersect(parameterized.MetaOptional ?? []).ToList();
        if (both.Count > 0) yield return $"Required and optional meta keys should be disjoint. Following keys exist in both: [{string.Join(' ', both)}]";
    }

    private static IEnumerable<string> OfGroup(TaskGroup group, Job job)
    {
        if (group.Name.Contains('\0')) yield return "Task group name contains null character";
        if (TooLong(group.Name, MaxNameBytes) is { } longName) yield return $"Task group name {longName}";
        if (group.Count < 0) yield return "Task group count can't be negative";
        if (group.Tasks.Count == 0) yield return "Missing tasks for task group";
        foreach (var complaint in OfConstraints(group.Constraints)) yield return complaint;
        foreach (var complaint in OfRestart(group.RestartPolicy)) yield return complaint;
        if (job.Type == JobType.System && group.ReschedulePolicy is not null) yield return "System jobs should not have a reschedule policy";
        else if (group.ReschedulePolicy is { } reschedule)
            foreach (var complaint in OfReschedule(reschedule)) yield return complaint;
        if (group.EphemeralDisk.SizeMB < 10) yield return $"minimum DiskMB value is 10; got {group.EphemeralDisk.SizeMB}";
        if (group.Update is { } update)
        {
            if (job.Type == JobType.Batch) yield return $"Job type \"{job.Type}\" does not allow update block";
            foreach (var complaint in OfUpdate(update)) yield return complaint;
        }

        if (group.Migrate is { } migrate)
        {
            if (job.Type != JobType.Service) yield return $"Job type \"{job.Type}\" does not allow migrate block";
            else foreach (var complaint in OfMigrate(migrate)) yield return complaint;
        }

        foreach (var complaint in Repeated(group.Tasks.Select(t => t.Name), "Task", "task")) yield return complaint;
        foreach (var complaint in OfNetworks(group)) yield return $"Task group network validation failed: {complaint}";
        foreach (var task in group.Tasks)
            foreach (var complaint in OfTask(task, group)) yield return $"Task {task.Name} validation failed: {complaint}";
    }

    private static IEnumerable<string> OfTask(JobTask task, TaskGroup group)
    {
        if (task.Name.Length == 0) yield return "Missing task name";
        // Its name becomes a folder.
        if (task.Name.IndexOfAny(['/', '\\']) >= 0 || task.Name is "." or "..") yield return "Task name cannot include slashes";
        else if (task.Name.Contains('\0')) yield return "Task name cannot include null characters";
        if (TooLong(task.Name, MaxNameBytes) is { } longName) yield return $"Task name {longName}";
        if (task.Driver.Length == 0) yield return "Missing task driver";
        if (task.KillSignal.Length > 0 && SignalNames.Number(task.KillSignal) is null) yield return $"kill_signal: \"{task.KillSignal}\" is not a signal";
        if (task.KillTimeout < TimeSpan.Zero) yield return "KillTimeout must be a positive value";
        if (task.Resources.CPU < 1) yield return $"minimum CPU value is 1; got {task.Resources.CPU}";
        if (task.Resources.MemoryMB < 10) yield return $"minimum MemoryMB value is 10; got {task.Resources.MemoryMB}";
        if (task.LogConfig.MaxFiles < 1) yield return $"minimum number of files is 1; got {task.LogConfig.MaxFiles}";
        if (task.LogConfig.MaxFileSizeMB < 1) yield return $"minimum file size is 1MB; got {task.LogConfig.MaxFileSizeMB}";
        var logs = (long)task.LogConfig.MaxFiles * task.LogConfig.MaxFileSizeMB;
        if (group.EphemeralDisk.SizeMB <= logs)
            yield return $"log storage ({logs} MB) must be less than requested disk capacity ({group.EphemeralDisk.SizeMB} MB)";
        foreach (var complaint in OfConstraints(task.Constraints)) yield return complaint;
        for (var i = 0; i < (task.Constraints?.Count ?? 0); i++)
            if (task.Constraints![i].Operand is Constraint.DistinctHosts or Constraint.DistinctProperty)
                yield return $"Constraint {i + 1} has disallowed Operand at task level: {task.Constraints[i].Operand}";
    }

    private static IEnumerable<string> OfConstraints(IReadOnlyList<Constraint>? constraints)
    {
        for (var i = 0; i < (constraints?.Count ?? 0); i++)
            foreach (var complaint in OfConstraint(constraints![i])) yield return $"Constraint {i + 1} validation failed: {complaint}";
    }

    private static IEnumerable<string> OfConstraint(Constraint constraint)
    {
        var right = constraint.RTarget;
        switch (constraint.Operand)
        {
            case "":
                yield return "Missing constraint operand";
                break;
            case Constraint.DistinctHosts:
                yield break;
            case Constraint.SetContains or Constraint.SetContainsAll or Constraint.SetContainsAny when right.Length == 0:
                yield return "Set contains constraint requires an RTarget";
                break;
            case Constraint.Regexp when !IsRegex(right):
                yield return $"Regular expression failed to compile: {right}";
                break;
            case Constraint.Version when VersionConstraint.TryParse(right, semver: false) is null:
                yield return $"Version constraint is invalid: Malformed constraint: {right}";
                break;
            case Constraint.Semver when VersionConstraint.TryParse(right, semver: true) is null:
                yield return $"Semver constraint is invalid: Malformed constraint: {right}";
                break;
            case Constraint.DistinctProperty when right.Length > 0 && !(ulong.TryParse(right, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0):
                yield return $"Distinct Property must have an allowed count of 1 or greater: {right}";
                break;
            case Constraint.IsSet or Constraint.IsNotSet when right.Length > 0:
                yield return $"Operator \"{constraint.Operand}\" does not support an RTarget";
                break;
            case "=" or "==" or "is" or "!=" or "not" or "<" or "<=" or ">" or ">=" when right.Length == 0:
                yield return $"Operator \"{constraint.Operand}\" requires an RTarget";
                break;
            case Constraint.SetContains or Constraint.SetContainsAll or Constraint.SetContainsAny or Constraint.Regexp or Constraint.Version or Constraint.Semver
                or Constraint.DistinctProperty or Constraint.IsSet or Constraint.IsNotSet or "=" or "==" or "is" or "!=" or "not" or "<" or "<=" or ">" or ">=":
                break;
            default:
                yield return $"Unknown constraint type \"{constraint.Operand}\"";
                break;
        }

        if (constraint.LTarget.Length == 0) yield return "No LTarget provided but is required by constraint";
    }

    private static string? TooLong(string text, int bytes) =>
        Encoding.UTF8.GetByteCount(text) is var has && has > bytes ? $"has {has} bytes; the embedded engine allows {bytes}" : null;

    private static bool IsRegex(string pattern)
    {
        try
        {
            _ = new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
            return true;
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return false;
        }
    }

    private static IEnumerable<string> Repeated(IEnumerable<string> names, string what, string other)
    {
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        var index = 0;
        foreach (var name in names)
        {
            index++;
            if (name.Length == 0) yield return $"{what} {index} missing name";
            else if (!seen.TryAdd(name, index)) yield return $"{what} {index} redefines '{name}' from {other} {seen[name]}";
        }
    }
}
