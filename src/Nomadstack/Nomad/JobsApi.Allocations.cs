// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.WebSockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;

namespace Nomadstack.Nomad;

/// <summary>What the job commands ask of one allocation: what it is, the logs of its tasks, and a command in one of them.</summary>
internal sealed partial class JobsApi
{
    /// <summary>There is no such log, or not yet.</summary>
    public const string NoLogs = "job/no-logs";

    public Task<JsonElement> AllocationAsync(string id, CancellationToken cancel) => GetAsync($"allocation/{Uri.EscapeDataString(id)}", cancel);

    /// <summary>The allocations whose id begins with these characters; none where no id can.</summary>
    public async Task<IReadOnlyList<JsonElement>> AllocationsLikeAsync(string prefix, CancellationToken cancel)
    {
        var digits = prefix.Replace("-", "", StringComparison.Ordinal);
        if (digits.Length < 2 || !digits.All(char.IsAsciiHexDigitLower) || prefix.Length > Guid.Empty.ToString().Length) return [];
        // Nomad compares whole bytes and refuses half of one.
        var asked = digits.Length % 2 == 0 ? prefix : prefix.TrimEnd('-')[..^1];
        var found = await GetAsync($"allocations?prefix={asked}", cancel);
        return [.. found.EnumerateArray().Where(a => a.GetProperty("ID").GetString()!.StartsWith(prefix, StringComparison.Ordinal))];
    }

    public TaskLog Log(string allocation, string task, string type) => new(this, allocation, task, type, time);

    /// <summary>What a task wrote, piece by piece. An empty piece is a sign of life, which Nomad sends each second while it follows a log.</summary>
    /// <param name="fromEnd">Begin this many bytes before the end; null for the beginning. More than there is means the beginning too.</param>
    /// <param name="follow">Goes on until it is cancelled, also when the task has ended.</param>
    /// <exception cref="ProblemException"><see cref="NoLogs"/> or <see cref="Away"/>, also in the middle.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> LogsAsync(
        string allocation, string task, string type, long? fromEnd, bool follow, [EnumeratorCancellation] CancellationToken cancel)
    {
        var from = fromEnd is { } bytes ? $"origin=end&offset={bytes}" : "origin=start&offset=0";
        var path = $"client/fs/logs/{Uri.EscapeDataString(allocation)}?task={Uri.EscapeDataString(task)}&type={type}&{from}&follow={(follow ? "true" : "false")}&plain=false";
        // Started anew with each piece: a connection that says nothing for so long is dead.
        using var limit = new CancellationTokenSource(s_deadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        using var request = new HttpRequestMessage(HttpMethod.Get, Address(path));
        using var response = await AnswerAsync(() => endpoint.SendAsync(request, both.Token), cancel);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            var said = await AnswerAsync(() => response.Content.ReadAsStringAsync(both.Token), cancel);
            throw new ProblemException(response.StatusCode is HttpStatusCode.NotFound
                ? new(
                    NoLogs,
                    $"There is no {type} of task {task} in allocation {allocation}.",
                    said,
                    "The task has not started yet, or its node is away or has removed the files. See `nomadstack job status`.")
                : Refused("nomad/refused", response.StatusCode, said, path));
        }

        var body = await response.Content.ReadAsStreamAsync(both.Token);
        await using var frames = JsonSerializer.DeserializeAsyncEnumerable(body, NomadJson.Default.LogFrame, topLevelValues: true, both.Token).GetAsyncEnumerator(both.Token);
        while (await AnswerAsync(async () => await frames.MoveNextAsync(), cancel))
        {
            limit.CancelAfter(s_deadline);
            yield return frames.Current?.Data ?? [];
        }
    }

    /// <summary>Starts a command in a running task.</summary>
    /// <exception cref="ProblemException">Nomad refuses it; an embedded engine does not have it and says so.</exception>
    public async Task<ExecSession> ExecAsync(string allocation, string task, IReadOnlyList<string> command, bool tty, CancellationToken cancel)
    {
        var words = JsonSerializer.Serialize([.. command], ExecJson.Default.StringArray);
        var query = $"task={Uri.EscapeDataString(task)}&tty={(tty ? "true" : "false")}&command={Uri.EscapeDataString(words)}";
        var path = $"client/allocation/{Uri.EscapeDataString(allocation)}/exec?{query}";
        using var limit = new CancellationTokenSource(s_deadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        var (socket, refusal) = await AnswerAsync(() => endpoint.ConnectAsync(Address(path).PathAndQuery, both.Token), cancel);
        if (socket is not null) return new ExecSession(socket, allocation, NoAnswer);
        var (status, text) = refusal!.Value;
        throw new ProblemException(status == HttpStatusCode.NotImplemented
            ? ExecSession.NotRun(allocation, text, "Only HashiCorp's Nomad runs commands in tasks. On the task's own node, `nsenter` or a shell can look at it.")
            : Refused("job/not-run", status, text, path));
    }

    /// <summary>An outcome of the network as the problem that it is.</summary>
    private async Task<T> AnswerAsync<T>(Func<Task<T>> ask, CancellationToken cancel)
    {
        try
        {
            return await ask();
        }
        catch (Exception e) when (e is HttpRequestException or IOException or WebSocketException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            throw new ProblemException(NoAnswer(), e);
        }
        catch (JsonException e)
        {
            throw new ProblemException(Foreign(), e);
        }
    }
}
