// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.RegularExpressions;

namespace Nomadstack.Engine.Jobs;

/// <summary>What makes a complete job unreasonable. Says it in Nomad's words, since people search for them.</summary>
internal static partial class JobValidation
{
    private const int MinPriority = 1;
    private const int MaxPriority = 100;

    /// <summary>All of them at once; empty when the job may be registered.</summary>
    public static IReadOnlyList<JobComplaint> Complaints(Job job) => [.. OfJob(job).Select(what => new JobComplaint("", what))];

    /// <summary>What is kept in the job but not done.</summary>
    public static IReadOnlyList<string> Warnings(Job job)
    {
        var warnings = new List<string>();
        foreach (var group in job.TaskGroups)
        {
            var services = (group.Services?.Count ?? 0) + group.Tasks.Sum(t => t.Services?.Count ?? 0);
            if (services > 0)
                warnings.Add($"Group \"{group.Name}\" has warnings: {services} service(s) are kept in the job, but the embedded engine registers no services and runs no checks");
            if (services > 0 && group.Update is { HealthCheck: HealthChecks.Checks })
                warnings.Add($"Group \"{group.Name}\" has warnings: health_check \"checks\" goes by task states alone in the embedded engine");
        }

        return warnings;
    }

    private static IEnumerable<string> OfJob(Job job)
    {
        if (job.Region.Length == 0) yield return "Missing job region";
        if (job.ID.Length == 0) yield return "Missing job ID";
        else if (job.ID.Contains(' ')) yield return "Job ID contains a space";
        else if (job.ID.Contains('\0')) yield return "Job ID contains a null character";
        if (job.Name.Length == 0) yield return "Missing job name";
        else if (job.Name.Contains('\0')) yield return "Job Name contains a null character";
        if (job.Namespace != "default") yield return $"job \"{job.ID}\" is in nonexistent namespace \"{job.Namespace}\"";
        if (job.Type.Length == 0) yield return "Missing job type";
        else if (!JobType.All.Contains(job.Type)) yield return $"Invalid job type: \"{job.Type}\"";
        if (job.Priority is < MinPriority or > MaxPriority) yield return $"Job priority must be between [{MinPriority}, {MaxPriority}]";
        if (job.Datacenters.Count == 0) yield return "Missing job datacenters";
        if (job.Datacenters.Any(d => d.Length == 0)) yield return "Job datacenter must be non-empty string";
        if (job.TaskGroups.Count == 0) yield return "Missing job task groups";
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
        if (task.Driver.Length == 0) yield return "Missing task driver";
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
