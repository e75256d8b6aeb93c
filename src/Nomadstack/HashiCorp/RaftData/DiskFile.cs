// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.HashiCorp.RaftData;

/// <summary>
/// A file that another program may write to at the same time, read in small blocks. Takes no lock on it: a server that runs holds one, and one that starts must get it.
/// </summary>
internal sealed class DiskFile : IDisposable
{
    private readonly SafeFileHandle _handle;
    private readonly byte[] _block = new byte[16 * 1024];
    private long _blockAt = -1;
    private int _blockLength;

    private DiskFile(string name, SafeFileHandle handle) => (Name, _handle) = (name, handle);

    /// <summary>Without its folder.</summary>
    public string Name { get; }

    /// <summary>In bytes, as it was at the last <see cref="Refresh"/>.</summary>
    public long Length { get; private set; }

    public FilePart Whole => new(this, 0, Length);

    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static DiskFile Open(string path)
    {
        // .NET locks every file that it opens. Without O_NONBLOCK a pipe of this name would be waited for.
        var fd = Libc.Open(path, Libc.O_RDONLY | Libc.O_CLOEXEC | Libc.O_NONBLOCK, 0);
        if (fd < 0)
        {
            var error = Libc.LastError;
            throw File.Exists(path) ? new IOException($"{path}: {error}") : new FileNotFoundException($"{path}: {error}", path);
        }

        var file = new DiskFile(Path.GetFileName(path), new SafeFileHandle(fd, ownsHandle: true));
        try
        {
            file.Refresh();
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Forgets what was read before.</summary>
    public void Refresh()
    {
        _blockAt = -1;
        try
        {
            Length = RandomAccess.GetLength(_handle);
        }
        catch (NotSupportedException)
        {
            throw new RaftDataException($"{Name} is not a file.");
        }
    }

    /// <exception cref="RaftDataException">The file ends before.</exception>
    public void Read(long offset, Span<byte> into)
    {
        while (into.Length > 0)
        {
            if (_blockAt < 0 || offset < _blockAt || offset >= _blockAt + _blockLength)
            {
                var at = offset - offset % _block.Length;
                _blockAt = -1;
                _blockLength = RandomAccess.Read(_handle, _block, at);
                _blockAt = at;
                if (offset >= at + _blockLength) throw Damage(offset, "the file ends too early");
            }

            var have = _block.AsSpan((int)(offset - _blockAt), (int)Math.Min(into.Length, _blockAt + _blockLength - offset));
            have.CopyTo(into);
            into = into[have.Length..];
            offset += have.Length;
        }
    }

    public RaftDataException Damage(long at, string what) => new($"{Name} is damaged at byte {at}: {what}.");

    public void Dispose() => _handle.Dispose();
}

/// <summary>A part of a file. Whatever is looked for outside of it is damage.</summary>
internal readonly record struct FilePart(DiskFile File, long At, long Length)
{
    public FilePart Part(long at, long length) => at >= 0 && length >= 0 && at <= Length && length <= Length - at
        ? new(File, At + at, length)
        : throw Damage(0, $"{length} bytes at {at} are outside of {Length} bytes");

    public FilePart From(long at) => Part(at, Length - at);

    public byte Byte(long at)
    {
        Span<byte> bytes = stackalloc byte[1];
        Read(at, bytes);
        return bytes[0];
    }

    public ushort UInt16(long at)
    {
        Span<byte> bytes = stackalloc byte[2];
        Read(at, bytes);
        return BinaryPrimitives.ReadUInt16LittleEndian(bytes);
    }

    public uint UInt32(long at)
    {
        Span<byte> bytes = stackalloc byte[4];
        Read(at, bytes);
        return BinaryPrimitives.ReadUInt32LittleEndian(bytes);
    }

    public ulong UInt64(long at)
    {
        Span<byte> bytes = stackalloc byte[8];
        Read(at, bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>All of it.</summary>
    /// <param name="most">What it may have at most: a damaged length must not fill the memory.</param>
    public byte[] Bytes(int most)
    {
        if (Length > most) throw Damage(0, $"{Length} bytes where at most {most} are expected");
        var bytes = new byte[Length];
        Read(0, bytes);
        return bytes;
    }

    public void Read(long at, Span<byte> into)
    {
        _ = Part(at, into.Length);
        File.Read(At + at, into);
    }

    public RaftDataException Damage(long at, string what) => File.Damage(At + at, what);
}
