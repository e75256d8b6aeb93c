// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Nomadstack.Peers;

/// <summary>
/// The exact form of an entry. A received entry keeps the form in which it came, including fields that this release does not know, as long as
/// nobody changes it. So it is passed on unchanged and its signature stays valid. A copy made by <c>with</c> is a new entry with its own form.
/// </summary>
internal static class Entries
{
    private static readonly ConditionalWeakTable<object, Form> s_forms = new();

    /// <summary>The form that is stored, sent, compared and hashed.</summary>
    public static ReadOnlyMemory<byte> Canonical(NodeEntry entry) => FormOf(entry, PeersJson.Default.NodeEntry).Bytes;

    /// <inheritdoc cref="Canonical(NodeEntry)"/>
    public static ReadOnlyMemory<byte> Canonical(TokenEntry entry) => FormOf(entry, PeersJson.Default.TokenEntry).Bytes;

    /// <inheritdoc cref="Canonical(NodeEntry)"/>
    public static ReadOnlyMemory<byte> Canonical(Setting entry) => FormOf(entry, PeersJson.Default.Setting).Bytes;

    /// <summary>The same in letters: it carries an entry through an agent of release 0.1.0, and it decides between two otherwise equal entries, here and there.</summary>
    public static string Payload(NodeEntry entry) => FormOf(entry, PeersJson.Default.NodeEntry).Payload;

    /// <inheritdoc cref="Payload(NodeEntry)"/>
    public static string Payload(TokenEntry entry) => FormOf(entry, PeersJson.Default.TokenEntry).Payload;

    /// <inheritdoc cref="Payload(NodeEntry)"/>
    public static string Payload(Setting entry) => FormOf(entry, PeersJson.Default.Setting).Payload;

    public static string Hash(NodeEntry entry) => FormOf(entry, PeersJson.Default.NodeEntry).Hash;

    public static string Hash(TokenEntry entry) => FormOf(entry, PeersJson.Default.TokenEntry).Hash;

    public static string Hash(Setting entry) => FormOf(entry, PeersJson.Default.Setting).Hash;

    /// <summary>The signed part of an entry that this node makes.</summary>
    public static byte[] Body(NodeEntry entry) => Fresh(entry with { Signed = null }, PeersJson.Default.NodeEntry);

    /// <inheritdoc cref="Body(NodeEntry)"/>
    public static byte[] Body(TokenEntry entry) => Fresh(entry with { Signed = null }, PeersJson.Default.TokenEntry);

    /// <inheritdoc cref="Body(NodeEntry)"/>
    public static byte[] Body(Setting entry) => Fresh(entry with { Signed = null }, PeersJson.Default.Setting);

    /// <summary>The signed part of an entry as it was received.</summary>
    public static byte[] SignedBody(NodeEntry entry) => CanonicalJson.Of(Canonical(entry), "signed");

    /// <inheritdoc cref="SignedBody(NodeEntry)"/>
    public static byte[] SignedBody(TokenEntry entry) => CanonicalJson.Of(Canonical(entry), "signed");

    /// <inheritdoc cref="SignedBody(NodeEntry)"/>
    public static byte[] SignedBody(Setting entry) => CanonicalJson.Of(Canonical(entry), "signed");

    /// <summary>Whether both say the same, whoever signed it.</summary>
    public static bool SayTheSame(NodeEntry a, NodeEntry b) => Body(a).AsSpan().SequenceEqual(Body(b));

    /// <summary>Reads an entry that <see cref="MembershipRules"/> accepted, and keeps its form.</summary>
    public static T Read<T>(JsonElement element, JsonTypeInfo<T> json)
        where T : class
    {
        var bytes = CanonicalJson.Of(element);
        var entry = JsonSerializer.Deserialize(bytes, json)!;
        s_forms.AddOrUpdate(entry, new Form(bytes));
        return entry;
    }

    private static Form FormOf<T>(T entry, JsonTypeInfo<T> json)
        where T : class => s_forms.GetValue(entry, _ => new Form(Fresh(entry, json)));

    private static byte[] Fresh<T>(T entry, JsonTypeInfo<T> json) => CanonicalJson.Of(JsonSerializer.SerializeToUtf8Bytes(entry, json));

    private sealed class Form(byte[] bytes)
    {
        public byte[] Bytes => bytes;

        public string Payload => field ??= Base64Url.EncodeToString(bytes);

        public string Hash => field ??= Convert.ToHexStringLower(SHA256.HashData(bytes).AsSpan(0, 8));
    }
}
