// SPDX-License-Identifier: MPL-2.0
using Microsoft.Win32.SafeHandles;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Storage;

/// <summary>Makes renames and new folders survive a power cut.</summary>
internal static class DurableFolders
{
    public const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Copies a folder with all in it, modes included, and returns when the copy is on disk. Sockets and pipes, which hold nothing, are left out.</summary>
    public static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to, File.GetUnixFileMode(from));
        foreach (var entry in new DirectoryInfo(from).EnumerateFileSystemInfos())
        {
            var target = Path.Combine(to, entry.Name);
            if (entry.LinkTarget is { } link) File.CreateSymbolicLink(target, link);
            else if (entry is DirectoryInfo) Copy(entry.FullName, target);
            else CopyFile(entry.FullName, target);
        }

        Sync(to);
    }

    /// <summary>
    /// Makes a folder and those above it that are missing. A file in it that is safe on disk is of no use while the folder's own name is not.
    /// </summary>
    /// <param name="mode">Of every folder that is made; null for what the umask leaves.</param>
    /// <returns>The folders that were synced for that: the one above each new folder.</returns>
    public static IReadOnlyList<string> Create(string folder, UnixFileMode? mode = null)
    {
        List<string> missing = [];
        for (var at = Path.GetFullPath(folder); !Directory.Exists(at); at = Path.GetDirectoryName(at)!) missing.Add(at);
        // One by one: .NET gives the mode to the last one alone.
        foreach (var one in Enumerable.Reverse(missing))
        {
            if (mode is { } given) Directory.CreateDirectory(one, given);
            else Directory.CreateDirectory(one);
        }

        List<string> changed = [.. missing.Select(m => Path.GetDirectoryName(m)!)];
        foreach (var above in changed) Sync(above);
        return changed;
    }

    /// <summary>A folder for its owner alone. Those above it are not ours to close: tasks with a user of their own have to pass to what is below a data folder.</summary>
    public static void CreateOwn(string folder)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(folder)) is { } above) Create(above);
        Create(folder, OwnerOnly);
    }

    /// <summary>Syncs each folder whose entries were changed.</summary>
    public static void Sync(params ReadOnlySpan<string> folders)
    {
        foreach (var folder in folders)
        {
            var fd = Libc.Open(folder, Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_CLOEXEC, 0);
            if (fd < 0) throw new IOException($"{folder}: {System.Runtime.InteropServices.Marshal.GetLastPInvokeErrorMessage()}");
            try
            {
                if (Libc.FSync(fd) != 0) throw new IOException($"fsync {folder}: {System.Runtime.InteropServices.Marshal.GetLastPInvokeErrorMessage()}");
            }
            finally
            {
                _ = Libc.Close(fd);
            }
        }
    }

    private static void CopyFile(string from, string to)
    {
        // Not blocking, for a pipe would wait for somebody to write.
        var fd = Libc.Open(from, Libc.O_RDONLY | Libc.O_NONBLOCK | Libc.O_CLOEXEC, 0);
        if (fd < 0 && Libc.LastErrno == Libc.ENXIO) return;
        if (fd < 0) throw new IOException($"{from}: {Libc.LastError}");
        using var source = new FileStream(new SafeFileHandle(fd, ownsHandle: true), FileAccess.Read);
        if (!source.CanSeek) return;
        using var target = new FileStream(to, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = File.GetUnixFileMode(from) });
        source.CopyTo(target);
        target.Flush(flushToDisk: true);
    }
}
