// SPDX-License-Identifier: MPL-2.0
using System.Text.RegularExpressions;

namespace Nomadstack.Engine.Http.Filters;

/// <summary>
/// Filter expressions as HashiCorp's tools write them: <c>Status == "running" and not (Meta.owner matches "^ops" or "x" in Datacenters)</c>. Names are paths of
/// fields, with dots, in brackets (<c>Meta["a.b"]</c>) or as a JSON pointer in quotes (<c>"/Meta/a"</c>).
/// </summary>
internal sealed class FilterParser
{
    /// <summary>Deeper than anybody writes, and far from the end of the stack.</summary>
    private const int MaxDepth = 100;

    private readonly IReadOnlyList<FilterToken> _tokens;
    private int _at;

    private FilterParser(IReadOnlyList<FilterToken> tokens) => _tokens = tokens;

    /// <exception cref="FilterException">It is none.</exception>
    public static Filter Parse(string text)
    {
        var parser = new FilterParser(FilterText.Split(text));
        var filter = parser.Or(0);
        return parser.Peek is { } rest ? throw Unexpected(rest) : filter;
    }

    private FilterToken? Peek => _at < _tokens.Count ? _tokens[_at] : null;

    private Filter Or(int depth)
    {
        var left = And(depth);
        while (Takes("or")) left = new Filter.Either(left, And(depth));
        return left;
    }

    private Filter And(int depth)
    {
        var left = Not(depth);
        while (Takes("and")) left = new Filter.Both(left, Not(depth));
        return left;
    }

    private Filter Not(int depth)
    {
        if (depth > MaxDepth) throw new FilterException($"it is nested more than {MaxDepth} deep");
        if (Takes("not")) return new Filter.Negated(Not(depth + 1));
        if (!Takes("(")) return Comparison();
        var inner = Or(depth + 1);
        if (!Takes(")")) throw Peek is { } other ? Unexpected(other) : new FilterException("a ) is missing at the end");
        return inner;
    }

    private Filter Comparison()
    {
        var first = Next("a name or a value");
        // "x" in Datacenters: the value comes first.
        if (Takes("in")) return new Filter.Contains(Selector(Next("a name")), first.Text);
        if (Peek is { Quoted: false, Text: "not" } && _at + 1 < _tokens.Count && _tokens[_at + 1] is { Quoted: false, Text: "in" })
        {
            _at += 2;
            return new Filter.Negated(new Filter.Contains(Selector(Next("a name")), first.Text));
        }

        var name = Selector(first);
        if (Takes("==")) return new Filter.Same(name, Next("a value").Text);
        if (Takes("!=")) return new Filter.Negated(new Filter.Same(name, Next("a value").Text));
        if (Takes("is"))
        {
            var negated = Takes("not");
            if (!Takes("empty")) throw new FilterException("behind \"is\" only \"empty\" and \"not empty\" have a meaning");
            return negated ? new Filter.Negated(new Filter.Empty(name)) : new Filter.Empty(name);
        }

        var not = Takes("not");
        Filter found = Takes("contains") ? new Filter.Contains(name, Next("a value").Text)
            : Takes("matches") ? new Filter.Matches(name, Pattern(Next("a pattern").Text))
            : throw (Peek is { } other ? Unexpected(other) : new FilterException($"behind \"{first.Text}\" an operator is missing"));
        return not ? new Filter.Negated(found) : found;
    }

    private List<string> Selector(FilterToken first)
    {
        if (first.Quoted && !first.Text.StartsWith('/')) throw new FilterException($"character {first.At + 1}: \"{first.Text}\" is a value, and a name is expected");
        var path = first.Text.StartsWith('/') ? first.Text[1..].Split('/').Select(Unescaped).ToList() : [.. first.Text.Split('.')];
        while (Takes("["))
        {
            path.Add(Next("a name").Text);
            if (!Takes("]")) throw new FilterException("a ] is missing");
        }

        return path;
    }

    /// <summary>A part of a JSON pointer (RFC 6901).</summary>
    private static string Unescaped(string part) => part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);

    private static Regex Pattern(string text)
    {
        try
        {
            return new Regex(text, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new FilterException($"\"{text}\" is no regular expression without look-around and back references");
        }
    }

    private FilterToken Next(string what)
    {
        if (Peek is not { } token) throw new FilterException($"{what} is missing at the end");
        _at++;
        return token is { Quoted: false, Text: "(" or ")" or "[" or "]" or "==" or "!=" } ? throw Unexpected(token) : token;
    }

    private bool Takes(string word)
    {
        if (Peek is not { Quoted: false } token || token.Text != word) return false;
        _at++;
        return true;
    }

    private static FilterException Unexpected(FilterToken token) => new($"character {token.At + 1}: \"{token.Text}\" is not expected here");
}
