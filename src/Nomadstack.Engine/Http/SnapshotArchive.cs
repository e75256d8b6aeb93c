// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Formats.Tar;
using System.Globalization;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Raft;

namespace Nomadstack.Engine.Http;

/// <summary>
/// A saved state in the wrapping that Nomad's tools check: a compressed archive of what it is about, the state, and the checksums of both. The state looks to them like one of
/// Nomad's: an empty header and one record, of a type that Nomad does not know, so that <c>snapshot inspect</c> can count it.
/// </summary>
internal static class SnapshotArchive
{
    /// <summary>Of the state, unpacked.</summary>
    public const int MaxStateBytes = 128 * 1024 * 1024;

    /// <summary>MessagePack's empty map and its word for bytes of a 32-bit length; between them Nomad's type of a record, one that it has not.</summary>
    private const byte EmptyMap = 0x80, OurRecord = 0xFE, Bytes32 = 0xC6;

    private const int PrefixBytes = 7;

    private const string Meta = "meta.json", State = "state.bin", Sums = "SHA256SUMS";

    /// <summary>Writes it to a file without a name, which is gone with the stream or the process: no more of it than a block is in memory at a time.</summary>
    /// <param name="folder">Where that file is for as long as it lasts.</param>
    /// <param name="save">Writes the state.</param>
    /// <returns>The archive from its beginning, and the header with which a client checks what arrived.</returns>
    public static (FileStream Archive, string Digest) Write(string folder, long index, RaftStatus? raft, Action<Stream> save, DateTimeOffset at)
    {
        using var state = Unnamed(folder);
        state.Write([EmptyMap, OurRecord, Bytes32, 0, 0, 0, 0]);
        save(state);
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(length, checked((int)(state.Length - PrefixBytes)));
        state.Position = PrefixBytes - length.Length;
        state.Write(length);
        state.Position = 0;
        var hash = Convert.ToHexStringLower(SHA256.HashData(state));
        state.Position = 0;
        var servers = (raft?.Configuration ?? RaftConfiguration.Empty).Servers.Select(s => (JsonNode)new JsonObject { ["Suffrage"] = s.Suffrage == Suffrage.Voter ? 0 : 1, ["ID"] = s.Id, ["Address"] = s.Address });
        var meta = Encoding.UTF8.GetBytes(new JsonObject
        {
            ["Version"] = 1,
            ["ID"] = string.Create(CultureInfo.InvariantCulture, $"{raft?.Term ?? 0}-{index}-{at.ToUnixTimeMilliseconds()}"),
            ["Index"] = index,
            ["Term"] = raft?.Term ?? 0,
            ["Peers"] = null,
            ["Configuration"] = new JsonObject { ["Servers"] = new JsonArray([.. servers]) },
            ["ConfigurationIndex"] = 0,
            ["Size"] = state.Length,
        }.ToJsonString());
        var sums = Encoding.UTF8.GetBytes($"{Hex(meta)}  {Meta}\n{hash}  {State}\n");

        var archive = Unnamed(folder);
        using (var gzip = new GZipStream(archive, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(gzip, TarEntryFormat.Ustar))
        {
            foreach (var (name, content) in new (string, Stream)[] { (Meta, new MemoryStream(meta)), (State, state), (Sums, new MemoryStream(sums)) })
                tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = content, ModificationTime = at, Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        }

        archive.Position = 0;
        var digest = "sha-256=" + Convert.ToBase64String(SHA256.HashData(archive));
        archive.Position = 0;
        return (archive, digest);
    }

    /// <returns>The state.</returns>
    /// <exception cref="InvalidDataException">No archive, or one that was damaged.</exception>
    public static ReadOnlyMemory<byte> Read(ReadOnlyMemory<byte> archive)
    {
        var left = MaxStateBytes;
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        using (var gzip = new GZipStream(Reader(archive), CompressionMode.Decompress))
        using (var tar = new TarReader(gzip))
        {
            while (tar.GetNextEntry() is { } entry)
            {
                // A small archive may unpack to any size.
                if (entry.Length > left)
                    throw new InvalidDataException($"the archive unpacks to more than {MaxStateBytes} bytes, which is all that nomadstack's embedded engine restores");
                left -= (int)entry.Length;
                var content = new byte[entry.Length];
                entry.DataStream?.ReadExactly(content);
                files[entry.Name] = content;
            }
        }

        foreach (var name in new[] { Meta, State, Sums })
            if (!files.ContainsKey(name)) throw new InvalidDataException($"the archive lacks {name}");
        var sums = Encoding.UTF8.GetString(files[Sums]);
        foreach (var name in new[] { Meta, State })
            if (!sums.Contains($"{Hex(files[name])}  {name}", StringComparison.Ordinal)) throw new InvalidDataException($"hash check failed for \"{name}\"");
        // Release 0.1.0 wrote the state as it is; it begins with a brace.
        return files[State] is [EmptyMap, OurRecord, Bytes32, ..] and { Length: >= PrefixBytes } state ? state.AsMemory(PrefixBytes) : files[State];
    }

    private static FileStream Unnamed(string folder)
    {
        var path = Path.Combine(folder, Path.GetRandomFileName());
        var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        File.Delete(path);
        return file;
    }

    /// <summary>A stream over bytes, not over a copy of them.</summary>
    public static Stream Reader(ReadOnlyMemory<byte> bytes) =>
        MemoryMarshal.TryGetArray(bytes, out var array) ? new MemoryStream(array.Array!, array.Offset, array.Count, writable: false) : new MemoryStream(bytes.ToArray());

    private static string Hex(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));
}
