// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Microsoft.AspNetCore.Http;
using Nomadstack.Cluster;

namespace Nomadstack.Relay;

/// <summary>Which headers pass the relay. Those of one connection do not, nor what a browser may say of itself to a product, nor what a product may put into the browser.</summary>
internal static class RelayedHeaders
{
    /// <summary>RFC 9110, section 7.6.1, and those older than it.</summary>
    private static readonly HashSet<string> s_connection = new(StringComparer.OrdinalIgnoreCase)
    {
        "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
    };

    /// <summary>The host is the product's own. A product compares an origin with its own address, which the browser does not know; here it was compared already.</summary>
    private static readonly HashSet<string> s_browsers = new(ProductTable.Known.Rows.Select(p => p.TokenHeader), StringComparer.OrdinalIgnoreCase)
    {
        "Host", "Cookie", "Authorization", "Origin", "Referer", "Expect", "Forwarded",
    };

    public static void Pass(IHeaderDictionary from, HttpRequestMessage to)
    {
        var named = Named(from.Connection);
        foreach (var (name, values) in from)
        {
            if (s_connection.Contains(name) || s_browsers.Contains(name) || named.Contains(name) || Begins(name, "Sec-Fetch-") || Begins(name, "X-Forwarded-")) continue;
            if (!to.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values)) to.Content?.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        }
    }

    /// <param name="authority">The product's own, at which it may send the browser to another page.</param>
    public static void Pass(HttpResponseMessage from, HttpResponse to, Uri authority)
    {
        var named = Named(from.Headers.Connection);
        foreach (var (name, values) in from.Headers.NonValidated.Concat(from.Content.Headers.NonValidated))
        {
            // Nobody but our own page may read an answer, whatever the product allows.
            if (s_connection.Contains(name) || named.Contains(name) || Begins(name, "Set-Cookie") || Begins(name, "Access-Control-")) continue;
            to.Headers[name] = name.Equals("Location", StringComparison.OrdinalIgnoreCase) ? Here(values.ToString(), authority) : values.ToArray();
        }

        if (from.StatusCode is HttpStatusCode.NoContent or HttpStatusCode.NotModified) to.Headers.ContentLength = null;
        Protect(to.Headers, to.HttpContext.Request.Path);
    }

    /// <summary>What every answer tells the browser. The API's answers are data: shown as a page, what a job has written there would be a page of ours.</summary>
    public static void Protect(IHeaderDictionary headers, PathString path)
    {
        headers["Referrer-Policy"] = "no-referrer";
        headers.XFrameOptions = "SAMEORIGIN";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        if (!path.StartsWithSegments("/v1")) return;
        headers.ContentSecurityPolicy = "sandbox";
        headers.XContentTypeOptions = "nosniff";
    }

    /// <summary>A way to the product's own address becomes one through the relay.</summary>
    internal static string Here(string location, Uri authority) =>
        Uri.TryCreate(location, UriKind.Absolute, out var to) && to.Scheme is "http" or "https" && to.Authority == authority.Authority
            ? to.PathAndQuery + to.Fragment
            : location;

    private static HashSet<string> Named(IEnumerable<string?> connection) =>
        new(connection.SelectMany(line => (line ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)), StringComparer.OrdinalIgnoreCase);

    private static bool Begins(string name, string prefix) => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase);
}
