// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Nomadstack.Processes;

/// <summary>
/// Keeps log files of running processes small: the content moves to <c>FILE.1</c> (then <c>.2</c>, <c>.3</c>), and the file is truncated in place.
/// Everything written before the last read of the file is kept.
/// </summary>
/// <remarks>
/// A rename would not help: the process keeps its descriptor and cannot be told to reopen the file. It appends (O_APPEND), so after the
/// truncation it continues at the new end. The price: what it writes in the microseconds between our last read and the truncation
/// is lost. If we are killed in between, at worst some lines are there twice.
/// </remarks>
internal sealed class LogRotation(long limitBytes = LogRotation.DefaultLimit, int keep = LogRotation.DefaultKeep)
{
    public const long DefaultLimit = 10 * 1024 * 1024;
    public const int DefaultKeep = 3;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>True when the file was rotated. A missing file is not an error.</summary>
    /// <exception cref="IOException">No room or no permission for the copy. The log is unchanged.</exception>
    public bool RotateIfNeeded(string path)
    {
        if (new FileInfo(path) is not { Exists: true } info || info.Length <= limitBytes) return false;

        var temp = path + ".tmp";
        using var log = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        using var copy = new FileStream(temp, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Share = FileShare.ReadWrite | FileShare.Delete, UnixCreateMode = OwnerOnly, BufferSize = 0 });
        try
        {
            Copy(log, copy, 0, info.Length);
        }
        catch (IOException)
        {
            // Gives the space back on a full disk.
            File.Delete(temp);
            throw;
        }

        for (var i = keep - 1; i >= 1; i--)
        {
            if (File.Exists(Numbered(path, i))) File.Move(Numbered(path, i), Numbered(path, i + 1), overwrite: true);
        }

        File.Move(temp, Numbered(path, 1), overwrite: true);
        // The copy took time, so copy the rest once more. Only the truncation follows: a process that writes faster than we copy is not followed forever.
        Copy(log, copy, info.Length, info.Length + limitBytes);
        RandomAccess.SetLength(log, 0);
        return true;
    }

    /// <summary>For a disk that is nearly full: the old content goes, and where the file is over its limit, the present one too. Needs no room.</summary>
    public void MakeRoom(string path)
    {
        for (var i = 1; i <= keep; i++) File.Delete(Numbered(path, i));
        if (new FileInfo(path) is not { Exists: true } info || info.Length <= limitBytes) return;
        using var log = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        RandomAccess.SetLength(log, 0);
    }

    /// <summary>Copies until the end of the file, or until the given end.</summary>
    private static void Copy(SafeFileHandle log, FileStream copy, long from, long end)
    {
        var buffer = new byte[64 * 1024];
        while (from < end && RandomAccess.Read(log, buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - from)), from) is > 0 and var n)
        {
            copy.Write(buffer, 0, n);
            from += n;
        }
    }

    private static string Numbered(string path, int number) => string.Create(CultureInfo.InvariantCulture, $"{path}.{number}");
}
