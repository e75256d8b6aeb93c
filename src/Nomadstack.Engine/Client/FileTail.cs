// SPDX-License-Identifier: MPL-2.0
using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>Files that are read one after the other as if they were one.</summary>
internal interface IFileSequence
{
    string Folder { get; }

    /// <summary>The first file after the one of this number; null when there is none yet.</summary>
    (int Number, string Path)? Next(int after);
}

internal sealed class OneFile(string path) : IFileSequence
{
    public string Folder => Path.GetDirectoryName(path)!;

    public (int Number, string Path)? Next(int after) => after < 0 ? (0, path) : null;
}

/// <summary>A task's log: <c>PREFIX0</c>, <c>PREFIX1</c>, of which the oldest go.</summary>
internal sealed class NumberedFiles(string folder, string prefix) : IFileSequence
{
    public string Folder => folder;

    public (int Number, string Path)? Next(int after)
    {
        if (!Directory.Exists(folder)) return null;
        var later = Directory.EnumerateFiles(folder, prefix + "*")
            .Select(path => int.TryParse(Path.GetFileName(path.AsSpan())[prefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? (number, path) : (-1, path))
            .Where(f => f.Item1 > after).OrderBy(f => f.Item1).ToList();
        return later.Count > 0 ? later[0] : null;
    }
}

/// <summary>Sends what is in files, and if wanted what is added to them, from an offset on.</summary>
/// <param name="offset">From the beginning of the first file; negative and with <paramref name="fromEnd"/>: from the end of the last.</param>
/// <param name="limit">How many bytes at most; null for all.</param>
internal sealed class FileTail(IFileSequence files, string root, long offset, bool fromEnd, long? limit, bool follow)
{
    private const int ChunkBytes = 64 * 1024;

    /// <summary>Tells whoever follows that the connection lives.</summary>
    private static readonly TimeSpan s_heartbeat = TimeSpan.FromSeconds(1);

    /// <summary>Until everything was sent; with <c>follow</c> until it is cancelled.</summary>
    public async Task CopyAsync(FileWatch watch, FrameWriter to, TimeProvider time, CancellationToken cancel)
    {
        var changed = new Signal();
        using var subscription = follow ? watch.Watch(files.Folder, changed.Raise) : null;
        var (current, position) = Begin();
        var left = limit ?? long.MaxValue;
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            while (left > 0)
            {
                // Taken before the look, so that no write falls between the two.
                var next = changed.Next;
                while (current is { } file)
                {
                    var later = files.Next(file.Number);
                    (position, left) = await SendAsync(file.Handle, file.Path, position, left, buffer, to, cancel);
                    if (later is null || left == 0) break;
                    file.Handle.Dispose();
                    (current, position) = (Open(later.Value), 0);
                }

                if (current is null && files.Next(-1) is { } first)
                {
                    current = Open(first);
                    continue;
                }

                if (!follow) return;
                await Signal.WithinAsync(next, s_heartbeat, time, cancel);
                if (!next.IsCompleted) await to.HeartbeatAsync(cancel);
            }
        }
        finally
        {
            current?.Handle.Dispose();
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static (int Number, string Path, SafeFileHandle Handle)? Open((int Number, string Path) file) =>
        (file.Number, file.Path, File.OpenHandle(file.Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));

    private ((int Number, string Path, SafeFileHandle Handle)? File, long Position) Begin()
    {
        var all = new List<(int Number, string Path, long Length)>();
        for (var file = files.Next(-1); file is { } f; file = files.Next(f.Number)) all.Add((f.Number, f.Path, new FileInfo(f.Path).Length));
        if (all.Count == 0) return (null, 0);
        var position = fromEnd ? Math.Max(0, all.Sum(f => f.Length) + offset) : offset;
        var index = 0;
        for (; index < all.Count - 1 && position >= all[index].Length; index++) position -= all[index].Length;
        return (Open((all[index].Number, all[index].Path)), Math.Min(position, all[index].Length));
    }

    private async Task<(long Position, long Left)> SendAsync(SafeFileHandle file, string path, long position, long left, byte[] buffer, FrameWriter to, CancellationToken cancel)
    {
        while (left > 0)
        {
            var read = await RandomAccess.ReadAsync(file, buffer.AsMemory(0, (int)Math.Min(ChunkBytes, left)), position, cancel);
            if (read == 0) break;
            await to.DataAsync(Path.GetRelativePath(root, path), position, buffer.AsMemory(0, read), cancel);
            (position, left) = (position + read, left - read);
        }

        return (position, left);
    }
}

/// <summary>Bytes as they are, or in Nomad's frames: JSON objects one after the other, an empty one as a sign of life.</summary>
internal sealed class FrameWriter(Stream to, bool plain)
{
    public async Task DataAsync(string file, long offset, ReadOnlyMemory<byte> data, CancellationToken cancel)
    {
        if (plain)
        {
            await to.WriteAsync(data, cancel);
        }
        else
        {
            var buffer = new ArrayBufferWriter<byte>();
            using (var json = new Utf8JsonWriter(buffer))
            {
                json.WriteStartObject();
                json.WriteNumber("Offset", offset);
                json.WriteBase64String("Data", data.Span);
                json.WriteString("File", file);
                json.WriteEndObject();
            }

            await to.WriteAsync(buffer.WrittenMemory, cancel);
        }

        await to.FlushAsync(cancel);
    }

    public async Task HeartbeatAsync(CancellationToken cancel)
    {
        if (plain) return;
        await to.WriteAsync("{}"u8.ToArray(), cancel);
        await to.FlushAsync(cancel);
    }
}
