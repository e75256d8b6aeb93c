// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Acl;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>What an id begins with, over all tables: HashiCorp's <c>nomad status</c> asks this before anything else.</summary>
internal static class SearchApi
{
    /// <summary>Nomad's <c>truncateLimit</c>.</summary>
    private const int Most = 20;

    /// <summary>Contexts of Nomad in which this engine has nothing to be found.</summary>
    private static readonly string[] s_empty = ["node_pools", "quotas", "recommendations", "scaling_policy", "plugins", "vars", "volumes", "host_volumes"];

    public static async Task PrefixAsync(ApiCall call)
    {
        var body = call.Body();
        var state = await call.ReadAsync(s => s.Index);
        var (prefix, context) = ((string)body["Prefix"]!, (string)body["Context"]!);
        if (prefix.Length == 0 && call.Query("prefix") is { } asked) prefix = asked;
        var grants = call.Holder.Grants;
        var (jobs, nodes, spaces) = (grants.In(call.Namespace == "*" ? "default" : call.Namespace, Capability.ReadJob), grants.Node(Level.Read), grants.Sees("default"));
        bool May(string name) => name switch { "jobs" or "evals" or "allocs" or "deployment" => jobs, "nodes" => nodes, "namespaces" => spaces, _ => jobs || nodes || spaces };
        (string Context, IEnumerable<string> Ids)[] tables =
        [
            ("jobs", state.Jobs.All.Where(j => call.Wants(j.Namespace)).Select(j => j.ID)),
            ("evals", state.Evaluations.All.Where(e => call.Wants(e.Namespace)).Select(e => e.ID)),
            ("allocs", state.Allocations.All.Where(a => call.Wants(a.Namespace)).Select(a => a.ID)),
            ("nodes", state.Nodes.All.Select(n => n.ID)),
            ("deployment", state.Deployments.All.Where(d => call.Wants(d.Namespace)).Select(d => d.ID)),
            ("namespaces", ["default"]),
            .. s_empty.Select(name => (name, Enumerable.Empty<string>())),
        ];
        var all = context is "" or "all";
        if (!all && tables.All(t => t.Context != context))
            throw ServerException.Invalid($"context must be one of [{string.Join(' ', tables.Select(t => t.Context))}] or 'all' for all contexts; got \"{context}\"");

        if (all ? !(jobs || nodes || spaces) : !May(context)) throw Right.Denied();
        var (matches, truncations) = (new JsonObject(), new JsonObject());
        foreach (var (name, ids) in tables.Where(t => (all || t.Context == context) && May(t.Context)))
        {
            var found = ids.Where(id => id.StartsWith(prefix, StringComparison.Ordinal)).Take(Most + 1).ToList();
            if (found.Count == 0 && all && s_empty.Contains(name)) continue;
            matches[name] = new JsonArray([.. found.Take(Most).Select(id => (JsonNode)JsonValue.Create(id))]);
            truncations[name] = found.Count > Most;
        }

        await call.WroteAsync(state.Index, new JsonObject { ["Matches"] = matches, ["Truncations"] = truncations });
    }
}
