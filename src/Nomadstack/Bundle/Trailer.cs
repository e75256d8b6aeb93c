// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Nomadstack.Cluster;

namespace Nomadstack.Bundle;

/// <summary>A program inside a bundle.</summary>
/// <param name="Name"><c>nomad</c> or <c>consul</c>.</param>
/// <param name="Packed">Its bytes in the bundle, compressed by gzip; the programs follow each other in the order of the index.</param>
/// <param name="Sha256">Of the program itself.</param>
internal sealed record BundledProgram(string Name, string Version, long Packed, long Size, string Sha256);

/// <param name="Programs">In the order of their names.</param>
internal sealed record BundleIndex(IReadOnlyList<BundledProgram> Programs);

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(BundleIndex))]
internal sealed partial class BundleJson : JsonSerializerContext;

/// <summary>
/// The end of a bundle: programs, their index, and 64 bytes that say where both are. Everything before it is a nomadstack binary without a
/// bundle, byte for byte. The kernel loads what the headers at the beginning name and ignores the rest.
/// </summary>
/// <param name="Start">Where the programs begin: the length of the plain binary.</param>
/// <param name="IndexLength">Bytes of the index, right before the trailer.</param>
/// <param name="Hash">SHA-256 of the index, in lower case. The index contains the sums of the programs, so this covers everything.</param>
internal sealed record Trailer(long Start, int IndexLength, string Hash)
{
    public const int Length = 64;

    private const uint LayoutVersion = 1;
    private const int MostIndexBytes = 1 << 20;

    private static ReadOnlySpan<byte> Magic => "nomadstack+tail\n"u8;

    /// <summary>The trailer and index of a file; null for a plain binary.</summary>
    /// <exception cref="ProblemException"><c>bundle/newer</c> or <c>bundle/damaged</c>.</exception>
    public static (Trailer Trailer, BundleIndex Index)? Read(string file)
    {
        using var stream = File.OpenRead(file);
        if (stream.Length < Length) return null;
        Span<byte> tail = stackalloc byte[Length];
        stream.Position = stream.Length - Length;
        stream.ReadExactly(tail);
        if (!tail[..16].SequenceEqual(Magic)) return null;
        if (BinaryPrimitives.ReadUInt32LittleEndian(tail[16..]) != LayoutVersion)
            throw new ProblemException(BundleProblems.Newer(file));
        var trailer = new Trailer(BinaryPrimitives.ReadInt64LittleEndian(tail[24..]), BinaryPrimitives.ReadInt32LittleEndian(tail[20..]), Convert.ToHexStringLower(tail[32..]));
        var indexAt = stream.Length - Length - trailer.IndexLength;
        if (trailer.IndexLength is <= 0 or > MostIndexBytes || trailer.Start < 0 || indexAt < trailer.Start) throw Damaged(file, "the lengths in its trailer do not match the file");
        var bytes = new byte[trailer.IndexLength];
        stream.Position = indexAt;
        stream.ReadExactly(bytes);
        if (Convert.ToHexStringLower(SHA256.HashData(bytes)) != trailer.Hash) throw Damaged(file, "the SHA-256 of its index is wrong");
        var index = JsonSerializer.Deserialize(bytes, BundleJson.Default.BundleIndex) ?? throw Damaged(file, "its index is empty");
        return (trailer, index);
    }

    /// <summary>Writes index and trailer after the programs; returns the trailer.</summary>
    public static Trailer Write(Stream stream, long start, BundleIndex index)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(index, BundleJson.Default.BundleIndex);
        var hash = SHA256.HashData(bytes);
        Span<byte> tail = stackalloc byte[Length];
        tail.Clear();
        Magic.CopyTo(tail);
        BinaryPrimitives.WriteUInt32LittleEndian(tail[16..], LayoutVersion);
        BinaryPrimitives.WriteInt32LittleEndian(tail[20..], bytes.Length);
        BinaryPrimitives.WriteInt64LittleEndian(tail[24..], start);
        hash.CopyTo(tail[32..]);
        stream.Write(bytes);
        stream.Write(tail);
        return new(start, bytes.Length, Convert.ToHexStringLower(hash));
    }

    public static ProblemException Damaged(string file, string why) =>
        new(BundleProblems.Damaged(file, why));
}
