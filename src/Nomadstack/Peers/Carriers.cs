// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Nomadstack.Peers;

/// <summary>
/// What agents of release 0.1.0 do not know travels through them as tokens that let nobody in: revoked, run out since 1970, and with an entry in the
/// place of a secret's hash (docs/decisions/130). They are made of a membership whenever it is shown to such an agent and are no part of it: where
/// no such agent is left, there are none.
/// </summary>
internal static class Carriers
{
    /// <summary>No token that was ever minted begins with it.</summary>
    private const char Mark = '~';

    /// <summary>Says how the entry is written; a release that writes it otherwise says something else, and is passed on unread.</summary>
    private const string Form = "1.";

    /// <summary>Bytes of a carrier: an entry in letters, and what is around it.</summary>
    public const int MaxBytes = MembershipRules.MaxEntryBytes * 4 / 3 + 1024;

    private static readonly ConditionalWeakTable<ClusterDocument, ClusterDocument> s_views = new();

    public static bool IsCarrier(string tokenId) => tokenId.StartsWith(Mark);

    /// <summary>The membership as agents of release 0.1.0 hold it.</summary>
    public static ClusterDocument ForReleased(ClusterDocument document) => s_views.GetValue(document, static document =>
    {
        var tokens = new Dictionary<string, TokenEntry>(document.Tokens);
        // Of what is not signed an empty one: it was signed before perhaps, and those that hold a carrier never let go of it.
        foreach (var node in document.Nodes.Values) Add(Digests.NodeKey(node.Id), node.Incarnation, node.Signed is null ? "" : Entries.Payload(node));
        foreach (var token in document.Tokens.Values.Where(t => !IsCarrier(t.Id))) Add(Digests.TokenKey(token.Id), token.Incarnation, token.Signed is null ? "" : Entries.Payload(token));
        foreach (var setting in document.Registers.Values) Add(Digests.SettingKey(setting.Name), setting.Version, Entries.Payload(setting));
        return document with { Tokens = tokens, Registers = new Dictionary<string, Setting>() };

        void Add(string key, long incarnation, string payload) =>
            tokens[Mark + key] = new TokenEntry { Id = Mark + key, SecretHash = Form + payload, CreatedAt = DateTimeOffset.UnixEpoch, ExpiresAt = DateTimeOffset.UnixEpoch, Revoked = true, Incarnation = incarnation };
    });

    /// <summary>A document without its carriers, and one of what they carry. Those of a form that this release does not know stay where they are.</summary>
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
                return key.Length < 3 ? "it carries nothing that has a name"
                    : key.StartsWith("n:", StringComparison.Ordinal) ? Take(id, entry, MembershipRules.Node, PeersJson.Default.NodeEntry, nodes)
                    : key.StartsWith("t:", StringComparison.Ordinal) ? Take(id, entry, MembershipRules.Token, PeersJson.Default.TokenEntry, tokens)
                    : key.StartsWith("s:", StringComparison.Ordinal) ? Take(id, entry, MembershipRules.Setting, PeersJson.Default.Setting, settings)
                    : "what it carries has no place here";
            }
            catch (Exception e) when (e is JsonException or FormatException)
            {
                return "what it carries cannot be read";
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
