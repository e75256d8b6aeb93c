// SPDX-License-Identifier: MPL-2.0
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;

namespace Nomadstack.Engine.Http.Calls;

/// <summary>What is asked for and not here: Nomad's calls are named as such, and who comes with a browser is told what this is.</summary>
internal static partial class NotServed
{
    private const string Page = """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>nomadstack's embedded engine</title></head>
        <body style="font-family: sans-serif; max-width: 40em; margin: 3em auto">
        <h1>nomadstack's embedded engine</h1>
        <p>This port answers Nomad's API (<code>/v1/…</code>). There is no web interface: that is HashiCorp's, and comes with HashiCorp's Nomad.</p>
        <p>Look at the cluster with <code>nomadstack status</code> and <code>nomadstack job status</code>,
        or with HashiCorp's <code>nomad</code> and <code>NOMAD_ADDR</code> set to this address.</p>
        </body></html>

        """;

    public static async Task AnswerAsync(HttpContext http, string path)
    {
        if (path is "/" or "/ui" || path.StartsWith("/ui/", StringComparison.Ordinal))
        {
            if (!HttpMethods.IsGet(http.Request.Method) && !HttpMethods.IsHead(http.Request.Method))
                throw new Server.ServerException(StatusCodes.Status405MethodNotAllowed, "Invalid method");
            http.Response.ContentType = "text/html; charset=utf-8";
            if (HttpMethods.IsGet(http.Request.Method)) await http.Response.WriteAsync(Page, http.RequestAborted);
            return;
        }

        throw NomadsOwn().IsMatch(path)
            ? new Server.ServerException(StatusCodes.Status501NotImplemented, $"nomadstack's embedded engine does not answer {http.Request.Method} {path}; HashiCorp's Nomad does.")
            : Server.ServerException.NotFound($"Neither nomadstack's embedded engine nor HashiCorp's Nomad has {path}.");
    }

    /// <summary>What <c>command/agent/http.go</c> of Nomad 2.0 registers, as far as <see cref="Routes"/> does not have it.</summary>
    [GeneratedRegex(
        @"^/(\.well-known/|debug/pprof/|v1/(acl/|agent/(schedulers|host|monitor/export|pprof/)|allocation/|client/|deployment/|evaluations|job/|jobs/statuses|namespaces?|node/|"
        + @"operator/(license|keyring/|raft/|upgrade-check/|utilization|scheduler/)|plugins?|quotas?|quota-usages|recommendations?|scaling/|search/fuzzy|sentinel/|services?(/|$)|system/|"
        + @"vars?(/|$)|volumes?))",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex NomadsOwn();
}
