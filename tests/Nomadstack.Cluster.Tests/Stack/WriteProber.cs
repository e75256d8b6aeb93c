// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Nomadstack.Cluster.Tests.Machines;

namespace Nomadstack.Cluster.Tests.Stack;

/// <summary>
/// A user who writes every 100 ms, to whichever agent answers: each write is a number in the meta of a job that never runs.
/// Writes are conditional on the index of the last one. HashiCorp's Nomad checks that before raft, not in it (nomad/job_endpoint.go, Job.Register), so a
/// write that was given up in an election can still land behind the acknowledged one that followed it: the later index and the job's versions prove that nothing was lost.
/// </summary>
internal sealed class WriteProber : IAsyncDisposable
{
    private const string JobId = "write-prober";
    private static readonly TimeSpan s_every = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(800);

    private readonly IReadOnlyList<NomadApi> _apis;
    private readonly CancellationTokenSource _stop = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Task _work;
    private readonly List<string> _trouble = [];
    private long _attempted, _acknowledged, _index;
    private TimeSpan _last = TimeSpan.Zero;

    public WriteProber(params IReadOnlyList<NomadApi> apis)
    {
        _apis = apis;
        _work = Task.Run(WriteAsync);
    }

    /// <summary>Acknowledged writes so far.</summary>
    public int Acknowledged { get; private set; }

    /// <summary>Ends the writing; says what a user would have seen, and whether the last acknowledged number can be read.</summary>
    public async Task<Writes> StopAsync()
    {
        await _stop.CancelAsync();
        await _work;
        Gap(_clock.Elapsed);
        (long Value, long Index)? read = null;
        await Eventually.TrueAsync("the last write can be read", TimeSpan.FromSeconds(30), async () => (read = await ReadAsync()) is not null, () => string.Join('\n', _trouble.TakeLast(10)));
        var (value, index) = read!.Value;
        if (value < _acknowledged) await AccountForAsync(value, index);
        return new(Acknowledged, LongestGap, _acknowledged, value, index >= _index && !IndexWentBack, _trouble);
    }

    public TimeSpan LongestGap { get; private set; }

    public bool IndexWentBack { get; private set; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _work;
        _stop.Dispose();
    }

    private async Task WriteAsync()
    {
        // The first write needs no earlier index; a probe that finds an older run's job goes on from it.
        for (var turn = 0; !_stop.IsCancellationRequested; turn++)
        {
            var started = _clock.Elapsed;
            var api = _apis[turn % _apis.Count];
            try
            {
                // Stay with the agent that answers, as a user with a working address does.
                while (!_stop.IsCancellationRequested)
                {
                    started = _clock.Elapsed;
                    await WriteOnceAsync(api);
                    var rest = s_every - (_clock.Elapsed - started);
                    if (rest > TimeSpan.Zero) await Task.Delay(rest);
                }
            }
            catch (HttpRequestException refused) when (refused.StatusCode == HttpStatusCode.InternalServerError && refused.Message.Contains("Enforcing job modify index", StringComparison.Ordinal))
            {
                await CatchUpAsync();
            }
            catch (Exception refused) when (refused is HttpRequestException or OperationCanceledException or JsonException)
            {
                _trouble.Add(string.Create(CultureInfo.InvariantCulture, $"{_clock.Elapsed.TotalSeconds:0.00} {api.Url}: {refused.Message}"));
                await Task.Delay(20);
            }
        }
    }

    private async Task WriteOnceAsync(NomadApi api)
    {
        var number = ++_attempted;
        var answer = await api.PutAsync("/v1/jobs", new { Job = JobOf(number), EnforceIndex = true, JobModifyIndex = _index }, s_patience);
        var index = answer.GetProperty("JobModifyIndex").GetInt64();
        if (index <= _index) IndexWentBack = true;
        (_index, _acknowledged) = (index, number);
        Acknowledged++;
        Gap(_clock.Elapsed);
    }

    /// <summary>A write that was given up took effect after all: allowed, as long as nothing acknowledged is lost by it.</summary>
    private async Task CatchUpAsync()
    {
        if (await ReadAsync() is not { } read) return;
        if (read.Index < _index) IndexWentBack = true;
        if (read.Value < _acknowledged) await AccountForAsync(read.Value, read.Index);
        _index = Math.Max(_index, read.Index);
        _attempted = Math.Max(_attempted, read.Value);
    }

    /// <summary>A lower number than the acknowledged one is there: lost, unless Nomad kept the acknowledged version and wrote a given-up one behind it.</summary>
    private async Task AccountForAsync(long value, long index)
    {
        var kept = index > _index && await VersionsAsync() is { } versions && versions.Contains((_acknowledged, _index));
        _trouble.Add(kept ? $"late: {value}, given up before, landed at index {index} behind {_acknowledged} at {_index}" : $"LOST: {_acknowledged} was acknowledged, {value} is there");
    }

    private async Task<IReadOnlyList<(long Value, long Index)>?> VersionsAsync() => await FirstAnswerAsync($"/v1/job/{JobId}/versions", answer =>
        (IReadOnlyList<(long, long)>)[.. answer.GetProperty("Versions").EnumerateArray().Select(Numbered)]);

    private async Task<(long Value, long Index)?> ReadAsync() => await FirstAnswerAsync<(long, long)?>($"/v1/job/{JobId}", job => Numbered(job));

    private static (long Value, long Index) Numbered(JsonElement job) =>
        (long.Parse(job.GetProperty("Meta").GetProperty("n").GetString()!, CultureInfo.InvariantCulture), job.GetProperty("JobModifyIndex").GetInt64());

    private async Task<T?> FirstAnswerAsync<T>(string path, Func<JsonElement, T> read)
    {
        foreach (var api in _apis)
        {
            try
            {
                return read(await api.GetAsync(path));
            }
            catch (Exception refused) when (refused is HttpRequestException or OperationCanceledException)
            {
                _trouble.Add($"read from {api.Url}: {refused.Message}");
            }
        }

        return default;
    }

    private void Gap(TimeSpan now)
    {
        if (now - _last > LongestGap) LongestGap = now - _last;
        _last = now;
    }

    private static object JobOf(long number) => new
    {
        ID = JobId,
        Name = JobId,
        Type = "batch",
        Datacenters = new[] { "dc1" },
        ParameterizedJob = new { Payload = "optional" },
        Meta = new Dictionary<string, string> { ["n"] = number.ToString(CultureInfo.InvariantCulture) },
        TaskGroups = new[] { new { Name = "none", Count = 1, Tasks = new[] { new { Name = "none", Driver = "raw_exec", Config = new { command = "/bin/true" } } } } },
    };
}

/// <summary>What the prober's user saw.</summary>
/// <param name="LastAcknowledged">The last number whose write was acknowledged.</param>
/// <param name="LastReadable">The number that is there now.</param>
internal sealed record Writes(int Acknowledged, TimeSpan LongestGap, long LastAcknowledged, long LastReadable, bool IndexOnlyRose, IReadOnlyList<string> Trouble)
{
    public bool NothingLost => !Trouble.Any(line => line.StartsWith("LOST", StringComparison.Ordinal));

    public override string ToString() => $"{Acknowledged} writes, longest gap {LongestGap.TotalSeconds:0.00} s, last {LastAcknowledged}, there is {LastReadable}\n{string.Join('\n', Trouble.TakeLast(20))}";
}
