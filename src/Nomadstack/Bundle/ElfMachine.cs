// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;

namespace Nomadstack.Bundle;

/// <summary>The processor that a program was built for, from its first bytes.</summary>
internal static class ElfMachine
{
    private const int HeaderBytes = 20, MachineAt = 18;
    private const int X64 = 62, Arm64 = 183;

    /// <summary><c>x64</c>, <c>arm64</c>, <c>ELF machine N</c>; null for what is no program of Linux.</summary>
    public static string? Of(string file)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        using var stream = File.OpenRead(file);
        if (stream.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) < HeaderBytes || !header[..4].SequenceEqual("\u007fELF"u8)) return null;
        // Both are little-endian; another order makes another number, which is as foreign.
        return BinaryPrimitives.ReadUInt16LittleEndian(header[MachineAt..]) switch
        {
            X64 => "x64",
            Arm64 => "arm64",
            var other => $"ELF machine {other}",
        };
    }
}
