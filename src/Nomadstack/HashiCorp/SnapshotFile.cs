// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Nomadstack.Archives;
using Nomadstack.Products;

namespace Nomadstack.HashiCorp;

/// <summary>
/// A snapshot file as both products write it: a compressed tar of <c>meta.json</c>, <c>state.bin</c> and their sums in <c>SHA256SUMS</c> (helper/snapshot of Nomad 2.0.5).
/// </summary>
internal static class SnapshotFile
{
    private const string Meta = "meta.json", State = "state.bin", Sums = "SHA256SUMS";

    /// <summary>For the two small files: <c>meta.json</c> has 500 bytes, and more with the configuration of each server.</summary>
    private const long MostSmall = 1 << 20;

    /// <summary>The last field of a compressed file (RFC 1952, ISIZE). .NET reads a file that lacks its end without a word.</summary>
    private static uint LengthAtEnd(Stream from)
    {
        var end = new byte[sizeof(uint)];
        from.Seek(-end.Length, SeekOrigin.End);
        from.ReadExactly(end);
        return BinaryPrimitives.ReadUInt32LittleEndian(end);
    }

    private sealed class Counted(Stream from) : ReadOnlyStream
    {
        public long Count { get; private set; }

        public override int Read(Span<byte> buffer)
        {
            var read = from.Read(buffer);
            Count += read;
            return read;
        }
    }

    /// <summary>Reads it to its end. Needs no more memory for a large one.</summary>
    /// <param name="from">Can seek.</param>
    /// <exception cref="InvalidDataException">What is wrong with it.</exception>
    public static SnapshotFacts Read(Stream from)
    {
        try
        {
            using var packed = new GZipStream(from, CompressionMode.Decompress, leaveOpen: true);
            using var clear = new Counted(packed);
            using var tar = new TarReader(clear, leaveOpen: true);
            Dictionary<string, string> found = [];
            Dictionary<string, byte[]> small = [];
            var size = 0L;
            while (tar.GetNextEntry() is { } entry)
            {
                if (entry.Name == State)
                {
                    size = entry.Length;
                    found[State] = Convert.ToHexStringLower(SHA256.HashData(entry.DataStream ?? Stream.Null));
                    continue;
                }

                if (entry.Name is not (Meta or Sums) || entry.Length > MostSmall) throw new InvalidDataException($"it contains {entry.Name}");
                var content = new byte[entry.Length];
                entry.DataStream?.ReadExactly(content);
                small[entry.Name] = content;
                if (entry.Name == Meta) found[Meta] = Convert.ToHexStringLower(SHA256.HashData(content));
            }

            clear.CopyTo(Stream.Null);
            if (clear.Count == 0 || (uint)clear.Count != LengthAtEnd(from)) throw new InvalidDataException("its end is missing");
            var sums = Encoding.ASCII.GetString(small.GetValueOrDefault(Sums) ?? throw new InvalidDataException("it has no sums"));
            var expected = sums.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(l => l.Length == 2).ToDictionary(l => l[1], l => l[0]);
            foreach (var name in (string[])[Meta, State])
            {
                if (!found.TryGetValue(name, out var sum) || expected.GetValueOrDefault(name) != sum) throw new InvalidDataException($"{name} in it does not match its sum");
            }

            using var meta = JsonDocument.Parse(small[Meta]);
            if (meta.RootElement.TryGetProperty("Size", out var told) && told.GetInt64() is > 0 and var bytes && bytes != size) throw new InvalidDataException($"{State} in it has {size} bytes, and should have {bytes}");
            return new(meta.RootElement.GetProperty("Index").GetInt64(), meta.RootElement.GetProperty("Term").GetInt64());
        }
        catch (Exception e) when (e is IOException or JsonException or KeyNotFoundException or FormatException or InvalidOperationException)
        {
            throw new InvalidDataException($"it is not whole, or no snapshot: {e.Message}", e);
        }
    }
}
