// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Http.Filters;

/// <summary>A filter expression cannot be read, or names what a row does not have.</summary>
internal sealed class FilterException(string message) : Exception(message);

/// <summary>One word, sign or quoted text of a filter expression.</summary>
/// <param name="Quoted">A text in quotes is a value, never a keyword.</param>
internal readonly record struct FilterToken(string Text, bool Quoted, int At);

/// <summary>Takes a filter expression apart.</summary>
internal static class FilterText
{
    private static readonly string[] s_signs = ["==", "!=", "(", ")", "[", "]"];

    /// <exception cref="FilterException">A quote is not closed, or a character means nothing here.</exception>
    public static IReadOnlyList<FilterToken> Split(string text)
    {
        var tokens = new List<FilterToken>();
        for (var i = 0; i < text.Length;)
        {
            if (char.IsWhiteSpace(text[i]))
            {
                i++;
            }
            else if (text[i] is '"' or '`')
            {
                tokens.Add(Quoted(text, ref i));
            }
            else if (s_signs.FirstOrDefault(s => string.CompareOrdinal(text, i, s, 0, s.Length) == 0) is { } sign)
            {
                tokens.Add(new(sign, false, i));
                i += sign.Length;
            }
            else
            {
                var end = i;
                while (end < text.Length && (char.IsLetterOrDigit(text[end]) || text[end] is '_' or '-' or '.' or '/' or '+' or ':' or '~')) end++;
                if (end == i) throw new FilterException($"character {i + 1}: '{text[i]}' means nothing here");
                tokens.Add(new(text[i..end], false, i));
                i = end;
            }
        }

        return tokens;
    }

    private static FilterToken Quoted(string text, ref int i)
    {
        var (start, mark) = (i++, text[i - 1]);
        var value = new System.Text.StringBuilder();
        for (; i < text.Length && text[i] != mark; i++)
        {
            if (mark == '"' && text[i] == '\\' && i + 1 < text.Length) i++;
            value.Append(text[i]);
        }

        if (i == text.Length) throw new FilterException($"character {start + 1}: the quote is not closed");
        i++;
        return new(value.ToString(), true, start);
    }
}
