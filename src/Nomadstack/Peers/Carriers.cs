// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Nomadstack.Peers;

/// <summary>
/// Carries entries that agents of release 0.1.0 do not know through such agents. A carrier is a token that admits nobody: revoked, expired in 1970, and with an entry in
/// place of a secret's hash (docs/decisions/130). Carriers are made whenever a membership is sent to such an agent. They are not part of the membership: if
/// no such agent is left, there are no carriers.
/// </summary>
internal static class Carriers
{
    /// <summary>No real token begins with it.</summary>
    private const char Mark = '~';

    /// <summary>The version of the form. A release that uses another form writes another version, which is passed on unread.</summary>
    private const string Form = "1.";

    /// <summary>Most bytes of a carrier: an entry in letters, and what surrounds it.</summary>
    public const int MaxBytes = MembershipRules.MaxEntryBytes * 4 / 3 + 1024;

    private static readonly ConditionalWeakTable<ClusterDocument, ClusterDocument> s_views = new();

    public static bool IsCarrier(string tokenId) => tokenId.StartsWith(Mark);

    /// <summary>The membership as agents of release 0.1.0 keep it.</summary>
    public static ClusterDocument ForReleased(ClusterDocument document) => s_views.GetValue(document, static document =>
    {
        var tokens = new Dictionary<string, TokenEntry>(document.Tokens);
        // An unsigned entry gets an empty carrier. The entry may have been signed before, and agents that have a carrier keep it.
        foreach (var node in document.Nodes.Values) Add(Digests.NodeKey(node.Id), node.Incarnation, node.Signed is null ? "" : Entries.Payload(node));
        foreach (var token in document.Tokens.Values.Where(t => !IsCarrier(t.Id))) Add(Digests.TokenKey(token.Id), token.Incarnation, token.Signed is null ? "" : Entries.Payload(token));
        foreach (var setting in document.Registers.Values) Add(Digests.SettingKey(setting.Name), setting.Version, Entries.Payload(setting));
        return document with { Tokens = tokens, Registers = new Dictionary<string, Setting>() };

        void Add(string key, long incarnation, string payload) =>
            tokens[Mark + key] = new TokenEntry { Id = Mark + key, SecretHash = Form + payload, CreatedAt = DateTimeOffset.UnixEpoch, ExpiresAt = DateTimeOffset.UnixEpoch, Revoked = true, Incarnation = incarnation };
    });

    /// <summary>Splits a document into one without carriers and one with the carried entries. Carriers of an unknown form stay where they are.</summary>
    public static (ClusterDocument Plain, ClusterDocument? Carried) Split(ClusterDocument document)
    {
        var carriers = document.Tokens.Values.Where(t => IsCarrier(t.Id) && t.SecretHash.StartsWith(Form, StringComparison.Ordinal)).ToList();
        if (carriers.Count == 0) return (document, null);
        var (nodes, tokens, settings) = (new Dictionary<string, NodeEntry>(), new Dictionary<string, TokenEntry>(), new Dictionary<string, Setting>());
        List<RefusedEntry> refused = [];
        foreach (var carrier in carriers.Where(c => c.SecretHash.Length > Form.Length))
        {
            var key = carrier.Id[1..];
            if (Open(key, carrier.SecretHash[Form.Length..]) is { } why) refused.Add(new RefusedEntry(key, key.Length > 2 ? key[2..] : key, why));
        }

        return (
            document with { Tokens = document.Tokens.Except(carriers.Select(c => KeyValuePair.Create(c.Id, c))).ToDictionary() },
            document with { Nodes = nodes, Tokens = tokens, Registers = settings, Refused = refused });

        string? Open(string key, string payload)
        {
            try
            {
                using var parsed = JsonDocument.Parse(Base64Url.DecodeFromChars(payload));
                var (id, entry) = (key.Length > 2 ? key[2..] : "", parsed.RootElement);
                return key.Length < 3 ? "it carries an entry without a name"
                    : key.StartsWith("n:", StringComparison.Ordinal) ? Take(id, entry, MembershipRules.Node, PeersJson.Default.NodeEntry, nodes)
                    : key.StartsWith("t:", StringComparison.Ordinal) ? Take(id, entry, MembershipRules.Token, PeersJson.Default.TokenEntry, tokens)
                    : key.StartsWith("s:", StringComparison.Ordinal) ? Take(id, entry, MembershipRules.Setting, PeersJson.Default.Setting, settings)
                    : "it carries an entry of an unknown kind";
            }
            catch (Exception e) when (e is JsonException or FormatException)
            {
                return "the carried entry cannot be read";
            }
        }

        static string? Take<T>(string id, JsonElement entry, Func<string, JsonElement, string?> rule, JsonTypeInfo<T> json, Dictionary<string, T> into)
            where T : class
        {
            if (rule(id, entry) is { } why) return why;
            into[id] = Entries.Read(entry, json);
            return null;
        }
    }
}
