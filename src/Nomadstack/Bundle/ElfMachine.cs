// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;

namespace Nomadstack.Bundle;

/// <summary>Reads from a program's first bytes for which processor it was built.</summary>
internal static class ElfMachine
{
    private const int HeaderBytes = 20, MachineAt = 18;
    private const int X64 = 62, Arm64 = 183;

    /// <summary><c>x64</c>, <c>arm64</c>, <c>ELF machine N</c>; null if it is not a Linux program.</summary>
    public static string? Of(string file)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        using var stream = File.OpenRead(file);
        if (stream.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) < HeaderBytes || !header[..4].SequenceEqual("\u007fELF"u8)) return null;
        // Both are little-endian. A big-endian program gives another number, which is just as foreign.
        return BinaryPrimitives.ReadUInt16LittleEndian(header[MachineAt..]) switch
        {
            X64 => "x64",
            Arm64 => "arm64",
            var other => $"ELF machine {other}",
        };
    }
}
