// SPDX-License-Identifier: MPL-2.0
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Nomadstack.Api;
using Nomadstack.Cluster;

namespace Nomadstack.Relay;

/// <summary>A problem as whoever asked can read it: a page for a person, JSON for the page's own calls.</summary>
internal static class RelayPage
{
    /// <summary>Seconds after which a page whose product is away asks again. A product's start takes about as long.</summary>
    private const int Again = 5;

    public static async Task WriteAsync(HttpContext http, int status, Problem problem)
    {
        var answer = http.Response;
        answer.StatusCode = status;
        RelayedHeaders.Protect(answer.Headers, http.Request.Path);
        answer.Headers.CacheControl = "no-store";
        if (http.Request.Path.StartsWithSegments(AgentApi.Prefix))
        {
            answer.ContentType = AgentApi.ProblemJson;
            await JsonSerializer.SerializeAsync(answer.Body, problem, ApiJson.Default.Problem, http.RequestAborted);
            return;
        }

        answer.ContentType = "text/html; charset=utf-8";
        answer.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'";
        await answer.WriteAsync(Page(problem, repeats: status == StatusCodes.Status503ServiceUnavailable), http.RequestAborted);
    }

    private static string Page(Problem problem, bool repeats)
    {
        var (what, why, fix) = (Text(problem.What), Text(problem.Why), Text(problem.Fix));
        return $"""
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><title>nomadstack ui</title>{(repeats ? $"<meta http-equiv=\"refresh\" content=\"{Again}\">" : "")}</head>
            <body style="font-family: sans-serif; max-width: 40em; margin: 3em auto">
            <h1>{what}</h1>
            <p>{why}</p>
            <p>{fix}</p>
            </body></html>

            """;
    }

    private static string Text(string text) => HtmlEncoder.Default.Encode(text);
}
