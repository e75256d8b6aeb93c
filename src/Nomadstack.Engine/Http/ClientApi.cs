// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>What a client says of its allocations and does to them when an operator asks.</summary>
internal static class ClientApi
{
    public static Task HostStatsAsync(ApiCall call) =>
        call.JsonAsync(call.Client.Host.Read(call.Client.Options.AllocDir, call.Client.Agent.Node.NodeResources.Cpu.CpuShares, call.Now));

    public static async Task StatsAsync(ApiCall call)
    {
        var (allocation, only) = (Allocation(call), call.Query("task") ?? "");
        if (only.Length > 0) Task(allocation, only);
        var cpu = call.Client.Agent.Node.NodeResources.Cpu;
        var megahertz = cpu.TotalCpuCores > 0 ? (double)cpu.CpuShares / cpu.TotalCpuCores : cpu.CpuShares;
        var now = UnixNanoseconds.Of(call.Now);
        var (tasks, percent, memory) = (new JsonObject(), 0d, 0L);
        foreach (var (name, task) in allocation.Tasks.Where(t => only.Length == 0 || t.Key == only))
        {
            if (await task.UsageAsync(call.Cancel) is not { } usage) continue;
            tasks[name] = new JsonObject { ["ResourceUsage"] = Usage(usage.Percent, usage.ResidentBytes, megahertz), ["Timestamp"] = UnixNanoseconds.Of(usage.At), ["Pids"] = null };
            (percent, memory) = (percent + usage.Percent, memory + usage.ResidentBytes);
        }

        await call.JsonAsync(new JsonObject { ["ResourceUsage"] = Usage(percent, memory, megahertz), ["Tasks"] = tasks, ["Timestamp"] = now });
    }

    public static async Task RestartAsync(ApiCall call)
    {
        var (allocation, body) = (Allocation(call), call.BodyIfAny());
        if ((bool)body["AllTasks"]! && (string)body["TaskName"]! is { Length: > 0 }) throw ServerException.Invalid("TaskName: goes not with AllTasks");
        if ((bool)body["AllTasks"]! && allocation.Tasks.Values.FirstOrDefault(t => t.Dead) is { } dead)
            throw ServerException.Invalid($"AllTasks: the embedded engine does not start a task again that has ended, as \"{dead.Name}\" has; HashiCorp's Nomad does. Without it the others are restarted.");
        var restarted = 0;
        foreach (var task in Chosen(allocation, (string)body["TaskName"]!))
            if (await Try(() => task.RestartAsync(call.Cancel))) restarted++;
        if (restarted == 0) throw ServerException.Failed("Task not running");
        await call.JsonAsync(new JsonObject { ["Index"] = 0 });
    }

    public static async Task SignalAsync(ApiCall call)
    {
        var (allocation, body) = (Allocation(call), call.Body());
        var signal = (string)body["Signal"]!;
        foreach (var task in Chosen(allocation, (string)body["Task"]!))
            if (!await Try(() => task.SignalAsync(signal, call.Cancel))) throw ServerException.Failed("Task not running");
        await call.JsonAsync(new JsonObject { ["Index"] = 0 });
    }

    public static Task CollectAsync(ApiCall call)
    {
        if (!call.Client.Agent.Collect(Allocation(call).Allocation.ID)) throw ServerException.Failed("Allocation has not finished and cannot be collected");
        return call.NothingAsync();
    }

    public static Task CollectAllAsync(ApiCall call)
    {
        foreach (var ended in call.Client.Agent.Allocations.Where(a => a.Terminal.IsCompleted).ToList()) call.Client.Agent.Collect(ended.Allocation.ID);
        return call.NothingAsync();
    }

    /// <exception cref="ServerException">This client has none such.</exception>
    public static AllocRunner Allocation(ApiCall call) =>
        call.Client.Agent.Find(call.Id) ?? throw ServerException.NotFound($"Unknown allocation \"{call.Id}\"");

    private static TaskRunner Task(AllocRunner allocation, string task) =>
        allocation.Tasks.GetValueOrDefault(task) ?? throw ServerException.Failed($"Could not find task: {task}");

    private static IEnumerable<TaskRunner> Chosen(AllocRunner allocation, string task) => task.Length > 0 ? [Task(allocation, task)] : allocation.Tasks.Values;

    private static async Task<bool> Try(Func<Task<bool>> act)
    {
        try
        {
            return await act();
        }
        catch (DriverException e)
        {
            throw ServerException.Failed(e.Message);
        }
    }

    private static JsonObject Usage(double percent, long memory, double megahertz) => new()
    {
        ["MemoryStats"] = new JsonObject { ["RSS"] = memory, ["Cache"] = 0, ["Swap"] = 0, ["Usage"] = 0, ["MaxUsage"] = 0, ["KernelUsage"] = 0, ["KernelMaxUsage"] = 0, ["Measured"] = new JsonArray("RSS") },
        ["CpuStats"] = new JsonObject { ["SystemMode"] = 0, ["UserMode"] = 0, ["TotalTicks"] = percent / 100 * megahertz, ["ThrottledPeriods"] = 0, ["ThrottledTime"] = 0, ["Percent"] = percent, ["Measured"] = new JsonArray("Total Ticks", "Percent") },
        ["DeviceStats"] = null,
    };
}
