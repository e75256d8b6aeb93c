// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Text.Json;
using Nomadstack.Products;

namespace Nomadstack.HashiCorp.RaftData;

/// <summary>A snapshot of raft's, <c>snapshots/TERM-INDEX-MILLISECONDS/</c> with <c>meta.json</c> and <c>state.bin</c> (raft, file_snapshot.go).</summary>
internal sealed record RaftSnapshot(string Name, RaftPosition Last, RaftPeers Configuration)
{
    private const string Folder = "snapshots", Unfinished = ".tmp";
    private const int MostMetaBytes = 4 * 1024 * 1024;

    /// <summary>The names of the finished snapshots: they change when raft takes one.</summary>
    public static IReadOnlyList<string> Names(string raft)
    {
        var folder = Path.Combine(raft, Folder);
        if (!Directory.Exists(folder)) return [];
        var names = Directory.EnumerateDirectories(folder).Select(f => Path.GetFileName(f)!);
        return [.. names.Where(n => !n.EndsWith(Unfinished, StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
    }

    /// <summary>The newest that raft itself would restore: it passes over those that are damaged. Null if there is none.</summary>
    /// <param name="damage">What is wrong with those that were passed over.</param>
    public static RaftSnapshot? Newest(string raft, IReadOnlyList<string> names, List<string> damage, CancellationToken cancel)
    {
        var read = names.Select(name => ReadMeta(Path.Combine(raft, Folder, name), damage)).OfType<MetaOnDisk>();
        var newestFirst = read.OrderByDescending(m => m.Snapshot.Last.Term)
            .ThenByDescending(m => m.Snapshot.Last.Index).ThenByDescending(m => m.Snapshot.Name, StringComparer.Ordinal);
        foreach (var meta in newestFirst)
        {
            if (StateIsWhole(Path.Combine(raft, Folder, meta.Snapshot.Name), meta, damage, cancel)) return meta.Snapshot;
        }

        return null;
    }

    /// <param name="Size">Of <c>state.bin</c>, in bytes.</param>
    /// <param name="Checksum">CRC-64 of <c>state.bin</c>.</param>
    private sealed record MetaOnDisk(RaftSnapshot Snapshot, long Size, byte[] Checksum);

    private static MetaOnDisk? ReadMeta(string folder, List<string> damage)
    {
        var name = Path.GetFileName(folder);
        try
        {
            using var file = DiskFile.Open(Path.Combine(folder, "meta.json"));
            using var document = JsonDocument.Parse(file.Whole.Bytes(MostMetaBytes));
            var meta = document.RootElement;
            List<RaftPeer> peers = [];
            if (meta.GetProperty("Configuration"u8).GetProperty("Servers"u8) is { ValueKind: JsonValueKind.Array } servers)
                peers.AddRange(servers.EnumerateArray().Select(Peer));
            var last = new RaftPosition(meta.GetProperty("Index").GetInt64(), meta.GetProperty("Term").GetInt64());
            var configuration = new RaftPeers(meta.GetProperty("ConfigurationIndex").GetInt64(), peers);
            return new(new(name, last, configuration), meta.GetProperty("Size").GetInt64(), meta.GetProperty("CRC").GetBytesFromBase64());
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or KeyNotFoundException
            or RaftDataException or IOException or UnauthorizedAccessException)
        {
            damage.Add($"{name}/meta.json cannot be read ({e.Message.TrimEnd('.')})");
            return null;
        }
    }

    private static RaftPeer Peer(JsonElement server) =>
        new(server.GetProperty("ID").GetString() ?? "", server.GetProperty("Address").GetString() ?? "", server.GetProperty("Suffrage").GetInt32() == Suffrage.Voter);

    private static bool StateIsWhole(string folder, MetaOnDisk meta, List<string> damage, CancellationToken cancel)
    {
        var name = $"{meta.Snapshot.Name}/state.bin";
        try
        {
            using var file = DiskFile.Open(Path.Combine(folder, "state.bin"));
            if (file.Length != meta.Size)
            {
                damage.Add($"{name} has {file.Length} bytes and should have {meta.Size}");
                return false;
            }

            if (Crc64.Of(file.Whole, cancel).AsSpan().SequenceEqual(meta.Checksum)) return true;
            damage.Add($"{name} does not have its checksum");
            return false;
        }
        catch (Exception e) when (e is RaftDataException or IOException or UnauthorizedAccessException)
        {
            damage.Add($"{name} cannot be read ({e.Message.TrimEnd('.')})");
            return false;
        }
    }
}

/// <summary>The checksum of Go's hash/crc64 with its ECMA polynomial, the highest byte first.</summary>
internal static class Crc64
{
    /// <summary>The polynomial of ECMA-182 with its bits reversed (Go, crc64.ECMA).</summary>
    private const ulong Polynomial = 0xC96C5795D7870F42;

    private static readonly ulong[] s_table = [.. Enumerable.Range(0, 256).Select(i => Step((ulong)i))];

    public static byte[] Of(FilePart part, CancellationToken cancel)
    {
        var crc = ulong.MaxValue;
        var block = new byte[16 * 1024];
        for (var at = 0L; at < part.Length; at += block.Length)
        {
            cancel.ThrowIfCancellationRequested();
            var bytes = block.AsSpan(0, (int)Math.Min(block.Length, part.Length - at));
            part.Read(at, bytes);
            foreach (var b in bytes) crc = s_table[(byte)crc ^ b] ^ (crc >> 8);
        }

        var sum = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(sum, ~crc);
        return sum;
    }

    private static ulong Step(ulong crc)
    {
        for (var bit = 0; bit < 8; bit++) crc = (crc & 1) == 0 ? crc >> 1 : (crc >> 1) ^ Polynomial;
        return crc;
    }
}
