// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Security.Cryptography;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Snapshots;

/// <summary>The snapshots on this node's disk, in <c>snapshots/</c>: <c>NAME.tar.gpg</c> and, once that is whole and on disk, <c>NAME.json</c>.</summary>
internal sealed class SnapshotStore(NodePaths paths)
{
    public const string Extension = ".tar.gpg";

    /// <summary>Files that are being made.</summary>
    public string Staging => Path.Combine(paths.Snapshots, "staging");

    public string PathOf(string name) => Path.Combine(paths.Snapshots, name + Extension);

    /// <summary>A name that sorts by time.</summary>
    public static string NameOf(string clusterId, DateTimeOffset taken) => string.Create(CultureInfo.InvariantCulture, $"{taken.UtcDateTime:yyyyMMdd'T'HHmmss'Z'}-{clusterId[..8]}");

    /// <summary>When a snapshot of this name was taken; null if it is no snapshot of this cluster.</summary>
    public static DateTimeOffset? TakenAt(string name, string clusterId) =>
        name.Split('-', 2) is [var taken, var cluster] && cluster == clusterId[..8] && DateTimeOffset.TryParseExact(taken, "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : null;

    /// <summary>Whether a name from elsewhere may name a file here.</summary>
    public static bool IsName(string name) => name.Length is > 0 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');

    /// <summary>The newest first. An archive that is not whole is not among them.</summary>
    public IReadOnlyList<SnapshotRecord> All =>
        !Directory.Exists(paths.Snapshots) ? [] :
        [.. Directory.EnumerateFiles(paths.Snapshots, "*.json").Select(Read).OfType<SnapshotRecord>()
            .Where(r => new FileInfo(PathOf(r.Name)) is { Exists: true } file && file.Length == r.Size)
            .OrderByDescending(r => r.Manifest.TakenAt)];

    public SnapshotRecord? Find(string name) => All.FirstOrDefault(r => r.Name == name);

    /// <summary>An empty folder for one snapshot's making.</summary>
    public string Begin()
    {
        End();
        DurableFolders.Create(Staging, DurableFolders.OwnerOnly);
        return Staging;
    }

    public void End()
    {
        if (Directory.Exists(Staging)) Directory.Delete(Staging, recursive: true);
    }

    /// <summary>Makes the file of an archive through <paramref name="write"/>; on disk, under its name, when this returns. Without a record it does not count.</summary>
    public async Task<T> WriteAsync<T>(string name, Func<Stream, Task<T>> write)
    {
        DurableFolders.Create(paths.Snapshots, DurableFolders.OwnerOnly);
        return await WholeFile.WriteAsync(paths.Snapshots, name + Extension, write);
    }

    /// <summary>From here on the snapshot counts.</summary>
    public void Keep(SnapshotRecord record) => RecordFile(record.Name).Write(record);

    /// <summary>The record first: an archive without one does not count.</summary>
    public void Delete(string name)
    {
        RecordFile(name).Delete();
        File.Delete(PathOf(name));
        DurableFolders.Sync(paths.Snapshots);
    }

    /// <summary>Deletes what an agent that was killed left behind.</summary>
    public void Sweep()
    {
        End();
        if (!Directory.Exists(paths.Snapshots)) return;
        foreach (var file in Directory.EnumerateFiles(paths.Snapshots, "*" + WholeFile.Part)) File.Delete(file);
        foreach (var file in Directory.EnumerateFiles(paths.Snapshots, "*" + Extension))
        {
            if (!File.Exists(RecordFile(Path.GetFileName(file)[..^Extension.Length]).Path)) File.Delete(file);
        }
    }

    public static async Task<string> SumAsync(string path, CancellationToken cancel)
    {
        await using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancel));
    }

    /// <summary>A record that cannot be read does not count, like an archive that is not whole: the node gets both from another one.</summary>
    private SnapshotRecord? Read(string path)
    {
        try
        {
            return RecordFile(Path.GetFileNameWithoutExtension(path)).Read();
        }
        catch (ProblemException e) when (e.Problem.Code is "storage/torn" or "storage/newer" or "storage/unreadable")
        {
            return null;
        }
    }

    private DurableFile<SnapshotRecord> RecordFile(string name) =>
        new(Path.Combine(paths.Snapshots, name + ".json"), SnapshotRecord.CurrentSchema, SnapshotJson.Default.SnapshotRecord, r => IsName(r.Name) && r.Manifest is not null ? null : "it has no name");
}
