// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Nomadstack.Tests.Fetch;

/// <summary>A release server on this machine, laid out as HashiCorp's is, and as badly behaved as a test wants.</summary>
internal sealed class ReleaseServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ReleaseServer(WebApplication app) => _app = app;

    public ConcurrentDictionary<string, byte[]> Files { get; } = [];

    /// <summary>Where each request for a zip began to read.</summary>
    public ConcurrentQueue<long> ZipsFrom { get; } = [];

    /// <summary>Cuts the connection of a zip after this many bytes, this many times.</summary>
    public (int Bytes, int Times) Breaks { get; set; } = (0, 0);

    /// <summary>Resets the connection of a zip before it answers, this many times.</summary>
    public int Resets { get; set; }

    /// <summary>Sends this much of a zip and then nothing more; null to send all.</summary>
    public int? StallsAfter { get; set; }

    /// <summary>Set when it stalls.</summary>
    public TaskCompletionSource Stalled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IgnoresRange { get; init; }

    /// <summary>Takes the request and never answers.</summary>
    public bool IsSilent { get; set; }

    public string Address => _app.Urls.First();

    public static async Task<ReleaseServer> StartAsync(bool ignoresRange = false)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var server = new ReleaseServer(app) { IgnoresRange = ignoresRange };
        app.Run(server.AnswerAsync);
        await app.StartAsync();
        return server;
    }

    /// <summary>Publishes a version; each part may be spoiled afterwards through <see cref="Files"/>.</summary>
    public void Publish(string product, string version, byte[] zip, Signer signer, string suffix = ".sig")
    {
        var sums = Encoding.UTF8.GetBytes(string.Concat(new[] { "amd64", "arm64" }.Select(a => $"{Convert.ToHexStringLower(SHA256.HashData(zip))}  {product}_{version}_linux_{a}.zip\n")));
        var below = $"/{product}/{version}/{product}_{version}";
        foreach (var architecture in new[] { "amd64", "arm64" }) Files[$"{below}_linux_{architecture}.zip"] = zip;
        Files[$"{below}_SHA256SUMS"] = sums;
        Files[$"{below}_SHA256SUMS{suffix}"] = signer.Sign(sums);
    }

    /// <summary>Entries by name; a name may be followed by <c>?TYPE</c>, the file's type in octal.</summary>
    public static byte[] Zip(params (string Name, byte[] Content)[] entries)
    {
        using var bytes = new MemoryStream();
        using (var archive = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, content) in entries)
            {
                var parts = name.Split('?');
                var entry = archive.CreateEntry(parts[0], CompressionLevel.NoCompression);
                entry.ExternalAttributes = parts.Length > 1 ? Convert.ToInt32(parts[1], 8) << 16 : 0;
                using var stream = entry.Open();
                stream.Write(content);
            }
        }

        return bytes.ToArray();
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (IsSilent) await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
        var path = context.Request.Path.Value!;
        if (!Files.TryGetValue(path, out var content))
        {
            context.Response.StatusCode = 404;
            return;
        }

        var isZip = path.EndsWith(".zip", StringComparison.Ordinal);
        var from = IgnoresRange || context.Request.Headers.Range.Count == 0 ? 0 : int.Parse(context.Request.Headers.Range.ToString()["bytes=".Length..^1], CultureInfo.InvariantCulture);
        if (isZip) ZipsFrom.Enqueue(from);
        if (from > 0 && from >= content.Length)
        {
            context.Response.StatusCode = 416;
            return;
        }

        if (isZip && Resets > 0)
        {
            Resets--;
            context.Abort();
            return;
        }

        if (from > 0) context.Response.StatusCode = 206;
        context.Response.ContentLength = content.Length - from;
        if (isZip && Breaks.Times > 0)
        {
            Breaks = (Breaks.Bytes, Breaks.Times - 1);
            await context.Response.Body.WriteAsync(content.AsMemory(from, Math.Min(Breaks.Bytes, content.Length - from)));
            // Less than was announced: Kestrel closes the connection.
            return;
        }

        if (isZip && StallsAfter is { } some)
        {
            await context.Response.Body.WriteAsync(content.AsMemory(from, some));
            await context.Response.Body.FlushAsync();
            Stalled.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
        }

        await context.Response.Body.WriteAsync(content.AsMemory(from));
    }
}
