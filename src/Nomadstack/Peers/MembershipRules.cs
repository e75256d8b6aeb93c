// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Text.Json;

namespace Nomadstack.Peers;

/// <summary>
/// The rules for a membership and each of its entries, whether read from disk, received from a peer or sent in a join. Every field
/// has limits. They are checked on the JSON itself, before it is read into objects, so that only the bad entry is refused and the others are accepted.
/// </summary>
internal static class MembershipRules
{
    /// <summary>Most entries of each kind in a membership.</summary>
    public const int MaxNodes = 4096, MaxTokens = 4096, MaxSettings = 128;

    /// <summary>Most bytes of one entry in <see cref="CanonicalJson"/>, and of one setting's value. <see cref="SyncLimits.Entries"/> of them fit into a message, also in letters.</summary>
    public const int MaxEntryBytes = 8 * 1024, MaxValueBytes = 4 * 1024;

    /// <summary>Room for two million removals and returns of one node. A higher number cannot be the result of counting.</summary>
    public const long MaxIncarnation = 1L << 53;

    public const int MaxNameLength = 128;

    private const int MaxServersOfNode = 16, MaxPorts = 64, MaxUnknown = 32;

    private static readonly string[] s_node = ["id", "name", "address", "ports", "incarnation", "keyPin", "version", "servers", "removed", "removedAt", "admittedAt", "joinedWith", "kind", "trust", "signed"];
    private static readonly string[] s_token = ["id", "secretHash", "createdAt", "expiresAt", "revoked", "incarnation", "uses", "kind", "signed"];
    private static readonly string[] s_setting = ["name", "value", "version", "writer", "deleted", "signed"];
    private static readonly string[] s_server = ["role", "raftId", "managedBy", "state", "http", "rpc", "serf", "keys"];
    private static readonly string[] s_serverPorts = ["http", "rpc", "serf"];
    private static readonly string[] s_signature = ["by", "kind", "key", "proof", "value"];

    /// <summary>Why the document is not valid, or null. Does not check its entries.</summary>
    public static string? Complaint(ClusterDocument document)
    {
        if (document.Complaint is not null) return document.Complaint;
        if (!IsUuid(document.ClusterId)) return "clusterId is not a UUID";
        if (!IsPin(document.CaPin)) return "caPin is not a SHA-256";
        if (document.Nodes is null || document.Tokens is null || document.Registers is null) return "nodes, tokens or settings are null";
        if (document.FirstMaxServers is < 1 or > 99) return $"maxServers is {document.FirstMaxServers}; it must be 1 to 99";
        return IsWord(document.FirstEngine, 32) ? null : "engine is not a name";
    }

    /// <summary>Why the node entry with the key <paramref name="id"/> is refused, or null.</summary>
    public static string? Node(string id, JsonElement entry) =>
        Object(entry, s_node) is { } complaint ? complaint
        : Text(entry, "id", required: true) is not { } own || own != id ? "id differs from its key"
        : !IsUuid(id) ? "id is not a UUID (lower case, without braces)"
        : Text(entry, "name", required: true) is not { } name || !IsPrintable(name, MaxNameLength) ? $"name must be 1 to {MaxNameLength} printable characters"
        : !IsAddress(Text(entry, "address", required: true)) ? "address is not the IP address of one machine"
        : Ports(entry)
        ?? Counter(entry, "incarnation", 1)
        ?? (Text(entry, "keyPin") is not { } pin || (pin.Length > 0 && !IsPin(pin)) ? "keyPin is not a SHA-256" : null)
        ?? (Text(entry, "version") is not { } version || (version.Length > 0 && !IsPrintable(version, 64)) ? "version must be at most 64 printable characters" : null)
        ?? Flag(entry, "removed")
        ?? (entry.TryGetProperty("removedAt", out var removedAt) && !IsTime(removedAt) ? "removedAt is no time" : null)
        ?? (entry.TryGetProperty("admittedAt", out var admittedAt) && !IsTime(admittedAt) ? "admittedAt is no time" : null)
        ?? (Text(entry, "joinedWith") is not { } joinedWith || (joinedWith.Length > 0 && !IsPrintable(joinedWith, MaxNameLength)) ? $"joinedWith must be at most {MaxNameLength} printable characters" : null)
        ?? Servers(entry)
        ?? Trust(entry)
        ?? Kind(entry)
        ?? Signature(entry);

    /// <inheritdoc cref="Node"/>
    public static string? Token(string id, JsonElement entry) =>
        Object(entry, s_token, Carriers.IsCarrier(id) ? Carriers.MaxBytes : MaxEntryBytes) is { } complaint ? complaint
        : Text(entry, "id", required: true) is not { } own || own != id ? "id differs from its key"
        : !IsPrintable(id, MaxNameLength) || id.Contains(' ', StringComparison.Ordinal) ? $"id must be 1 to {MaxNameLength} printable characters without spaces"
        : Text(entry, "secretHash", required: true) is not { } hash || !(IsPin(hash) || (Carriers.IsCarrier(id) && IsPrintable(hash, Carriers.MaxBytes))) ? "secretHash is no SHA-256"
        : !entry.TryGetProperty("createdAt", out var created) || !IsTime(created) ? "createdAt is no time"
        : entry.TryGetProperty("expiresAt", out var expires) && expires.ValueKind != JsonValueKind.Null && !IsTime(expires) ? "expiresAt is no time"
        : Flag(entry, "revoked") ?? Counter(entry, "incarnation", 1) ?? Uses(entry) ?? Kind(entry) ?? Signature(entry);

    /// <inheritdoc cref="Node"/>
    public static string? Setting(string name, JsonElement entry) =>
        Object(entry, s_setting) is { } complaint ? complaint
        : Text(entry, "name", required: true) is not { } own || own != name ? "name differs from its key"
        : !IsSettingName(name) ? "name must be at most 64 lower-case letters, digits, dots and dashes, and begin with a letter"
        : !entry.TryGetProperty("version", out _) ? "version is missing"
        : Counter(entry, "version", 1)
        ?? (IsUuid(Text(entry, "writer", required: true)) ? null : "writer is not a UUID")
        ?? Flag(entry, "deleted")
        ?? (entry.TryGetProperty("value", out var value) ? ValueComplaint(value) : entry.TryGetProperty("deleted", out var deleted) && deleted.ValueKind == JsonValueKind.True ? null : "value is missing")
        ?? (entry.TryGetProperty("signed", out _) ? Signature(entry) : "it is not signed");

    /// <summary>Why a value cannot be a setting's value, or null.</summary>
    public static string? ValueComplaint(JsonElement value) =>
        CanonicalJson.Complaint(value, "value") ?? (CanonicalJson.Of(value).Length > MaxValueBytes ? $"value is larger than {MaxValueBytes} bytes" : null);

    public static bool IsSettingName(string name) => name.Length is > 0 and <= 64 && char.IsAsciiLetterLower(name[0]) && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '-');

    /// <summary>Why an unknown field of the document is refused, or null.</summary>
    public static string? Unknown(string name, JsonElement value) =>
        !IsPrintable(name, 64) ? "its name is too long" : CanonicalJson.Complaint(value, name) ?? (CanonicalJson.Of(value).Length > MaxValueBytes ? $"it is larger than {MaxValueBytes} bytes" : null);

    public static bool IsUuid(string? text) => Guid.TryParseExact(text, "D", out var id) && id.ToString() == text;

    public static bool IsPin(string? text) => text is { Length: 64 } && text.All(char.IsAsciiHexDigitLower);

    private static string? Object(JsonElement entry, string[] known, int maxBytes = MaxEntryBytes)
    {
        if (entry.ValueKind != JsonValueKind.Object) return "it is not an object";
        if (CanonicalJson.Complaint(entry) is { } complaint) return complaint;
        if (Strangers(entry, known) is { } strangers) return strangers;
        return CanonicalJson.Of(entry).Length > maxBytes ? $"it is larger than {maxBytes} bytes" : null;
    }

    private static string? Strangers(JsonElement entry, string[] known) =>
        entry.EnumerateObject().Count(m => !known.Contains(m.Name)) > MaxUnknown ? $"it has more than {MaxUnknown} fields that this release does not know" : null;

    private static string? Ports(JsonElement entry)
    {
        if (!entry.TryGetProperty("ports", out var ports)) return null;
        if (ports.ValueKind != JsonValueKind.Object) return "ports is not an object";
        if (ports.EnumerateObject().Count() > MaxPorts) return $"ports has more than {MaxPorts} members";
        return ports.EnumerateObject().Where(p => !IsPort(p.Value, 1)).Select(p => $"ports.{p.Name} is {Shown(p.Value)}; a port is 1 to 65535").FirstOrDefault();
    }

    private static string? Trust(JsonElement entry)
    {
        if (!entry.TryGetProperty("trust", out var trust)) return null;
        if (trust.ValueKind != JsonValueKind.Object) return "trust is not an object";
        if (trust.EnumerateObject().Count() > MaxServersOfNode) return $"trust has more than {MaxServersOfNode} members";
        return trust.EnumerateObject().Where(t => !IsWord(t.Name, 32) || !IsWord(AsText(t.Value), 64)).Select(t => $"trust.{t.Name} is not a word").FirstOrDefault();
    }

    private static string? Servers(JsonElement entry)
    {
        if (!entry.TryGetProperty("servers", out var servers)) return null;
        if (servers.ValueKind != JsonValueKind.Array) return "servers is not a list";
        if (servers.GetArrayLength() > MaxServersOfNode) return $"servers has more than {MaxServersOfNode} items";
        return servers.EnumerateArray().Select((server, i) => Server(server) is { } complaint ? $"servers[{i}]{complaint}" : null).FirstOrDefault(c => c is not null);
    }

    private static string? Server(JsonElement server) =>
        server.ValueKind != JsonValueKind.Object ? " is not an object"
        : Strangers(server, s_server) is { } strangers ? ": " + strangers
        : !IsWord(Text(server, "role", required: true), 32) ? ".role is not a name"
        : !IsWord(Text(server, "managedBy", required: true), 32) ? ".managedBy is not a name"
        : !IsWord(Text(server, "state", required: true), 32) ? ".state is not a name"
        : Text(server, "raftId", required: true) is not { } raftId || !IsPrintable(raftId, MaxNameLength) || raftId.Contains(' ', StringComparison.Ordinal) ? ".raftId must be 1 to 128 printable characters without spaces"
        : Text(server, "keys") is not { } keys || (keys.Length > 0 && !IsPrintable(keys, MaxValueBytes)) ? ".keys is not text"
        : s_serverPorts.Where(p => !server.TryGetProperty(p, out var port) || !IsPort(port, 0)).Select(p => $".{p} is not a port").FirstOrDefault();

    private static string? Signature(JsonElement entry)
    {
        if (!entry.TryGetProperty("signed", out var signed)) return null;
        return signed.ValueKind != JsonValueKind.Object ? "signed is not an object"
            : Strangers(signed, s_signature) is { } strangers ? "signed: " + strangers
            : !IsUuid(Text(signed, "by", required: true)) ? "signed.by is not a UUID"
            : !IsWord(Text(signed, "kind", required: true), 32) ? "signed.kind is not a name"
            : Bytes(signed, "key") is not (> 0 and <= 256) ? "signed.key is not a public key"
            : Bytes(signed, "proof") != 64 ? "signed.proof is not a signature"
            : Bytes(signed, "value") != 64 ? "signed.value is not a signature"
            : null;
    }

    private static string? Counter(JsonElement entry, string name, long least) =>
        !entry.TryGetProperty(name, out var value) || (value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) && number >= least && number <= MaxIncarnation)
            ? null : $"{name} is {Shown(value)}; it must be a whole number from {least} to {MaxIncarnation}";

    private static string? Uses(JsonElement entry) =>
        !entry.TryGetProperty("uses", out var uses) || (uses.ValueKind == JsonValueKind.Number && uses.TryGetInt32(out var number) && number is >= 1 and <= MaxNodes)
            ? null : $"uses is {Shown(uses)}; it must be a whole number from 1 to {MaxNodes}";

    /// <summary>A newer release may have more kinds. They are kept and passed on.</summary>
    private static string? Kind(JsonElement entry) => entry.TryGetProperty("kind", out var kind) && !IsWord(AsText(kind), 32) ? "kind is not a name" : null;

    private static string? Flag(JsonElement entry, string name) =>
        !entry.TryGetProperty(name, out var value) || value.ValueKind is JsonValueKind.True or JsonValueKind.False ? null : $"{name} is not true or false";

    /// <summary>The text of a member. Empty if an optional member is missing. Null if it is not text, or if a required member is missing.</summary>
    private static string? Text(JsonElement entry, string name, bool required = false) => entry.TryGetProperty(name, out var value) ? AsText(value) : required ? null : "";

    private static string? AsText(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static int? Bytes(JsonElement entry, string name) =>
        entry.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.TryGetBytesFromBase64(out var bytes) ? bytes.Length : null;

    private static bool IsPort(JsonElement value, int least) => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var port) && port >= least && port <= IPEndPoint.MaxPort;

    private static bool IsTime(JsonElement value) => value.ValueKind == JsonValueKind.String && value.TryGetDateTimeOffset(out _);

    private static bool IsPrintable(string text, int most) => text.Length > 0 && text.Length <= most && !text.Any(char.IsControl);

    private static bool IsWord(string? text, int most) => text is { Length: > 0 } && text.Length <= most && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    /// <summary>.NET also reads "1" and "0x7f.1" as addresses. Only the form that .NET itself writes is accepted for IPv4.</summary>
    private static bool IsAddress(string? text) =>
        text is { Length: <= 64 } && IPAddress.TryParse(text, out var address)
        && (address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 || address.ToString() == text)
        && !address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any) && !address.Equals(IPAddress.Broadcast);

    private static string Shown(JsonElement value) => value.GetRawText() is { Length: <= 40 } text ? text : value.GetRawText()[..40] + "…";
}
