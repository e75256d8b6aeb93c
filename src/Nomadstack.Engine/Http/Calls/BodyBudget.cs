// SPDX-License-Identifier: MPL-2.0
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Nomadstack.Engine.Raft;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http.Calls;

/// <summary>Reads the bodies of calls: each up to its route's limit, and all that are held at one time up to a total.</summary>
internal sealed class BodyBudget
{
    /// <summary>For calls that name a thing and what is to become of it.</summary>
    public const int Small = 64 * 1024;

    /// <summary>A job and the file it was made from, of which Nomad takes 1 MB (<c>job_max_source_size</c>).</summary>
    public const int Job = 2 * 1024 * 1024;

    /// <summary>What fits into one entry of the raft log.</summary>
    public static readonly int Raft = new RaftOptions().MaxCommandBytes;

    private static readonly int s_total = 2 * Raft;
    private const int FirstBytes = 4096;

    private int _held;

    /// <summary>The body, which counts until it is disposed of.</summary>
    /// <exception cref="ServerException">It is too long for the call, or there are too many.</exception>
    public async Task<HeldBody> ReadAsync(HttpContext http, int limit)
    {
        // Kestrel's own refusal names neither the call nor what to do.
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } feature) feature.MaxRequestBodySize = null;
        var request = http.Request;
        if (request.ContentLength is { } announced && announced > limit) throw TooLong(request, limit);
        if (request.ContentLength == 0) return new HeldBody(this, [], 0);
        var body = new HeldBody(this, [], 0);
        try
        {
            body.Grow((int)(request.ContentLength ?? Math.Min(FirstBytes, limit)));
            while (await request.Body.ReadAsync(body.Free, http.RequestAborted) is > 0 and var read)
            {
                body.Length += read;
                if (!body.Free.IsEmpty || body.Length == request.ContentLength) continue;
                if (body.Length > limit) throw TooLong(request, limit);
                // One byte more than is allowed tells a body of just the limit from a longer one.
                body.Grow(Math.Min(body.Length * 2, limit + 1));
            }

            return body.Length <= limit ? body : throw TooLong(request, limit);
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    private void Take(int bytes)
    {
        if (Interlocked.Add(ref _held, bytes) <= s_total) return;
        Interlocked.Add(ref _held, -bytes);
        throw new ServerException(StatusCodes.Status503ServiceUnavailable,
            $"The calls that this agent answers just now have bodies of {s_total} bytes together, which is all it holds. Try again.");
    }

    private void GiveBack(int bytes) => Interlocked.Add(ref _held, -bytes);

    private static ServerException TooLong(HttpRequest request, int limit) =>
        new(StatusCodes.Status413PayloadTooLarge, $"The body of {request.Method} {request.Path} may have {limit} bytes in nomadstack's embedded engine, and this one has more.");

    /// <summary>A body in memory.</summary>
    internal sealed class HeldBody(BodyBudget budget, byte[] bytes, int length) : IDisposable
    {
        private byte[] _bytes = bytes;

        public int Length { get; set; } = length;

        public ReadOnlyMemory<byte> Bytes => _bytes.AsMemory(0, Length);

        public Memory<byte> Free => _bytes.AsMemory(Length);

        public void Grow(int to)
        {
            budget.Take(to - _bytes.Length);
            Array.Resize(ref _bytes, to);
        }

        public void Dispose()
        {
            budget.GiveBack(_bytes.Length);
            _bytes = [];
            Length = 0;
        }
    }
}
