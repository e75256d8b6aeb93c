// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Net;
using System.Security;
using System.Text;

namespace Nomadstack.Tests.Snapshots;

/// <summary>A server of one bucket on loopback that can lie.</summary>
internal sealed class FakeBucket : IDisposable
{
    private readonly HttpListener _http = new();
    private readonly ConcurrentDictionary<string, byte[]> _objects = new();

    public FakeBucket()
    {
        Url = $"http://127.0.0.1:{Nomadstack.Tests.Peers.TestNode.FreePort("127.0.0.1")}/";
        _http.Prefixes.Add(Url);
        _http.Start();
        _ = ServeAsync();
    }

    /// <summary>How it treats what it is asked.</summary>
    public enum Nature
    {
        Honest,

        /// <summary>Says that it has taken an object and has not.</summary>
        Forgets,

        /// <summary>Keeps the first half.</summary>
        Shortens,

        /// <summary>Keeps one other byte.</summary>
        Changes,
        Refuses,
        NeverAnswers,
    }

    public Nature Is { get; set; }

    public string Url { get; }

    public IReadOnlyCollection<string> Keys => [.. _objects.Keys.Order(StringComparer.Ordinal)];

    public byte[] this[string key]
    {
        get => _objects[key];
        set => _objects[key] = value;
    }

    public void Dispose() => _http.Close();

    private async Task ServeAsync()
    {
        while (_http.IsListening)
        {
            HttpListenerContext asked;
            try
            {
                asked = await _http.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            if (Is != Nature.NeverAnswers) await AnswerAsync(asked);
        }
    }

    private async Task AnswerAsync(HttpListenerContext asked)
    {
        var (request, answer) = (asked.Request, asked.Response);
        var key = Uri.UnescapeDataString(request.Url!.AbsolutePath).TrimStart('/').Split('/', 2) is [_, var rest] ? rest : "";
        using var body = new MemoryStream();
        await request.InputStream.CopyToAsync(body);
        var content = body.ToArray();
        if (Is == Nature.Refuses)
        {
            answer.StatusCode = 403;
            await WriteAsync(answer, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>");
            return;
        }

        switch (request.HttpMethod)
        {
            case "PUT":
                if (Is == Nature.Shortens) content = content[..(content.Length / 2)];
                if (Is == Nature.Changes) content[^1] ^= 1;
                if (Is != Nature.Forgets) _objects[key] = content;
                answer.Headers["ETag"] = "\"0\"";
                answer.Close();
                return;
            case "DELETE":
                _objects.TryRemove(key, out _);
                answer.StatusCode = 204;
                answer.Close();
                return;
            case "GET" when key.Length == 0:
                var prefix = request.QueryString["prefix"] ?? "";
                var entries = _objects.Where(o => o.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(o => $"<Contents><Key>{SecurityElement.Escape(o.Key)}</Key><Size>{o.Value.Length}</Size></Contents>");
                await WriteAsync(answer, $"<ListBucketResult><IsTruncated>false</IsTruncated>{string.Concat(entries)}</ListBucketResult>");
                return;
            default:
                if (_objects.TryGetValue(key, out var found))
                {
                    await answer.OutputStream.WriteAsync(found);
                    answer.Close();
                    return;
                }

                answer.StatusCode = 404;
                await WriteAsync(answer, "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>");
                return;
        }
    }

    private static async Task WriteAsync(HttpListenerResponse answer, string xml)
    {
        answer.ContentType = "application/xml";
        await answer.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(xml));
        answer.Close();
    }
}
