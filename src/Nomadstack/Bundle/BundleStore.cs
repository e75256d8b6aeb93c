// SPDX-License-Identifier: MPL-2.0
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json.Serialization;
using Nomadstack.Cluster;
using Nomadstack.Preflight;
using Nomadstack.Storage;

namespace Nomadstack.Bundle;

/// <summary>
/// The programs of a bundle on disk: <c>bundle/HASH/</c>, and the one used before it. They are unpacked when first needed, by one process at a time,
/// into a temporary folder that is then renamed. They are checked before every use, and unpacked again if a file has changed.
/// </summary>
internal sealed class BundleStore(NodePaths paths, TimeProvider time)
{
    /// <summary>Unpacking two programs takes seconds. A disk that takes longer has other troubles.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(120);

    private static readonly TimeSpan s_again = TimeSpan.FromMilliseconds(50);

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Executable = OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private string Root => Path.Combine(paths.Data, "bundle");

    /// <summary>The folder with the programs that <paramref name="self"/> carries, ready to run; null when it carries none.</summary>
    /// <exception cref="ProblemException"><c>bundle/*</c> or <c>storage/*</c>.</exception>
    public async Task<string?> UnpackAsync(string self, CancellationToken cancel)
    {
        if (Trailer.Read(self) is not { } bundle) return null;
        var target = Target(bundle.Trailer);
        // Without the lock: at nearly every start nothing has changed.
        if (Noted(State)?.Current == Path.GetFileName(target) && IsAsRecorded(target, bundle.Index)) return target;
        try
        {
            DurableFolders.CreateOwn(paths.Data);
            DurableFolders.Create(Root, OwnerOnly);
            if (Mount.Of(Path.GetFullPath(Root), await File.ReadAllTextAsync("/proc/self/mountinfo", cancel)) is { NoExec: true } mount)
                throw new ProblemException(BundleProblems.NoExec(Root, mount.Point));
            using var alone = await LockAsync(cancel);
            if (!IsAsRecorded(target, bundle.Index) && !await IsWholeAsync(target, bundle.Index, cancel)) await UnpackAsync(self, bundle.Trailer, bundle.Index, target, cancel);
            MakeCurrent(target);
            return target;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(BundleProblems.NotUnpacked(target, Root, e.Message), e);
        }
    }

    /// <summary>The folder that <see cref="UnpackAsync(string, CancellationToken)"/> would return, if it exists already. Changes nothing.</summary>
    public string? Unpacked(string self) => Trailer.Read(self) is { } bundle && Target(bundle.Trailer) is var target && Directory.Exists(target) && IsAsRecorded(target, bundle.Index) ? target : null;

    private string Target(Trailer trailer) => Path.Combine(Root, trailer.Hash[..16]);

    private async Task UnpackAsync(string self, Trailer trailer, BundleIndex index, string target, CancellationToken cancel)
    {
        var beside = Path.Combine(Root, "." + Path.GetFileName(target));
        if (Directory.Exists(beside)) Directory.Delete(beside, recursive: true);
        Directory.CreateDirectory(beside);
        try
        {
            await using var from = File.OpenRead(self);
            var at = trailer.Start;
            foreach (var program in index.Programs)
            {
                from.Position = at;
                at += program.Packed;
                var file = Path.Combine(beside, program.Name);
                if (await ExtractAsync(from, file, program.Size, cancel) != program.Sha256) throw Trailer.Damaged(self, $"the SHA-256 of {program.Name} is wrong");
            }

            Remember(beside, index);
            DurableFolders.Sync(beside);
            // A folder that is no longer complete is replaced. Programs that run from it keep their files.
            if (Directory.Exists(target)) Directory.Delete(target, recursive: true);
            Directory.Move(beside, target);
            DurableFolders.Sync(Root, paths.Data);
        }
        catch (InvalidDataException e)
        {
            throw Trailer.Damaged(self, $"it cannot be unpacked ({e.Message.TrimEnd('.')})");
        }
        finally
        {
            if (Directory.Exists(beside)) Directory.Delete(beside, recursive: true);
        }
    }

    private static async Task<string> ExtractAsync(FileStream from, string file, long size, CancellationToken cancel)
    {
        using var sum = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using (var packed = new GZipStream(from, CompressionMode.Decompress, leaveOpen: true))
        await using (var to = new FileStream(file, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Executable }))
        {
            var buffer = new byte[1 << 20];
            // Not to the end of the stream: the next program follows.
            while (size > 0)
            {
                var n = await packed.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, size)), cancel);
                if (n == 0) break;
                sum.AppendData(buffer, 0, n);
                await to.WriteAsync(buffer.AsMemory(0, n), cancel);
                size -= n;
            }

            to.Flush(flushToDisk: true);
        }

        File.SetUnixFileMode(file, Executable);
        return Convert.ToHexStringLower(sum.GetHashAndReset());
    }

    /// <summary>Compares only size, time and mode.</summary>
    private static bool IsAsRecorded(string folder, BundleIndex index) =>
        Noted(RecordOf(folder)) is { } record && index.Programs.All(p => record.Stamps.GetValueOrDefault(p.Name) is { } stamp && stamp == Stamp(Path.Combine(folder, p.Name)));

    /// <summary>Compares the content. A file with another time but the same content is recorded with its new time.</summary>
    private static async Task<bool> IsWholeAsync(string folder, BundleIndex index, CancellationToken cancel)
    {
        foreach (var program in index.Programs)
        {
            var file = Path.Combine(folder, program.Name);
            if (!File.Exists(file)) return false;
            await using var stream = File.OpenRead(file);
            if (stream.Length != program.Size || Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancel)) != program.Sha256) return false;
        }

        foreach (var program in index.Programs) File.SetUnixFileMode(Path.Combine(folder, program.Name), Executable);
        Remember(folder, index);
        return true;
    }

    private static void Remember(string folder, BundleIndex index) =>
        RecordOf(folder).Write(new() { Stamps = index.Programs.ToDictionary(p => p.Name, p => Stamp(Path.Combine(folder, p.Name))!) });

    private static DurableFile<BundleRecord> RecordOf(string folder) => new(Path.Combine(folder, "bundle.json"), 1, BundleStoreJson.Default.BundleRecord);

    /// <summary>The content of a note, or null if it cannot be read. Then the programs themselves are checked and the note is written again.</summary>
    private static T? Noted<T>(DurableFile<T> file)
        where T : class, IHasSchema
    {
        try
        {
            return file.Read();
        }
        catch (ProblemException)
        {
            return null;
        }
    }

    private static string? Stamp(string file)
    {
        var info = new FileInfo(file);
        return info.Exists ? FormattableString.Invariant($"{info.Length}:{info.LastWriteTimeUtc.Ticks}:{(int)info.UnixFileMode}") : null;
    }

    private DurableFile<BundleState> State => new(Path.Combine(Root, "state.json"), 1, BundleStoreJson.Default.BundleState);

    /// <summary>The previous bundle stays, so that one can go back to it. Older ones are deleted.</summary>
    private void MakeCurrent(string target)
    {
        var name = Path.GetFileName(target);
        var before = Noted(State) ?? new();
        if (before.Current == name) return;
        State.Write(new() { Current = name, Previous = before.Current });
        foreach (var folder in Directory.EnumerateDirectories(Root).Where(f => Path.GetFileName(f) != name && Path.GetFileName(f) != before.Current)) Directory.Delete(folder, recursive: true);
    }

    private async Task<FolderLock> LockAsync(CancellationToken cancel)
    {
        var since = time.GetTimestamp();
        while (true)
        {
            if (FolderLock.TryTake(Root) is { } alone) return alone;
            if (time.GetElapsedTime(since) > s_patience)
                throw new ProblemException(BundleProblems.Busy(Root, s_patience));
            await Task.Delay(s_again, time, cancel);
        }
    }
}

/// <summary>Size, time and mode of each program when its content was last checked.</summary>
internal sealed record BundleRecord : IHasSchema
{
    public int Schema { get; init; } = 1;

    /// <summary>Size, time and mode, by name.</summary>
    public IReadOnlyDictionary<string, string> Stamps { get; set; } = new Dictionary<string, string>();
}

/// <summary>Names of folders.</summary>
internal sealed record BundleState : IHasSchema
{
    public int Schema { get; init; } = 1;

    public string? Current { get; init; }

    public string? Previous { get; init; }
}

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(BundleRecord))]
[JsonSerializable(typeof(BundleState))]
internal sealed partial class BundleStoreJson : JsonSerializerContext;
