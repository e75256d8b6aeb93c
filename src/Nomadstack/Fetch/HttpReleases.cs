// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;

namespace Nomadstack.Fetch;

/// <summary>A release server. It must answer within <see cref="s_answer"/>. An interrupted download continues where it stopped.</summary>
internal sealed class HttpReleases(Uri address, TimeProvider time) : ReleaseSource
{
    /// <summary>Time to the first byte of an answer, name lookup included. Short, so that a new user without a network does not wait.</summary>
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(5);

    /// <summary>Longest pause between two bytes of a body.</summary>
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(30);

    /// <summary>A list of sums has a few kilobytes, an index of all versions a few megabytes.</summary>
    private const int MostSmall = 64 << 20;

    /// <summary>How often an interrupted download is continued before the command fails.</summary>
    private const int MostAttempts = 5;

    private readonly Uri _base = new(address.AbsoluteUri.TrimEnd('/') + "/");
    private readonly HttpClient _http = new(new ResetConnections(new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.None })) { Timeout = Timeout.InfiniteTimeSpan };

    public override string Name => _base.AbsoluteUri.TrimEnd('/');

    public override void Dispose()
    {
        _http.Dispose();
        base.Dispose();
    }

    public override async Task<IReadOnlyList<SemVer>> VersionsAsync(string product, CancellationToken cancel)
    {
        if (await SmallAsync($"{product}/index.json", cancel) is not { } index) return [];
        try
        {
            using var document = JsonDocument.Parse(index);
            return [.. document.RootElement.GetProperty("versions").EnumerateObject().Select(v => SemVer.Parse(v.Name)).OfType<SemVer>()];
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new ProblemException(FetchProblems.NoIndex(Name, product, e.Message), e);
        }
    }

    public override Task<byte[]?> SmallAsync(string product, SemVer version, string file, CancellationToken cancel) => SmallAsync(Below(product, version, file), cancel);

    public override async Task<FileStream?> LargeAsync(string product, SemVer version, string file, string partial, Action<long, long?> progress, CancellationToken cancel)
    {
        var path = Below(product, version, file);
        // The same open file is summed and unpacked, so that nothing can change in between.
        var local = new FileStream(partial, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                using var answer = await AskAgainAsync(path, local.Length, MostAttempts - attempt, cancel);
                if (IsAbsent(answer)) return await GoneAsync(local, partial);
                // The local file is at least as long as the remote one: it is complete, or another file. The sum tells which.
                if (answer.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable) return local;
                Expect(answer, path);
                // A server that cannot continue sends the whole file again.
                if (answer.StatusCode != HttpStatusCode.PartialContent) local.SetLength(0);
                local.Position = local.Length;
                var total = answer.Content.Headers.ContentLength is { } rest ? local.Length + rest : (long?)null;
                if (await ReceiveAsync(answer, local, bytes => progress(bytes, total), cancel) is not { } broken) return local;
                if (attempt == MostAttempts)
                    throw new ProblemException(FetchProblems.Interrupted(file, Name, attempt, broken));
            }
        }
        catch
        {
            await local.DisposeAsync();
            throw;
        }
    }

    private static async Task<FileStream?> GoneAsync(FileStream local, string partial)
    {
        await local.DisposeAsync();
        File.Delete(partial);
        return null;
    }

    private static string Below(string product, SemVer version, string file) => $"{product}/{Uri.EscapeDataString(version.ToString())}/{Uri.EscapeDataString(file)}";

    private async Task<byte[]?> SmallAsync(string path, CancellationToken cancel)
    {
        using var answer = await AskAsync(path, 0, cancel);
        if (IsAbsent(answer)) return null;
        Expect(answer, path);
        using var all = new MemoryStream();
        if (await ReceiveAsync(answer, all, bytes => Limit(bytes, path), cancel) is { } broken) throw NoAnswer(path, broken);
        return all.ToArray();
    }

    /// <summary>Writes the body; returns what interrupted it, or null when it is complete.</summary>
    private async Task<string?> ReceiveAsync(HttpResponseMessage answer, Stream into, Action<long> progress, CancellationToken cancel)
    {
        var buffer = new byte[128 << 10];
        using var silence = new CancellationTokenSource(s_silence, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, silence.Token);
        Stream body;
        while (true)
        {
            int n;
            try
            {
                body = await answer.Content.ReadAsStreamAsync(either.Token);
                n = await body.ReadAsync(buffer, either.Token);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                return $"no data came for {s_silence.TotalSeconds:0} s";
            }
            catch (Exception e) when (e is IOException or HttpRequestException)
            {
                return e.Message.TrimEnd('.');
            }

            if (n == 0) return null;
            silence.CancelAfter(s_silence);
            await into.WriteAsync(buffer.AsMemory(0, n), cancel);
            progress(into.Position);
        }
    }

    /// <summary>A server that breaks a connection is up, so it is asked again. A silent server is not.</summary>
    private async Task<HttpResponseMessage> AskAgainAsync(string path, long from, int times, CancellationToken cancel)
    {
        for (; ; times--)
        {
            try
            {
                return await AskAsync(path, from, cancel);
            }
            catch (ProblemException e) when (times > 0 && e.InnerException is HttpRequestException)
            {
                // Ask once more. The last error is thrown.
            }
        }
    }

    private async Task<HttpResponseMessage> AskAsync(string path, long from, CancellationToken cancel)
    {
        using var limit = new CancellationTokenSource(s_answer, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_base, path));
        if (from > 0) request.Headers.Range = new(from, null);
        try
        {
            return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw NoAnswer(path, $"the server did not answer within {s_answer.TotalSeconds:0} s", e);
        }
        catch (HttpRequestException e)
        {
            throw NoAnswer(path, e.Message.TrimEnd('.'), e);
        }
    }

    /// <summary>A storage service behind such a server answers 403 for a file that it does not have.</summary>
    private static bool IsAbsent(HttpResponseMessage answer) => answer.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Forbidden or HttpStatusCode.Gone;

    private void Expect(HttpResponseMessage answer, string path)
    {
        if (!answer.IsSuccessStatusCode) throw NoAnswer(path, $"the server answered {(int)answer.StatusCode} {answer.ReasonPhrase}");
    }

    private void Limit(long bytes, string path)
    {
        if (bytes > MostSmall) throw NoAnswer(path, $"the server sent more than {MostSmall >> 20} MiB");
    }

    private ProblemException NoAnswer(string path, string why, Exception? inner = null) =>
        new(FetchProblems.NoNetwork($"{Name}/{path}", why), inner);
}
