// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Nomadstack.Peers;

/// <summary>
/// Reads a membership entry by entry. An entry that breaks the rules goes to <see cref="ClusterDocument.Refused"/>; the others are accepted. Writes entries in the
/// form in which they came, including fields of newer releases.
/// </summary>
internal sealed class ClusterDocumentJson : JsonConverter<ClusterDocument>
{
    /// <summary>The name of <see cref="ClusterDocument.FirstWhole"/> in release 0.1.0.</summary>
    private const string Whole = "consul";

    private static readonly string[] s_known = ["schema", "clusterId", "createdAt", "caPin", "maxServers", Whole, "engine", "nodes", "tokens", "settings"];

    public override ClusterDocument Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using var parsed = JsonDocument.ParseValue(ref reader);
        var root = parsed.RootElement;
        if (root.ValueKind != JsonValueKind.Object) throw new JsonException("A membership must be a JSON object.");
        List<RefusedEntry> refused = [];
        var (nodes, tokens, settings) = (new Dictionary<string, NodeEntry>(), new Dictionary<string, TokenEntry>(), new Dictionary<string, Setting>());
        var complaint =
            Entries("nodes", "n:", MembershipRules.MaxNodes, MembershipRules.Node, PeersJson.Default.NodeEntry, nodes)
            ?? Entries("tokens", "t:", int.MaxValue, MembershipRules.Token, PeersJson.Default.TokenEntry, tokens)
            ?? Entries("settings", "s:", MembershipRules.MaxSettings, MembershipRules.Setting, PeersJson.Default.Setting, settings);
        return new ClusterDocument
        {
            Schema = Field("schema", 0, v => v.GetInt32()),
            ClusterId = Field("clusterId", "", v => v.GetString() ?? ""),
            CreatedAt = Field("createdAt", default, v => v.GetDateTimeOffset()),
            CaPin = Field("caPin", "", v => v.GetString() ?? ""),
            FirstMaxServers = Field("maxServers", 3, v => v.GetInt32()),
            FirstWhole = Field(Whole, true, v => v.GetBoolean()),
            FirstEngine = Field("engine", ClusterDocument.DefaultEngine, v => v.GetString() ?? ""),
            Nodes = nodes,
            Tokens = tokens,
            Registers = settings,
            Unknown = Strangers(),
            Refused = refused,
            Complaint = complaint,
        };

        T Field<T>(string name, T otherwise, Func<JsonElement, T> read)
        {
            if (!root.TryGetProperty(name, out var value)) return otherwise;
            try
            {
                return read(value);
            }
            catch (Exception e) when (e is InvalidOperationException or FormatException)
            {
                complaint ??= $"{name} cannot be read ({e.Message})";
                return otherwise;
            }
        }

        string? Entries<T>(string field, string prefix, int most, Func<string, JsonElement, string?> rule, JsonTypeInfo<T> json, Dictionary<string, T> into)
            where T : class
        {
            if (!root.TryGetProperty(field, out var entries)) return field == "settings" ? null : $"{field} is missing";
            if (entries.ValueKind != JsonValueKind.Object) return $"{field} is not an object";
            foreach (var member in entries.EnumerateObject())
            {
                var (id, why) = Judge(member, rule);
                why ??= into.ContainsKey(id) ? "it appears twice" : into.Count >= most ? $"there are more than {most}" : null;
                if (why is null) into[id] = Peers.Entries.Read(member.Value, json);
                else refused.Add(new RefusedEntry(prefix + Short(id), NameOf(member.Value) ?? Short(id), why) { Entry = member.Value.Clone() });
            }

            return null;
        }

        Dictionary<string, string> Strangers()
        {
            var strangers = new Dictionary<string, string>();
            foreach (var member in root.EnumerateObject().Where(m => !s_known.Contains(m.Name)))
            {
                var why = MembershipRules.Unknown(member.Name, member.Value) ?? (strangers.Count >= 32 ? "there are more than 32 such fields" : null);
                if (why is null) strangers[member.Name] = Encoding.UTF8.GetString(CanonicalJson.Of(member.Value));
                else refused.Add(new RefusedEntry("d:" + Short(member.Name), Short(member.Name), why));
            }

            return strangers;
        }
    }

    public override void Write(Utf8JsonWriter writer, ClusterDocument value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        writer.WriteNumber("schema", value.Schema);
        writer.WriteString("clusterId", value.ClusterId);
        writer.WriteString("createdAt", value.CreatedAt);
        writer.WriteString("caPin", value.CaPin);
        writer.WriteNumber("maxServers", value.FirstMaxServers);
        writer.WriteBoolean(Whole, value.FirstWhole);
        writer.WriteString("engine", value.FirstEngine);
        foreach (var (name, json) in value.Unknown) Put(writer, name, Encoding.UTF8.GetBytes(json));
        writer.WriteStartObject("nodes");
        foreach (var (id, entry) in value.Nodes) Put(writer, id, Entries.Canonical(entry));
        writer.WriteEndObject();
        writer.WriteStartObject("tokens");
        foreach (var (id, entry) in value.Tokens) Put(writer, id, Entries.Canonical(entry));
        writer.WriteEndObject();
        writer.WriteStartObject("settings");
        foreach (var (name, entry) in value.Registers) Put(writer, name, Entries.Canonical(entry));
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void Put(Utf8JsonWriter writer, string name, ReadOnlyMemory<byte> json)
    {
        writer.WritePropertyName(name);
        if (!writer.Options.Indented)
        {
            writer.WriteRawValue(json.Span, skipInputValidation: true);
            return;
        }

        using var parsed = JsonDocument.Parse(json);
        parsed.RootElement.WriteTo(writer);
    }

    private static (string Id, string? Why) Judge(JsonProperty member, Func<string, JsonElement, string?> rule)
    {
        try
        {
            return (member.Name, rule(member.Name, member.Value));
        }
        catch (InvalidOperationException)
        {
            return ("?", "its key is broken text");
        }
    }

    private static string? NameOf(JsonElement entry)
    {
        if (entry.ValueKind != JsonValueKind.Object || !entry.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String) return null;
        try
        {
            return name.GetString() is { Length: > 0 } text ? Short(text) : null;
        }
        catch (InvalidOperationException)
        {
            // Broken text, which the refusal already says.
            return null;
        }
    }

    /// <summary>Any text: it ends in a log.</summary>
    private static string Short(string text) => new([.. text.Take(80).Select(c => char.IsControl(c) ? '?' : c)]);
}
