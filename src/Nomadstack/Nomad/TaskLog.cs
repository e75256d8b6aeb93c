// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster;

namespace Nomadstack.Nomad;

/// <summary>One stream of one task, <c>stdout</c> or <c>stderr</c>: all of it or its last lines, and then what comes, until the task has ended.</summary>
internal sealed class TaskLog(JobsApi jobs, string allocation, string task, string type, TimeProvider time)
{
    /// <summary>How much is asked for at first, for each line that is wanted; more is asked for where lines are longer.</summary>
    private const int BytesPerLine = 128;

    /// <summary>No more than this is read for the last lines: by default Nomad keeps files of 10 MiB (<c>logs.max_file_size</c>).</summary>
    private const long MostForTail = 10 << 20;

    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(2), s_retry = TimeSpan.FromMilliseconds(500);

    /// <param name="lines">How many of the last lines; null for all.</param>
    /// <param name="write">Returns false when nobody reads any more.</param>
    /// <exception cref="ProblemException">There is no such log, or Nomad does not answer.</exception>
    public async Task CopyAsync(int? lines, bool follow, Func<ReadOnlyMemory<byte>, bool> write, CancellationToken cancel)
    {
        var ended = follow && await StartedAsync(cancel) == TaskLife.Ended;
        long? fromEnd = null;
        if (lines is { } count)
        {
            var last = await MeasureAsync(count, bytes => fromEnd = bytes, cancel);
            if (!follow)
            {
                write(last.Take());
                return;
            }
        }

        await FollowAsync(fromEnd, lines is { } held ? new LastLines(held) : null, follow, ended, write, cancel);
    }

    /// <summary>The last lines, and how far before the end one must begin to have them all.</summary>
    private async Task<LastLines> MeasureAsync(int lines, Action<long> from, CancellationToken cancel)
    {
        for (var bytes = Math.Min(MostForTail, (long)BytesPerLine * lines); ; bytes = Math.Min(MostForTail, bytes * 4))
        {
            var last = new LastLines(lines);
            await foreach (var piece in jobs.LogsAsync(allocation, task, type, bytes, follow: false, cancel)) last.Add(piece.Span);
            from(bytes);
            if (last.Full || last.Seen < bytes || bytes == MostForTail) return last;
        }
    }

    private async Task FollowAsync(long? fromEnd, LastLines? held, bool follow, bool ended, Func<ReadOnlyMemory<byte>, bool> write, CancellationToken cancel)
    {
        var looked = time.GetTimestamp();
        await foreach (var piece in jobs.LogsAsync(allocation, task, type, fromEnd, follow, cancel))
        {
            held?.Add(piece.Span);
            // A sign of life comes after what there was; so does whatever is more than was asked for.
            if (held is not null && (piece.IsEmpty || held.Seen >= fromEnd))
            {
                if (!write(held.Take())) return;
                held = null;
            }
            else if (held is null && !write(piece))
            {
                return;
            }

            // Once more after the end was seen: what the task said last may have come in between.
            if (!piece.IsEmpty) continue;
            if (ended) return;
            if (time.GetElapsedTime(looked) < s_look) continue;
            (ended, looked) = (await StateAsync(cancel) == TaskLife.Ended, time.GetTimestamp());
        }

        if (held is not null) write(held.Take());
    }

    private async Task<TaskLife> StartedAsync(CancellationToken cancel)
    {
        while (true)
        {
            if (await StateAsync(cancel) is not TaskLife.Waits and var life) return life;
            await Task.Delay(s_retry, time, cancel);
        }
    }

    private enum TaskLife
    {
        Waits,
        Runs,
        Ended,
    }

    private async Task<TaskLife> StateAsync(CancellationToken cancel)
    {
        var reply = await jobs.AllocationAsync(allocation, cancel);
        if (reply.GetProperty("ClientStatus").GetString() is "complete" or "failed" or "lost") return TaskLife.Ended;
        if (!reply.TryGetProperty("TaskStates", out var states) || states.ValueKind != JsonValueKind.Object || !states.TryGetProperty(task, out var state)) return TaskLife.Waits;
        if (state.GetProperty("State").GetString() == "dead") return TaskLife.Ended;
        // A task that is started again waits too, but has a log.
        var started = state.TryGetProperty("StartedAt", out var at) && at.ValueKind == JsonValueKind.String && !at.GetString()!.StartsWith("0001-", StringComparison.Ordinal);
        return started ? TaskLife.Runs : TaskLife.Waits;
    }
}
