// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Storage;

/// <summary>
/// <c>reserve</c>: a file whose only purpose is to be deleted. When a job fills the disk, raft and our own records can then still write for a while, and somebody can
/// still find out.
/// </summary>
internal sealed class DiskReserve(string path)
{
    private const int Block = 1 << 20;

    /// <summary>Bytes that it holds now.</summary>
    public long Held => new FileInfo(path) is { Exists: true } file ? file.Length : 0;

    /// <summary>Takes that many bytes of the disk, really. On failure nothing is held.</summary>
    /// <exception cref="IOException">The disk does not have them.</exception>
    public void Take(long bytes)
    {
        Release();
        try
        {
            using var stream = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
            if (Libc.FAllocate((int)stream.SafeFileHandle.DangerousGetHandle(), 0, 0, bytes) != 0) Fill(stream, bytes);
            stream.Flush(flushToDisk: true);
        }
        catch
        {
            Release();
            throw;
        }
    }

    public void Release() => File.Delete(path);

    /// <summary>For a file system that cannot allocate. Not zeros: one that compresses would hold nothing.</summary>
    private static void Fill(FileStream stream, long bytes)
    {
        var block = new byte[Block];
        Random.Shared.NextBytes(block);
        for (var left = bytes; left > 0; left -= Block) stream.Write(block, 0, (int)Math.Min(left, Block));
    }
}
