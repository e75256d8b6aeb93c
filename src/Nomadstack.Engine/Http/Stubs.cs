// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>Rows as lists and single reads show them.</summary>
internal static class Stubs
{
    /// <param name="meta">Whether its metadata is wanted too.</param>
    public static JsonObject Job(Job job, StateSnapshot state, bool meta)
    {
        var stub = Job(job, state);
        if (meta) stub["Meta"] = job.Meta is { } all ? new JsonObject(all.Select(m => KeyValuePair.Create(m.Key, (JsonNode?)m.Value))) : null;
        return stub;
    }

    private static JsonObject Job(Job job, StateSnapshot state) => new()
    {
        ["ID"] = job.ID,
        ["ParentID"] = job.ParentID,
        ["Name"] = job.Name,
        ["Namespace"] = job.Namespace,
        ["Datacenters"] = new JsonArray([.. job.Datacenters.Select(d => (JsonNode)JsonValue.Create(d))]),
        ["Type"] = job.Type,
        ["Priority"] = job.Priority,
        ["Periodic"] = false,
        ["ParameterizedJob"] = job.IsParameterized,
        ["Stop"] = job.Stop,
        ["Status"] = job.Status,
        ["StatusDescription"] = job.StatusDescription,
        ["JobSummary"] = Summary(job.Key, state) is { } summary ? Of(summary, StateJson.Default.JobSummary) : null,
        ["CreateIndex"] = job.CreateIndex,
        ["ModifyIndex"] = job.ModifyIndex,
        ["JobModifyIndex"] = job.JobModifyIndex,
        ["SubmitTime"] = job.SubmitTime,
    };

    /// <summary>With the jobs that were dispatched from a template, counted by their status.</summary>
    public static JobSummary? Summary(JobKey key, StateSnapshot state)
    {
        if (state.SummaryOf(key) is not { } summary || state.Job(key) is not { IsParameterized: true }) return state.SummaryOf(key);
        var children = state.Jobs.All.Where(j => j.Namespace == key.Namespace && j.ParentID == key.ID).CountBy(j => j.Status).ToDictionary();
        return summary with { Children = new(children.GetValueOrDefault(JobStatus.Pending), children.GetValueOrDefault(JobStatus.Running), children.GetValueOrDefault(JobStatus.Dead)) };
    }

    /// <param name="resources">Whether what it has is wanted too.</param>
    /// <param name="system">Whether the name of its operating system is.</param>
    public static JsonObject Node(Node node, bool resources, bool system)
    {
        var stub = Of(node, StateJson.Default.Node);
        if (!resources) foreach (var detail in new[] { "NodeResources", "ReservedResources" }) stub.Remove(detail);
        foreach (var detail in new[] { "SecretID", "Attributes", "Links", "Meta", "DrainStrategy", "Events", "HTTPAddr", "TLSEnabled", "StatusUpdatedAt" }) stub.Remove(detail);
        stub["Address"] = node.HTTPAddr.Length > 0 && node.HTTPAddr.Contains(':') ? HostPort.Split(node.HTTPAddr).Host : node.HTTPAddr;
        stub["Version"] = node.Attributes.GetValueOrDefault("nomad.version", "");
        stub["Drain"] = node.DrainStrategy is not null;
        if (system) stub["Attributes"] = new JsonObject { ["os.name"] = node.Attributes.GetValueOrDefault("os.name", "") };
        return stub;
    }

    public static JsonObject WholeNode(Node node)
    {
        var whole = Of(node.WithoutSecret(), StateJson.Default.Node);
        whole["Drain"] = node.DrainStrategy is not null;
        var (has, reserved) = (node.NodeResources, node.ReservedResources);
        whole["Resources"] = Old(has.Cpu.CpuShares, has.Memory.MemoryMB, has.Disk.DiskMB, whole["NodeResources"]?["Networks"]);
        whole["Reserved"] = Old(reserved.Cpu.CpuShares, reserved.Memory.MemoryMB, reserved.Disk.DiskMB, null);
        return whole;
    }

    /// <summary>With what it was allocated also as Nomad before 0.9 had it: HashiCorp's command line reads that and nothing else.</summary>
    public static JsonObject WholeAllocation(Allocation allocation)
    {
        var whole = Of(allocation, StateJson.Default.Allocation);
        var tasks = allocation.AllocatedResources.Tasks;
        var old = new JsonObject();
        foreach (var (name, task) in tasks) old[name] = Old(task.Cpu.CpuShares, task.Memory.MemoryMB, 0, whole["AllocatedResources"]?["Tasks"]?[name]?["Networks"]);
        whole["TaskResources"] = old;
        whole["Resources"] = Old(tasks.Values.Sum(t => t.Cpu.CpuShares), tasks.Values.Sum(t => t.Memory.MemoryMB), allocation.AllocatedResources.Shared.DiskMB, whole["AllocatedResources"]?["Shared"]?["Networks"]);
        return whole;
    }

    private static JsonObject Old(long cpu, long memory, long disk, JsonNode? networks) =>
        new() { ["CPU"] = cpu, ["Cores"] = 0, ["MemoryMB"] = memory, ["MemoryMaxMB"] = 0, ["DiskMB"] = disk, ["IOPS"] = 0, ["Networks"] = networks?.DeepClone(), ["Devices"] = null };

    /// <param name="resources">Whether what it was allocated is wanted too.</param>
    /// <param name="tasks">Whether the states of its tasks are.</param>
    public static JsonObject Allocation(Allocation allocation, bool resources, bool tasks = true)
    {
        var stub = Of(allocation with { Job = null! }, StateJson.Default.Allocation);
        foreach (var detail in new[] { "Metrics", "PreviousAllocation", "NextAllocation", "DeploymentID", "AllocModifyIndex" }) stub.Remove(detail);
        if (!resources) stub.Remove("AllocatedResources");
        if (!tasks) stub.Remove("TaskStates");
        stub["DeploymentID"] = allocation.DeploymentID;
        stub["JobType"] = allocation.Job.Type;
        stub["JobVersion"] = allocation.Job.Version;
        return stub;
    }

    public static JsonObject Of<T>(T value, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) => (JsonObject)JsonSerializer.SerializeToNode(value, type)!;
}
