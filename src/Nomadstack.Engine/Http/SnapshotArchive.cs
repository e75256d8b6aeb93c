// SPDX-License-Identifier: MPL-2.0
using System.Formats.Tar;
using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Raft;

namespace Nomadstack.Engine.Http;

/// <summary>A saved state in the wrapping that Nomad's tools check: a compressed archive of what it is about, the state, and the checksums of both.</summary>
internal static class SnapshotArchive
{
    private const string Meta = "meta.json", State = "state.bin", Sums = "SHA256SUMS";

    public static byte[] Write(long index, RaftStatus? raft, byte[] state, DateTimeOffset at)
    {
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
        var sums = Encoding.UTF8.GetBytes($"{Hex(meta)}  {Meta}\n{Hex(state)}  {State}\n");

        using var buffer = new MemoryStream();
        using (var gzip = new GZipStream(buffer, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(gzip, TarEntryFormat.Ustar))
        {
            foreach (var (name, content) in new[] { (Meta, meta), (State, state), (Sums, sums) })
                tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content), ModificationTime = at, Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        }

        return buffer.ToArray();
    }

    /// <returns>The state.</returns>
    /// <exception cref="InvalidDataException">No archive, or one that was damaged.</exception>
    public static byte[] Read(ReadOnlyMemory<byte> archive)
    {
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        using (var gzip = new GZipStream(new MemoryStream(archive.ToArray()), CompressionMode.Decompress))
        using (var tar = new TarReader(gzip))
        {
            while (tar.GetNextEntry() is { } entry)
            {
                using var content = new MemoryStream();
                entry.DataStream?.CopyTo(content);
                files[entry.Name] = content.ToArray();
            }
        }

        foreach (var name in new[] { Meta, State, Sums })
            if (!files.ContainsKey(name)) throw new InvalidDataException($"the archive lacks {name}");
        var sums = Encoding.UTF8.GetString(files[Sums]);
        foreach (var name in new[] { Meta, State })
            if (!sums.Contains($"{Hex(files[name])}  {name}", StringComparison.Ordinal)) throw new InvalidDataException($"hash check failed for \"{name}\"");
        return files[State];
    }

    /// <summary>For the header with which a client checks what arrived.</summary>
    public static string Digest(byte[] archive) => "sha-256=" + Convert.ToBase64String(SHA256.HashData(archive));

    private static string Hex(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));
}
