// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Runtime.InteropServices;

namespace Nomadstack.Ground.Kernel;

/// <summary>
/// Gives back what a boot, an operation or a burst of work needed and a rest does not: garbage, and the pages of program code that ran once.
/// The kernel would take those pages only when memory is short; until then an operator sees them as ours.
/// </summary>
internal static class MemoryAtRest
{
    /// <summary>Takes some tens of milliseconds. What is needed again comes back from the page cache, page by page.</summary>
    /// <exception cref="IOException">The kernel refused, or does not tell our mappings.</exception>
    public static void Release()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        foreach (var (start, length) in Releasable(File.ReadLines("/proc/self/smaps")))
        {
            if (Libc.Advise((nint)start, (nint)length, Libc.MADV_DONTNEED) != 0)
                throw new IOException($"madvise {start:x}: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    /// <summary>
    /// The mappings whose pages can be dropped and read again: of a file, not writable, and without a page that differs from the file
    /// (a library's relocated pages would be lost). Sizes in bytes.
    /// </summary>
    /// <param name="smaps">Lines of <c>/proc/PID/smaps</c> (proc(5)).</param>
    public static IEnumerable<(long Start, long Length)> Releasable(IEnumerable<string> smaps)
    {
        (long Start, long Length)? mapping = null;
        foreach (var line in smaps)
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields[0].Contains('-', StringComparison.Ordinal))
            {
                mapping = fields is [var range, ['r', '-', ..], _, _, _, ['/', ..], ..] ? Range(range) : null;
            }
            else if (fields[0] is "Private_Dirty:" or "Shared_Dirty:" or "Anonymous:" && fields[1] != "0")
            {
                mapping = null;
            }
            else if (fields[0] == "VmFlags:" && mapping is { } clean)
            {
                yield return clean;
            }
        }
    }

    private static (long Start, long Length) Range(string text)
    {
        var (start, end) = (text[..text.IndexOf('-')], text[(text.IndexOf('-') + 1)..]);
        var from = long.Parse(start, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return (from, long.Parse(end, NumberStyles.HexNumber, CultureInfo.InvariantCulture) - from);
    }
}
