// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Text;

namespace Nomadstack.Ground.Kernel;

/// <summary>
/// What the kernel starts in place of a program: the loader that an ELF file names in PT_INTERP, or the interpreter of a script. Where that is missing exec fails with
/// ENOENT, as if the program itself were not there (execve(2)).
/// </summary>
internal static class Interpreter
{
    /// <summary>The kernel reads no more of a script's first line (BINPRM_BUF_SIZE, include/uapi/linux/binfmts.h).</summary>
    private const int FirstLine = 256;

    /// <summary>PATH_MAX: more is no path (fs/binfmt_elf.c refuses it as well).</summary>
    private const int LongestPath = 4096;

    private const uint PtInterp = 3;

    /// <summary>The interpreter that a program needs and this machine has not; null where it needs none, has it, or the file cannot be read.</summary>
    public static string? Missing(string program)
    {
        try
        {
            using var file = File.OpenRead(program);
            return Of(file) is { Length: > 0 } path && !File.Exists(path) ? path : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Whoever asks has an error already, and this was only to explain it.
            return null;
        }
    }

    /// <summary>Little-endian files alone, as the machines we run on are.</summary>
    private static string? Of(FileStream file)
    {
        var start = new byte[FirstLine];
        var length = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        if (length > 2 && start[0] == '#' && start[1] == '!')
            return Encoding.UTF8.GetString(start, 2, length - 2).Split('\n')[0].Split((char[])[' ', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
        // Offsets of both classes from elf(5).
        if (length < 64 || !start.AsSpan(0, 4).SequenceEqual("\u007fELF"u8)) return null;
        var wide = start[4] == 2;
        var headers = wide ? (long)BinaryPrimitives.ReadUInt64LittleEndian(start.AsSpan(32)) : BinaryPrimitives.ReadUInt32LittleEndian(start.AsSpan(28));
        int size = BinaryPrimitives.ReadUInt16LittleEndian(start.AsSpan(wide ? 54 : 42)), count = BinaryPrimitives.ReadUInt16LittleEndian(start.AsSpan(wide ? 56 : 44));
        if (headers <= 0 || size < (wide ? 56 : 32)) return null;
        var header = new byte[size];
        for (var i = 0; i < count; i++)
        {
            if (!ReadAt(file, headers + ((long)i * size), header)) return null;
            if (BinaryPrimitives.ReadUInt32LittleEndian(header) != PtInterp) continue;
            var at = wide ? (long)BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(8)) : BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(4));
            var bytes = wide ? (long)BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(32)) : BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(16));
            if (at < 0 || bytes is < 2 or > LongestPath) return null;
            var path = new byte[bytes];
            return ReadAt(file, at, path) ? Encoding.UTF8.GetString(path).TrimEnd('\0') : null;
        }

        return null;
    }

    private static bool ReadAt(FileStream file, long offset, byte[] into)
    {
        file.Position = offset;
        return file.ReadAtLeast(into, into.Length, throwOnEndOfStream: false) == into.Length;
    }
}
