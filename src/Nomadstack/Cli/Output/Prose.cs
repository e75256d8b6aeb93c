// SPDX-License-Identifier: MPL-2.0
using System.Text;

namespace Nomadstack.Cli.Output;

/// <summary>Makes foreign text fit for a terminal: no control characters, no line that is too wide.</summary>
internal static class Prose
{
    /// <summary>One line: every control character, line breaks included, becomes a space.</summary>
    public static string OneLine(string text)
    {
        if (!text.Any(char.IsControl)) return text.Trim();
        var clean = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            var shown = char.IsControl(c) ? ' ' : c;
            if (shown != ' ' || (clean.Length > 0 && clean[^1] != ' ')) clean.Append(shown);
        }

        return clean.ToString().Trim();
    }

    /// <summary>Breaks between words. A word wider than a line stays whole, since it is a path or a command to copy.</summary>
    public static IReadOnlyList<string> Wrap(string text, int width)
    {
        var lines = new List<string>();
        var line = new StringBuilder();
        foreach (var word in OneLine(text).Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                lines.Add(line.ToString());
                line.Clear();
            }

            if (line.Length > 0) line.Append(' ');
            line.Append(word);
        }

        if (line.Length > 0 || lines.Count == 0) lines.Add(line.ToString());
        return lines;
    }

    public static string Cut(string text, int width) => text.Length <= width ? text : text[..Math.Max(0, width - 3)] + "...";
}
