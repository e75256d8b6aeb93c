// SPDX-License-Identifier: MPL-2.0
using System.Text;

namespace Nomadstack.Processes;

/// <summary>The end of a log file, read without reading the rest.</summary>
internal static class LogTail
{
    /// <summary>The most bytes to read.</summary>
    private const int MostBytes = 64 * 1024;

    /// <summary>The last lines, oldest first, including an unfinished one. Fewer if the file has fewer; none if there is no file.</summary>
    /// <param name="from">Reads nothing before this offset, unless the file is now shorter, which means that it was rotated.</param>
    public static IReadOnlyList<string> LastLines(string path, int count, long from = 0)
    {
        byte[] bytes;
        int length;
        try
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var end = RandomAccess.GetLength(file);
            var begin = Math.Max(from <= end ? from : 0, end - MostBytes);
            bytes = new byte[end - begin];
            length = RandomAccess.Read(file, bytes, begin);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return [];
        }

        var lines = Encoding.UTF8.GetString(bytes, 0, length).Split('\n');
        var last = lines[^1].Length == 0 ? lines.Length - 1 : lines.Length;
        return [.. lines.Take(last).TakeLast(count).Select(line => line.TrimEnd('\r'))];
    }
}
