// SPDX-License-Identifier: MPL-2.0
using Microsoft.Win32.SafeHandles;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Engine.Raft;

/// <summary>A real folder. Files are readable by their owner alone.</summary>
internal sealed class RaftFolder(string path) : IRaftFiles
{
    public IReadOnlyList<string> List()
    {
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return [.. Directory.EnumerateFiles(path).Select(file => Path.GetFileName(file)!)];
    }

    public IRaftFile Create(string name)
    {
        using (new FileStream(At(name), new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
            return Open(name);
    }

    public IRaftFile Open(string name) => new OpenFile(File.OpenHandle(At(name), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete));

    public void Rename(string from, string to) => File.Move(At(from), At(to), overwrite: true);

    public void Delete(string name) => File.Delete(At(name));

    /// <summary>.NET opens no folders, so the system is called directly.</summary>
    public void SyncFolder()
    {
        var fd = Libc.Open(path, Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_CLOEXEC, 0);
        if (fd < 0) throw new IOException($"{path}: {Libc.LastError}");
        try
        {
            if (Libc.FSync(fd) != 0) throw new IOException($"fsync {path}: {Libc.LastError}");
        }
        finally
        {
            _ = Libc.Close(fd);
        }
    }

    private string At(string name) => Path.Combine(path, name);

    private sealed class OpenFile(SafeFileHandle handle) : IRaftFile
    {
        public long Length { get; private set; } = RandomAccess.GetLength(handle);

        public int Read(long offset, Span<byte> buffer)
        {
            var read = 0;
            while (read < buffer.Length && RandomAccess.Read(handle, buffer[read..], offset + read) is > 0 and var n) read += n;
            return read;
        }

        public void Append(ReadOnlySpan<byte> bytes)
        {
            RandomAccess.Write(handle, bytes, Length);
            Length += bytes.Length;
        }

        public void Truncate(long length)
        {
            RandomAccess.SetLength(handle, length);
            Length = length;
        }

        public void Sync() => RandomAccess.FlushToDisk(handle);

        public void Dispose() => handle.Dispose();
    }
}
