// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;

namespace Nomadstack.Ground.Kernel;

/// <summary>What is at a path, the link itself where it is one.</summary>
/// <param name="Owner">User id.</param>
/// <param name="Device">Together with <paramref name="Inode"/> it is this file and no other that took its name since.</param>
internal sealed record FileEntry(uint Owner, int Mode, ulong Inode, ulong Device)
{
    private const int TypeMask = 0xF000, Folder = 0x4000, Socket = 0xC000, PermissionMask = 0xFFF;

    public bool IsFolder => (Mode & TypeMask) == Folder;

    public bool IsSocket => (Mode & TypeMask) == Socket;

    public int Permissions => Mode & PermissionMask;

    /// <summary>Null where there is nothing, or nothing that we may see.</summary>
    public static unsafe FileEntry? At(string path)
    {
        var buffer = stackalloc byte[256];
        if (Libc.StatX(Libc.AT_FDCWD, path, Libc.AT_SYMLINK_NOFOLLOW, Libc.STATX_BASIC_STATS, buffer) != 0) return null;
        var fields = new ReadOnlySpan<byte>(buffer, 256);
        // Offsets of struct statx (include/uapi/linux/stat.h): uid 20, mode 28, ino 32, dev_major 136, dev_minor 140.
        return new(
            BinaryPrimitives.ReadUInt32LittleEndian(fields[20..]),
            BinaryPrimitives.ReadUInt16LittleEndian(fields[28..]),
            BinaryPrimitives.ReadUInt64LittleEndian(fields[32..]),
            BinaryPrimitives.ReadUInt64LittleEndian(fields[136..]));
    }
}
