// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Nomadstack.Processes;

/// <summary>
/// Keeps log files of running processes small: the content moves to <c>FILE.1</c> (then <c>.2</c>, <c>.3</c>), and the file is truncated in place.
/// Everything written before the last look at the file is kept.
/// </summary>
/// <remarks>
/// A rename would take the file along with the process, which keeps its descriptor and cannot be told to reopen it. It appends (O_APPEND), so after the
/// truncation it goes on at the new end. The price: what it writes between our last read, which found nothing more, and the truncation right after it,
/// some microseconds, is lost. Killed anywhere in between, the worst is that lines are found twice.
/// </remarks>
internal sealed class LogRotation(long limitBytes = LogRotation.DefaultLimit, int keep = LogRotation.DefaultKeep)
{
    public const long DefaultLimit = 10 * 1024 * 1024;
    public const int DefaultKeep = 3;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>True when the file was rotated. A file that is not there needs nothing.</summary>
    /// <exception cref="IOException">No room for the copy, or no right to make it; the log is untouched.</exception>
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
            // What it took of a full disk is given back.
            File.Delete(temp);
            throw;
        }

        for (var i = keep - 1; i >= 1; i--)
        {
            if (File.Exists(Numbered(path, i))) File.Move(Numbered(path, i), Numbered(path, i + 1), overwrite: true);
        }

        File.Move(temp, Numbered(path, 1), overwrite: true);
        // The copy took its time. Nothing but the truncation comes after this; whoever writes faster than we copy is not followed for ever.
        Copy(log, copy, info.Length, info.Length + limitBytes);
        RandomAccess.SetLength(log, 0);
        return true;
    }

    /// <summary>Until nothing more is there, or the end given.</summary>
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
