// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Peers;

namespace Nomadstack.Tests.Peers;

/// <summary>
/// The membership of an agent of release 0.1.0, as it was released: it keeps the fields it knows and drops all others, its rules, its digests, its way
/// to merge and to exchange. Speaks JSON and shares no code with ours, so that nothing changed there changes here.
/// </summary>
internal sealed class ReleasedAgent(string id)
{
    private const int Buckets = 64, Entries = 256, VersionsAtOnce = 1024, Steps = 32;

    private static readonly string[] s_ports = ["peers", "nomadClientHttp", "nomadServerHttp", "nomadServerRpc", "nomadServerSerf", "nomadBootstrapHttp", "nomadBootstrapRpc", "nomadBootstrapSerf",
        "consulClientHttp", "consulClientSerf", "consulClientDns", "consulServerHttp", "consulServerRpc", "consulServerSerf", "consulBootstrapHttp", "consulBootstrapRpc", "consulBootstrapSerf"];

    private JsonObject _document = null!;

    public string Id => id;

    public JsonObject Nodes => _document["nodes"]!.AsObject();

    public JsonObject Tokens => _document["tokens"]!.AsObject();

    /// <summary>Messages it answered and sent, so that a test can tell talk that never ends.</summary>
    public int Talked { get; private set; }

    /// <summary>What it would write to its disk.</summary>
    public string File => _document.ToJsonString();

    /// <summary>Takes a document at a join or from its disk.</summary>
    public ReleasedAgent With(ClusterDocument document)
    {
        _document = Known(JsonNode.Parse(JsonSerializer.Serialize(document, PeersJson.Default.ClusterDocument))!.AsObject());
        return this;
    }

    /// <summary>Its own entry, as it would change it.</summary>
    public void UpdateSelf(Action<JsonObject> change)
    {
        var own = Nodes[id]!.AsObject();
        change(own);
        own["incarnation"] = own["incarnation"]!.GetValue<long>() + 1;
    }

    public void Remove(string nodeId)
    {
        var entry = Nodes[nodeId]!.AsObject();
        (entry["removed"], entry["servers"], entry["incarnation"]) = (true, new JsonArray(), entry["incarnation"]!.GetValue<long>() + (1L << 32));
    }

    public void Revoke(string tokenId)
    {
        var token = Tokens[tokenId]!.AsObject();
        (token["revoked"], token["incarnation"]) = (true, token["incarnation"]!.GetValue<long>() + 1);
    }

    public void AddToken(string tokenId, string secretHash) =>
        Tokens[tokenId] = KnownToken(new JsonObject { ["id"] = tokenId, ["secretHash"] = secretHash, ["createdAt"] = "2026-01-01T00:00:00+00:00" });

    /// <summary>Answers one of our requests, through JSON as on the wire.</summary>
    public SyncAnswer Answer(SyncRequest request)
    {
        Talked++;
        var answer = Answer(JsonNode.Parse(JsonSerializer.Serialize(request, PeersJson.Default.SyncRequest))!.AsObject());
        return JsonSerializer.Deserialize(answer.ToJsonString(), PeersJson.Default.SyncAnswer)!;
    }

    /// <summary>Begins an exchange with an agent of ours.</summary>
    public void ExchangeWith(SyncDesk desk) => Reconcile(request =>
    {
        var ours = JsonSerializer.Deserialize(request.ToJsonString(), PeersJson.Default.SyncRequest)!;
        return JsonNode.Parse(JsonSerializer.Serialize(desk.Answer(ours, id), PeersJson.Default.SyncAnswer))!.AsObject();
    });

    public string Whole => Hash(string.Join(',', Digests().Select(Digest)));

    private void Reconcile(Func<JsonObject, JsonObject> ask)
    {
        JsonObject? push = null;
        for (var step = 0; step < Steps; step++)
        {
            Talked++;
            var answer = ask(new JsonObject { ["digest"] = Whole, ["push"] = push });
            push = null;
            if (answer["same"]!.GetValue<bool>()) return;
            var theirs = answer["buckets"]!.AsArray().Select(b => b!.GetValue<string>()).ToList();
            var (ours, buckets, versions) = (Digests(), new JsonArray(), new JsonObject());
            for (var i = 0; i < Buckets; i++)
            {
                if (Digest(ours[i]) == theirs[i]) continue;
                if (buckets.Count > 0 && versions.Count + ours[i].Count > VersionsAtOnce) break;
                buckets.Add(i);
                foreach (var (key, version) in ours[i]) versions[key] = version;
            }

            if (buckets.Count == 0) return;
            answer = ask(new JsonObject { ["digest"] = Whole, ["buckets"] = buckets, ["versions"] = versions });
            if (answer["same"]!.GetValue<bool>()) continue;
            var news = answer["newer"] is JsonObject newer && Merge(newer);
            push = Part((answer["want"]?.AsArray() ?? []).Select(k => k!.GetValue<string>()));
            if (!news && push["nodes"]!.AsObject().Count + push["tokens"]!.AsObject().Count == 0) return;
        }
    }

    private JsonObject Answer(JsonObject request)
    {
        if (request["push"] is JsonObject pushed) Merge(pushed);
        if (request["digest"]!.GetValue<string>() == Whole) return new JsonObject { ["same"] = true };
        var digests = Digests();
        if (request["buckets"] is not JsonArray asked) return new JsonObject { ["same"] = false, ["buckets"] = new JsonArray([.. digests.Select(d => JsonValue.Create(Digest(d)))]) };
        var theirs = request["versions"]?.AsObject() ?? [];
        List<string> newer = [], want = [];
        foreach (var index in asked.Select(a => a!.GetValue<int>()))
        {
            foreach (var (key, version) in digests[index])
            {
                if (theirs[key]?.GetValue<string>() is not { } their) newer.Add(key);
                else if (their != version)
                {
                    var order = IncarnationOf(version).CompareTo(IncarnationOf(their));
                    if (order >= 0) newer.Add(key);
                    if (order <= 0) want.Add(key);
                }
            }
        }

        want.AddRange(theirs.Select(t => t.Key).Where(key => !(key[0] == 'n' ? Nodes : Tokens).ContainsKey(key[2..])));
        return new JsonObject { ["same"] = false, ["newer"] = Part(newer.Take(Entries)), ["want"] = new JsonArray([.. want.Take(Entries).Select(w => JsonValue.Create(w))]) };
    }

    private bool Merge(JsonObject received)
    {
        var remote = Known(received);
        foreach (var (key, node) in remote["nodes"]!.AsObject())
        {
            if (!Guid.TryParse(key, out _) || node!["id"]!.GetValue<string>() != key || !IPAddress.TryParse(node["address"]!.GetValue<string>(), out _) || node["incarnation"]!.GetValue<long>() < 1)
                throw new InvalidOperationException("peers/bad-document: node " + key);
        }

        foreach (var (key, token) in remote["tokens"]!.AsObject())
            if (token!["id"]!.GetValue<string>() != key || token["incarnation"]!.GetValue<long>() < 1) throw new InvalidOperationException("peers/bad-document: token " + key);

        var news = false;
        foreach (var (sort, flag, content) in new (string, string, Func<JsonObject, string>)[] { ("nodes", "removed", NodeContent), ("tokens", "revoked", TokenContent) })
        {
            foreach (var (key, theirs) in remote[sort]!.AsObject().ToList())
            {
                if (_document[sort]![key] is JsonObject ours && Compare(ours, theirs!.AsObject(), flag, content) >= 0) continue;
                _document[sort]![key] = theirs!.DeepClone();
                news = true;
            }
        }

        var (most, maxServers) = (_document["maxServers"]!.GetValue<int>(), remote["maxServers"]!.GetValue<int>());
        if (maxServers > most) (_document["maxServers"], news) = (maxServers, true);
        return news;
    }

    private static int Compare(JsonObject a, JsonObject b, string flag, Func<JsonObject, string> content)
    {
        var order = a["incarnation"]!.GetValue<long>().CompareTo(b["incarnation"]!.GetValue<long>());
        if (order == 0) order = a[flag]!.GetValue<bool>().CompareTo(b[flag]!.GetValue<bool>());
        if (order == 0) order = string.CompareOrdinal(content(a), content(b));
        return order != 0 ? order : string.CompareOrdinal(a.ToJsonString(), b.ToJsonString());
    }

    private List<SortedDictionary<string, string>> Digests()
    {
        var buckets = Enumerable.Range(0, Buckets).Select(_ => new SortedDictionary<string, string>(StringComparer.Ordinal)).ToList();
        void Add(string key, JsonObject entry, string content) =>
            buckets[SHA256.HashData(Encoding.UTF8.GetBytes(key))[0] % Buckets][key] = $"{entry["incarnation"]!.GetValue<long>()}:{Hash(content)}";
        foreach (var (key, node) in Nodes) Add("n:" + key, node!.AsObject(), NodeContent(node.AsObject()));
        foreach (var (key, token) in Tokens) Add("t:" + key, token!.AsObject(), TokenContent(token.AsObject()));
        return buckets;
    }

    private JsonObject Part(IEnumerable<string> keys)
    {
        var part = _document.DeepClone().AsObject();
        var (nodes, tokens) = (new JsonObject(), new JsonObject());
        foreach (var key in keys)
        {
            if (key.StartsWith("n:", StringComparison.Ordinal) && Nodes[key[2..]] is { } node) nodes[key[2..]] = node.DeepClone();
            if (key.StartsWith("t:", StringComparison.Ordinal) && Tokens[key[2..]] is { } token) tokens[key[2..]] = token.DeepClone();
        }

        (part["nodes"], part["tokens"]) = (nodes, tokens);
        return part;
    }

    private static string Digest(SortedDictionary<string, string> bucket) => bucket.Count == 0 ? "" : Hash(string.Join('\n', bucket.Select(e => e.Key + "=" + e.Value)));

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 8));

    private static long IncarnationOf(string version) => long.Parse(version.AsSpan(0, version.IndexOf(':', StringComparison.Ordinal)), System.Globalization.CultureInfo.InvariantCulture);

    private static string NodeContent(JsonObject e) =>
        string.Join('\n', [Text(e, "id"), Text(e, "name"), Text(e, "address"), e["ports"]!["peers"]!.ToString(), Text(e, "keyPin"), Text(e, "version"), e["removed"]!.GetValue<bool>() ? "removed" : "",
            .. e["servers"]!.AsArray().Select(s => $"{s!["role"]} {s["raftId"]} {s["managedBy"]} {s["state"]} {s["http"]} {s["rpc"]} {s["serf"]}")]);

    private static string TokenContent(JsonObject e) =>
        $"{Text(e, "id")}\n{Text(e, "secretHash")}\n{Ticks(e["createdAt"])}\n{Ticks(e["expiresAt"])}\n{e["revoked"]!.GetValue<bool>()}";

    private static long? Ticks(JsonNode? time) => time is null ? null : DateTimeOffset.Parse(time.GetValue<string>(), System.Globalization.CultureInfo.InvariantCulture).UtcTicks;

    private static string Text(JsonObject e, string name) => e[name]?.GetValue<string>() ?? "";

    private static JsonObject Known(JsonObject document)
    {
        var known = new JsonObject();
        foreach (var name in new[] { "schema", "clusterId", "createdAt", "caPin", "maxServers", "consul", "engine" }) known[name] = document[name]?.DeepClone();
        var (nodes, tokens) = (new JsonObject(), new JsonObject());
        foreach (var (key, node) in document["nodes"]!.AsObject()) nodes[key] = KnownNode(node!.AsObject());
        foreach (var (key, token) in document["tokens"]!.AsObject()) tokens[key] = KnownToken(token!.AsObject());
        (known["nodes"], known["tokens"]) = (nodes, tokens);
        return known;
    }

    private static JsonObject KnownNode(JsonObject e)
    {
        var ports = new JsonObject();
        foreach (var name in s_ports) ports[name] = e["ports"]?[name]?.DeepClone() ?? 4640;
        var servers = new JsonArray();
        foreach (var s in e["servers"]?.AsArray() ?? [])
            servers.Add(Copy(s!.AsObject(), "role", "raftId", "managedBy", "state", "http", "rpc", "serf", "keys"));
        return new JsonObject
        {
            ["id"] = Text(e, "id"),
            ["name"] = Text(e, "name"),
            ["address"] = Text(e, "address"),
            ["ports"] = ports,
            ["incarnation"] = e["incarnation"]?.GetValue<long>() ?? 1,
            ["keyPin"] = Text(e, "keyPin"),
            ["version"] = Text(e, "version"),
            ["servers"] = servers,
            ["removed"] = e["removed"]?.GetValue<bool>() ?? false,
        };
    }

    private static JsonObject KnownToken(JsonObject e) => new()
    {
        ["id"] = Text(e, "id"),
        ["secretHash"] = Text(e, "secretHash"),
        ["createdAt"] = e["createdAt"]!.DeepClone(),
        ["expiresAt"] = e["expiresAt"]?.DeepClone(),
        ["revoked"] = e["revoked"]?.GetValue<bool>() ?? false,
        ["incarnation"] = e["incarnation"]?.GetValue<long>() ?? 1,
    };

    private static JsonObject Copy(JsonObject from, params string[] names)
    {
        var to = new JsonObject();
        foreach (var name in names) to[name] = from[name]?.DeepClone();
        return to;
    }
}
