// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>The gossip keys of all servers: seen, and changed one step after the other.</summary>
internal static class KeyringApi
{
    public static Task ListAsync(ApiCall call) => AskAsync(call, KeyringAsked.List, "");

    public static Task InstallAsync(ApiCall call) => AskAsync(call, KeyringAsked.Install, (string)call.Body()["Key"]!);

    public static Task UseAsync(ApiCall call) => AskAsync(call, KeyringAsked.Use, (string)call.Body()["Key"]!);

    public static Task RemoveAsync(ApiCall call) => AskAsync(call, KeyringAsked.Remove, (string)call.Body()["Key"]!);

    private static async Task AskAsync(ApiCall call, string operation, string key)
    {
        var server = call.Agent.Server ?? throw new ServerException(501, "Invalid method");
        if (!server.Keys.Encrypts) throw ServerException.Failed("Keyring is empty (encryption not enabled)");
        if (operation == KeyringAsked.Install && KeyRing.Complaint(key) is { } complaint) throw ServerException.Failed(complaint);
        var answers = await server.Members.AskKeyringsAsync(new(operation, key), call.Cancel);
        var (failed, said) = (answers.Count(a => a.Said?.Error is not null), answers.Count(a => a.Said is not null));
        // Serf's words; who was told what to do has done it all the same.
        if (failed > 0) throw ServerException.Failed($"{failed}/{answers.Count} nodes reported failure");
        if (said < answers.Count) throw ServerException.Failed($"{said}/{answers.Count} nodes reported success");
        var all = operation == KeyringAsked.List ? answers.Select(a => a.Said!.Keys).ToList() : [];
        await call.JsonAsync(new JsonObject
        {
            ["Messages"] = new JsonObject(),
            ["Keys"] = Counted(all.SelectMany(keys => keys)),
            ["PrimaryKeys"] = Counted(all.Select(keys => keys[0])),
            ["NumNodes"] = answers.Count,
        });
    }

    private static JsonObject Counted(IEnumerable<string> keys) => new(keys.CountBy(k => k).OrderBy(k => k.Key, StringComparer.Ordinal).Select(k => KeyValuePair.Create(k.Key, (JsonNode?)k.Value)));
}
