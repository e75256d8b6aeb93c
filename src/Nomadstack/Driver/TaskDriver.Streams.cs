// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Nomadstack.Ground.Protocol;

namespace Nomadstack.Driver;

// What the driver reports by itself: its health, the resources of servers, their events. Each stream stays open as long as Nomad listens.
internal sealed partial class TaskDriver
{
    private static readonly TimeSpan s_statsDefault = TimeSpan.FromSeconds(1), s_statsLeast = TimeSpan.FromMilliseconds(100);

    public override async Task Fingerprint(FingerprintRequest request, IServerStreamWriter<FingerprintResponse> responseStream, ServerCallContext context)
    {
        while (true)
        {
            var now = health.Now;
            var response = new FingerprintResponse
            {
                Health = now.Healthy ? FingerprintResponse.Types.HealthState.Healthy : FingerprintResponse.Types.HealthState.Unhealthy,
                HealthDescription = now.Description,
            };
            foreach (var (name, value) in now.Attributes) response.Attributes.Add(name, new Ground.Protocol.Attribute { StringVal = value });
            await responseStream.WriteAsync(response);
            await now.Replaced.WaitAsync(context.CancellationToken);
        }
    }

    public override async Task TaskStats(TaskStatsRequest request, IServerStreamWriter<TaskStatsResponse> responseStream, ServerCallContext context)
    {
        var held = Find(request.TaskId);
        var interval = request.CollectionInterval?.ToTimeSpan() ?? s_statsDefault;
        if (interval <= TimeSpan.Zero) interval = s_statsDefault;
        else if (interval < s_statsLeast) interval = s_statsLeast;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, held.Token);
        using var timer = new PeriodicTimer(interval, time);
        ProcessUsage? before = null;
        var beforeAt = 0L;
        try
        {
            await context.WriteResponseHeadersAsync([]);
            do
            {
                var now = host.Pid(held.Claim.Role) is { } pid ? ProcessUsage.Read(pid) : null;
                var nowAt = time.GetTimestamp();
                // Between a server's crash and its restart there is nothing to report.
                if (now is { } usage) await responseStream.WriteAsync(Stats(request.TaskId, before, usage, time.GetElapsedTime(beforeAt, nowAt)));
                (before, beforeAt) = (now, nowAt);
            }
            while (await timer.WaitForNextTickAsync(end.Token));
        }
        catch (OperationCanceledException) when (held.Token.IsCancellationRequested && !context.CancellationToken.IsCancellationRequested)
        {
            // The claim ended, and the stream with it.
        }
    }

    private TaskStatsResponse Stats(string taskId, ProcessUsage? before, ProcessUsage now, TimeSpan elapsed)
    {
        var usage = new TaskResourceUsage
        {
            Cpu = new(),
            Memory = new() { Rss = now.RssBytes, MeasuredFields = { MemoryUsage.Types.Fields.Rss } },
        };
        // A share of CPU time needs two readings of one process.
        if (before is { } then && then.Pid == now.Pid && then.StartTicks == now.StartTicks && elapsed > TimeSpan.Zero)
        {
            double Percent(long ticks) => ticks / ProcessUsage.TicksPerSecond / elapsed.TotalSeconds * 100;
            var cpu = usage.Cpu;
            cpu.UserMode = Percent(now.UserTicks - then.UserTicks);
            cpu.SystemMode = Percent(now.SystemTicks - then.SystemTicks);
            cpu.Percent = cpu.UserMode + cpu.SystemMode;
            cpu.TotalTicks = cpu.Percent / 100 * ProcessUsage.Megahertz;
            cpu.MeasuredFields.Add([CPUUsage.Types.Fields.SystemMode, CPUUsage.Types.Fields.UserMode, CPUUsage.Types.Fields.TotalTicks, CPUUsage.Types.Fields.Percent]);
        }

        return new()
        {
            Stats = new()
            {
                Id = taskId,
                Timestamp = time.GetUtcNow().ToTimestamp(),
                AggResourceUsage = usage,
                ResourceUsageByPid = { [now.Pid.ToString(CultureInfo.InvariantCulture)] = usage },
            },
        };
    }

    public override async Task TaskEvents(TaskEventsRequest request, IServerStreamWriter<DriverTaskEvent> responseStream, ServerCallContext context)
    {
        await context.WriteResponseHeadersAsync([]);
        await foreach (var e in host.EventsAsync(context.CancellationToken))
        {
            await responseStream.WriteAsync(new DriverTaskEvent
            {
                TaskId = e.Claim.TaskId,
                AllocId = e.Claim.AllocId,
                TaskName = e.Claim.TaskName,
                Timestamp = e.At.ToTimestamp(),
                Message = e.Message,
            });
        }
    }
}
