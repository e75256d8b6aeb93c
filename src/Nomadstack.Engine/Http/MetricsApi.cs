// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>A few of Nomad's gauges, under Nomad's names: what there is and how much of it runs.</summary>
internal static class MetricsApi
{
    private sealed record Gauge(string Name, double Value, string Label = "", string LabelValue = "");

    public static async Task GetAsync(ApiCall call)
    {
        switch (call.Query("format"))
        {
            case null or "" or "pretty":
                await call.JsonAsync(new JsonObject
                {
                    ["Timestamp"] = call.Now.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss' +0000 UTC'", CultureInfo.InvariantCulture),
                    ["Gauges"] = new JsonArray([.. Gauges(call).Select(g => (JsonNode)new JsonObject
                    {
                        ["Name"] = g.Name,
                        ["Value"] = g.Value,
                        ["Labels"] = g.Label.Length > 0 ? new JsonObject { [g.Label] = g.LabelValue } : new JsonObject(),
                    })]),
                    ["Points"] = new JsonArray(),
                    ["Counters"] = new JsonArray(),
                    ["Samples"] = new JsonArray(),
                });
                return;
            case "prometheus":
                var text = new StringBuilder();
                foreach (var gauge in Gauges(call))
                {
                    var label = gauge.Label.Length > 0 ? $"{{{gauge.Label}=\"{gauge.LabelValue}\"}}" : "";
                    text.Append(CultureInfo.InvariantCulture, $"{gauge.Name.Replace('.', '_')}{label} {gauge.Value}\n");
                }

                call.Http.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
                await call.Http.Response.WriteAsync(text.ToString(), call.Cancel);
                return;
            case var other:
                throw ServerException.Invalid($"format: \"{other}\" is neither empty nor \"prometheus\"");
        }
    }

    private static IEnumerable<Gauge> Gauges(ApiCall call)
    {
        yield return new("nomad.runtime.alloc_bytes", GC.GetTotalMemory(forceFullCollection: false));
        yield return new("nomad.runtime.sys_bytes", Environment.WorkingSet);
        if (call.Agent.Client is { } client)
        {
            var node = client.Agent.Node.ID;
            foreach (var (status, count) in Sorted(client.Agent.Allocations.Select(a => a.Report().ClientStatus)))
                yield return new($"nomad.client.allocations.{status}", count, "node_id", node);
        }

        if (call.Agent.Server is not { } server) yield break;
        var (state, raft) = (server.State.Current, server.Raft.Node?.Status);
        yield return new("nomad.raft.commitIndex", raft?.Commit ?? 0);
        yield return new("nomad.raft.appliedIndex", raft?.Applied ?? 0);
        yield return new("nomad.nomad.heartbeat.active", state.Nodes.All.Count(n => n.Status == NodeStatus.Ready));
        yield return new("nomad.nomad.blocked_evals.total_blocked", state.Evaluations.All.Count(e => e.Status == EvalStatus.Blocked));
        foreach (var (status, count) in Sorted(state.Jobs.All.Select(j => j.Status))) yield return new($"nomad.nomad.job_status.{status}", count);
    }

    private static IEnumerable<KeyValuePair<string, int>> Sorted(IEnumerable<string> states) => states.CountBy(s => s).OrderBy(s => s.Key, StringComparer.Ordinal);
}
