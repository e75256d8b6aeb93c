// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text;

namespace Nomadstack.Engine.Jobs.Hcl;

internal sealed partial class HclParser
{
    private HclExpression ReadQuoted()
    {
        var start = _source.Position;
        _source.Take();
        var parts = new Parts();
        while (true)
        {
            switch (_source.Current)
            {
                case '"':
                    _source.Take();
                    return parts.ToExpression(_source.RangeFrom(start));
                case '\n' or '\0':
                    throw new HclSyntaxException(_source.RangeFrom(start), "Invalid multi-line string", "Quoted strings may not be split over multiple lines. To produce a multi-line string, either use the \\n escape to represent a newline character or use the \"heredoc\" multi-line template syntax.");
                case '\\':
                    parts.Text.Append(ReadEscape());
                    break;
                default:
                    ReadTemplatePart(parts);
                    break;
            }
        }
    }

    private HclExpression ReadHeredoc()
    {
        var start = _source.Position;
        _source.Position += 2;
        var flush = _source.TryTake("-");
        if (TakeIdentifier() is not { } marker || !_source.Looking("\n"))
            throw new HclSyntaxException(_source.RangeFrom(start), "Invalid heredoc", "A heredoc starts with << or <<- and a marker, alone at the end of its line.");
        _source.Take();

        var content = _source.Position;
        var (end, indent) = FindHeredocEnd(marker, start);
        if (!flush) indent = 0;
        var parts = new Parts();
        _source.Position = content;
        while (_source.Position < end)
        {
            if (_source.Position == content || _source.Peek(-1) == '\n') SkipIndent(indent);
            ReadTemplatePart(parts);
        }

        // The marker's own line; what follows it belongs to the definition around.
        _source.SkipInlineSpace();
        _source.TryTake(marker);
        return parts.ToExpression(_source.RangeFrom(start));
    }

    /// <summary>Where the marker's line begins, and how much space every line that is not blank has in common.</summary>
    private (int End, int Indent) FindHeredocEnd(string marker, int start)
    {
        var indent = int.MaxValue;
        while (true)
        {
            var lineStart = _source.Position;
            if (_source.AtEnd) throw new HclSyntaxException(_source.Range(start, start + 2), "Unterminated template string", $"No closing marker \"{marker}\" was found for the heredoc.");
            var line = _source.TakeRestOfLine();
            if (line.Trim() == marker) return (lineStart, indent == int.MaxValue ? 0 : indent);
            var unindented = line.TrimStart();
            if (unindented.Length > 0) indent = Math.Min(indent, line.Length - unindented.Length);
            if (!_source.AtEnd) _source.Take();
        }
    }

    private void SkipIndent(int indent)
    {
        var start = _source.Position;
        var blank = string.IsNullOrWhiteSpace(_source.TakeRestOfLine());
        _source.Position = blank ? start : start + indent;
    }

    /// <summary>One character, or one <c>${…}</c>.</summary>
    private void ReadTemplatePart(Parts parts)
    {
        if (_source.TryTake("$${")) parts.Text.Append("${");
        else if (_source.TryTake("%%{")) parts.Text.Append("%{");
        else if (_source.Looking("%{")) throw NotEvaluated(_source.Range(_source.Position, _source.Position + 2), "a template directive \"%{\"");
        else if (_source.Looking("${")) parts.Add(ReadInterpolation());
        else parts.Text.Append(_source.Take());
    }

    private HclExpression ReadInterpolation()
    {
        var start = _source.Position;
        _source.Position += 2;
        if (_source.Current == '~') throw NotEvaluated(_source.Here, "the strip marker \"~\"");
        _source.SkipSpace();
        var expression = ReadExpression(inBrackets: true);
        _source.SkipSpace();
        if (!_source.TryTake("}"))
            throw new HclSyntaxException(_source.AtEnd ? _source.RangeFrom(start) : _source.Here, "Extra characters after interpolation expression", "Expected a closing brace to end the interpolation expression.");
        // Verbatim, inner spaces included: the client reads it as it was written.
        return expression is HclReference reference ? reference with { Kept = _source.Between(start, _source.Position) } : expression;
    }

    private string ReadEscape()
    {
        var start = _source.Position;
        _source.Take();
        if (_source.AtEnd) throw new HclSyntaxException(_source.RangeFrom(start), "Invalid escape sequence", "A backslash must be followed by an escape sequence selector.");
        var selector = _source.Take();
        switch (selector)
        {
            case 'n': return "\n";
            case 'r': return "\r";
            case 't': return "\t";
            case '"': return "\"";
            case '\\': return "\\";
            case 'u' or 'U':
                var digits = selector == 'u' ? 4 : 8;
                var hex = new string([.. Enumerable.Range(0, digits).Select(_ => char.IsAsciiHexDigit(_source.Current) ? _source.Take() : '?')]);
                if (uint.TryParse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var rune) && Rune.IsValid(rune)) return new Rune(rune).ToString();
                throw new HclSyntaxException(_source.RangeFrom(start), "Invalid escape sequence", $"The \\{selector} escape sequence must be followed by {digits} hexadecimal digits of a Unicode character.");
            default:
                throw new HclSyntaxException(_source.RangeFrom(start), "Invalid escape sequence", $"The symbol \"{selector}\" is not a valid escape sequence selector.");
        }
    }

    /// <summary>Collects a template; consecutive characters become one literal.</summary>
    private sealed class Parts
    {
        private readonly List<HclExpression> _done = [];

        public StringBuilder Text { get; } = new();

        public void Add(HclExpression part)
        {
            Flush(part.Range);
            _done.Add(part);
        }

        public HclExpression ToExpression(HclRange range)
        {
            if (_done.Count == 0) return new HclLiteral(Text.ToString(), range);
            Flush(range);
            // A template that is one interpolation alone has that value's own type.
            return _done.Count == 1 ? _done[0] : new HclTemplate(_done, range);
        }

        private void Flush(HclRange range)
        {
            if (Text.Length == 0) return;
            _done.Add(new HclLiteral(Text.ToString(), range));
            Text.Clear();
        }
    }
}
