// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Cli;

/// <summary>Guesses which word a mistyped one stands for.</summary>
internal static class Spelling
{
    /// <summary>The nearest known words, at most two edits away.</summary>
    public static IReadOnlyList<string> Nearest(string word, IEnumerable<string> known)
    {
        var near = known.Distinct().Select(k => (Word: k, Slips: Distance(word, k))).Where(k => k.Slips <= Math.Min(2, word.Length - 1)).ToList();
        return near.Count == 0 ? [] : [.. near.Where(k => k.Slips == near.Min(n => n.Slips)).Select(k => k.Word)];
    }

    /// <summary>Letters to add, drop or change.</summary>
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(above, row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[b.Length];
    }
}
