// SPDX-License-Identifier: MPL-2.0
using System.Text;

namespace Nomadstack.Fetch;

/// <summary>A <c>SHA256SUMS</c> file: lines of a sum, spaces and a file's name.</summary>
internal static class Checksums
{
    /// <summary>The sum of the file in lower case; null when the list does not name the file.</summary>
    public static string? Of(byte[] list, string file)
    {
        foreach (var line in Encoding.UTF8.GetString(list).Split('\n'))
        {
            // A star before the name marks binary mode, which is the only one here.
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) is [{ Length: 64 } sum, var name] && name.TrimStart('*') == file && sum.All(char.IsAsciiHexDigit))
                return sum.ToLowerInvariant();
        }

        return null;
    }
}
