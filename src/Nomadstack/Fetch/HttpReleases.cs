// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;

namespace Nomadstack.Fetch;

/// <summary>A release server. Whether there is one is decided within <see cref="s_answer"/>; a download that breaks off is continued where it stopped.</summary>
internal sealed class HttpReleases(Uri address, TimeProvider time) : ReleaseSource
{
    /// <summary>To the first byte of an answer, name lookup included. A newcomer without a network is not kept waiting.</summary>
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(5);

    /// <summary>Without a single byte, in the midst of a body.</summary>
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(30);

    /// <summary>A list of sums has some kilobytes, an index of all versions a few megabytes.</summary>
    private const int MostSmall = 64 << 20;

    /// <summary>Times a download that breaks off is taken up again before a person is asked.</summary>
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
            throw new ProblemException(new("fetch/no-index", $"{Name} does not tell its versions of {product}.", $"Its index.json is none ({e.Message.TrimEnd('.')}).", $"Name the version: {product}@VERSION."), e);
        }
    }

    public override Task<byte[]?> SmallAsync(string product, SemVer version, string file, CancellationToken cancel) => SmallAsync(Below(product, version, file), cancel);

    public override async Task<FileStream?> LargeAsync(string product, SemVer version, string file, string partial, Action<long, long?> progress, CancellationToken cancel)
    {
        var path = Below(product, version, file);
        // Read back by whoever verifies it, so that what is summed is what is unpacked.
        var local = new FileStream(partial, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                using var answer = await AskAgainAsync(path, local.Length, MostAttempts - attempt, cancel);
                if (IsAbsent(answer)) return await GoneAsync(local, partial);
                // More was asked for than there is: all of it is here, or it is another file. The sum will tell.
                if (answer.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable) return local;
                Expect(answer, path);
                // A server that does not continue sends all of it again.
                if (answer.StatusCode != HttpStatusCode.PartialContent) local.SetLength(0);
                local.Position = local.Length;
                var total = answer.Content.Headers.ContentLength is { } rest ? local.Length + rest : (long?)null;
                if (await ReceiveAsync(answer, local, bytes => progress(bytes, total), cancel) is not { } broken) return local;
                if (attempt == MostAttempts)
                    throw new ProblemException(new("fetch/interrupted", $"The download of {file} broke off.", $"{Name}, {attempt} times: {broken}.", "Run the same command again: it continues where it stopped."));
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

    /// <summary>Writes the body; returns what broke it off, or null when it is whole.</summary>
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
                return $"nothing came for {s_silence.TotalSeconds:0} s";
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

    /// <summary>A server that has just given the sums and now breaks a connection off is there; it is asked again. One that is silent is not.</summary>
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
                // The same question once more; the last refusal is thrown.
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
            throw NoAnswer(path, $"it did not answer within {s_answer.TotalSeconds:0} s", e);
        }
        catch (HttpRequestException e)
        {
            throw NoAnswer(path, e.Message.TrimEnd('.'), e);
        }
    }

    /// <summary>A store behind such a server says 403 of what it does not have.</summary>
    private static bool IsAbsent(HttpResponseMessage answer) => answer.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Forbidden or HttpStatusCode.Gone;

    private void Expect(HttpResponseMessage answer, string path)
    {
        if (!answer.IsSuccessStatusCode) throw NoAnswer(path, $"it answered {(int)answer.StatusCode} {answer.ReasonPhrase}");
    }

    private void Limit(long bytes, string path)
    {
        if (bytes > MostSmall) throw NoAnswer(path, $"it sent more than {MostSmall >> 20} MiB");
    }

    private ProblemException NoAnswer(string path, string why, Exception? inner = null) =>
        new(new("fetch/no-network", $"{Name}/{path} cannot be read.", char.ToUpperInvariant(why[0]) + why[1..] + ".", "Check the network and its proxy (HTTPS_PROXY), name a mirror with --from URL, or carry the files here and name their folder with --from DIR."), inner);
}
