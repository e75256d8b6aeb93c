// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>Names of the settings that this release reads. A newer release may have more. They are kept and passed on.</summary>
internal static class SettingNames
{
    /// <summary>Most servers of each product: 1, 3 or 5.</summary>
    public const string MaxServers = "servers.max";

    /// <summary>The names of the stack's products.</summary>
    public const string Products = "products";

    /// <summary>What provides Nomad: <see cref="Programs.EngineKind"/>.</summary>
    public const string Engine = "engine";

    /// <summary>How far the cluster is closed to strangers. A cluster of release 0.1.0 has no such setting and is plain.</summary>
    public const string SecurityPhase = "security.phase";

    /// <summary>Seconds between two snapshots; 0 for none.</summary>
    public const string SnapshotEvery = "snapshot.every";

    /// <summary>For how many seconds every snapshot is kept, and for how many one a day.</summary>
    public const string SnapshotDense = "snapshot.dense", SnapshotThin = "snapshot.thin";

    /// <summary>Where copies go besides the server nodes, such as <c>folder:/path</c> or <c>s3://bucket/prefix</c>; empty for nowhere.</summary>
    public const string SnapshotTarget = "snapshot.target";

    /// <summary>The mark (<c>NUMBER:NAME</c>) that an operator's last restore wrote into the cluster's history: what a node remembers of before does not count against it.</summary>
    public const string Restored = "snapshot.restored";

    public const string Plain = "plain", Secure = "secure";

    /// <summary>On the way from plain to secure: every node gets its certificates. Nothing is closed yet.</summary>
    public const string Preparing = "preparing";

    /// <summary>On the way from plain to secure: every agent starts again closed, and access control is initialised. There is no way back.</summary>
    public const string Closing = "closing";

    /// <summary>How often the majority of a product's voters was given up: a number that only rises. Raft data of an older epoch is of a past that was given up.</summary>
    public static string RecoveryEpoch(string product) => "recovery.epoch." + product;

    /// <summary>The server whose data goes on when the majority of a product's voters is given up: the new <see cref="RecoveryEpoch"/> and the server's raft id.</summary>
    public static string RecoveryKeep(string product) => "recovery.keep." + product;

    /// <summary>The archive that a product's state was restored from, when the cluster was made anew from one.</summary>
    public static string RestoredFrom(string product) => "restored.from." + product;

    /// <summary>The authorities that a product's agents believe, as PEM. The first one signs.</summary>
    public static string Ca(string product) => "ca." + product;

    /// <summary>How often something of a product was asked to be replaced: a number that only rises.</summary>
    /// <param name="what">A kind of rotation, such as <c>certs</c>.</param>
    public static string Rotation(string what, string product) => $"rotation.{what}.{product}";

    /// <summary>How often it was replaced. Less than <see cref="Rotation"/> while that is under way, on whichever node.</summary>
    public static string Rotated(string what, string product) => $"rotated.{what}.{product}";
}

/// <summary>Names of the secrets that this release reads.</summary>
internal static class SecretNames
{
    /// <summary>The token that may do anything.</summary>
    public const string Management = "management";

    /// <summary>What opens the cluster's snapshots.</summary>
    public const string RecoveryKey = "recovery.key";

    /// <summary>The credentials file for the bucket in <see cref="SettingNames.SnapshotTarget"/>.</summary>
    public const string SnapshotCredentials = "snapshot.credentials";

    /// <summary>The private key of the first authority in <see cref="SettingNames.Ca"/>, as PEM.</summary>
    public static string CaKey(string product) => $"ca.{product}.key";

    /// <summary>The key with which a product's agents encrypt gossip, 32 bytes in base64.</summary>
    public static string Gossip(string product) => $"gossip.{product}";

    /// <summary>A token of a product's own access control.</summary>
    public static string Token(string product, string name) => $"token.{product}.{name}";

    /// <summary>What will take the place of a secret, while a rotation is under way.</summary>
    public static string Next(string secret) => secret + ".next";
}

/// <summary>
/// The settings of a cluster at one moment. A setting that nobody has written has its first value, if it has one. That value is
/// version 0, which any write replaces, even with a lower value.
/// </summary>
internal sealed class ClusterSettings(ClusterDocument document)
{
    public int MaxServers => Number(SettingNames.MaxServers) ?? document.FirstMaxServers;

    public string Engine => Text(SettingNames.Engine) ?? document.FirstEngine;

    public IReadOnlyList<string> Products => List(SettingNames.Products) ?? [.. ProductTable.Known.Stack.Where(p => p.Schedules || (p.InFirstRelease && document.FirstWhole)).Select(p => p.Name)];

    /// <summary>How often the majority of a product's voters was given up.</summary>
    public int RecoveryEpoch(string product) => Number(SettingNames.RecoveryEpoch(product)) ?? 0;

    /// <summary>Names of all settings that were written and not deleted, in order.</summary>
    public IReadOnlyList<string> Names => [.. document.Registers.Values.Where(s => !s.Deleted).Select(s => s.Name).Order(StringComparer.Ordinal)];

    /// <summary>The version for a compare-and-set; 0 if nobody has written it. A deletion is a version, too.</summary>
    public long Version(string name) => document.Registers.GetValueOrDefault(name)?.Version ?? 0;

    /// <summary>The last written value, or null if there is none or it was deleted.</summary>
    public JsonElement? Value(string name) => document.Registers.GetValueOrDefault(name) is { Deleted: false } setting ? setting.Value : null;

    /// <summary>The value as text; null if it is not text.</summary>
    public string? Text(string name) => Value(name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    /// <summary>The value as a whole number; null if it is not one.</summary>
    public int? Number(string name) => Value(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var number) ? number : null;

    /// <summary>The value as a list of texts; null if it is not one.</summary>
    public IReadOnlyList<string>? List(string name) =>
        Value(name) is { ValueKind: JsonValueKind.Array } value && value.EnumerateArray().All(e => e.ValueKind == JsonValueKind.String) ? [.. value.EnumerateArray().Select(e => e.GetString()!)] : null;
}
