// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Jobs.Hcl;

/// <summary>A text with a position in it that knows its line and column. Going back is done by restoring <see cref="Position"/>.</summary>
internal sealed class HclSource
{
    private readonly string _text;
    private readonly List<int> _lineStarts = [0];

    public HclSource(string text)
    {
        // Line ends become one character, so that a text from Windows yields the same job.
        _text = text.Replace("\r\n", "\n", StringComparison.Ordinal);
        for (var i = 0; i < _text.Length; i++)
            if (_text[i] == '\n') _lineStarts.Add(i + 1);
    }

    public int Position { get; set; }

    public bool AtEnd => Position >= _text.Length;

    /// <summary>NUL at the end.</summary>
    public char Current => AtEnd ? '\0' : _text[Position];

    public bool Looking(string at) => string.CompareOrdinal(_text, Position, at, 0, at.Length) == 0;

    public char Peek(int ahead) => Position + ahead < _text.Length ? _text[Position + ahead] : '\0';

    public char Take() => _text[Position++];

    public bool TryTake(string expected)
    {
        if (!Looking(expected)) return false;
        Position += expected.Length;
        return true;
    }

    public string Between(int start, int end) => _text[start..end];

    public HclRange RangeFrom(int start) => Range(start, Math.Max(Position, start));

    public HclRange Here => Range(Position, Math.Min(Position + 1, _text.Length));

    public HclRange Range(int start, int end)
    {
        var (line, column) = PlaceOf(start);
        var (endLine, endColumn) = PlaceOf(end);
        return new(line, column, endLine, endColumn);
    }

    /// <summary>Up to the end of the line, comments taken for space. A comment over several lines is taken whole.</summary>
    public void SkipInlineSpace()
    {
        while (true)
        {
            if (Current is ' ' or '\t') Position++;
            else if (Looking("/*")) SkipBlockComment();
            else return;
        }
    }

    /// <summary>Space, line ends and comments.</summary>
    public void SkipSpace()
    {
        while (true)
        {
            SkipInlineSpace();
            if (Current == '\n' && !AtEnd) Position++;
            else if (Current == '#' || Looking("//")) SkipLine();
            else return;
        }
    }

    /// <summary>Takes what may follow a definition: the rest of its line must be empty or a comment.</summary>
    public bool TryTakeLineEnd()
    {
        SkipInlineSpace();
        if (Current == '#' || Looking("//")) SkipLine();
        if (AtEnd) return true;
        if (Current != '\n') return false;
        Position++;
        return true;
    }

    /// <summary>Up to the line end, which is left in place.</summary>
    public string TakeRestOfLine()
    {
        var start = Position;
        SkipLine();
        return _text[start..Position];
    }

    private void SkipLine()
    {
        var end = _text.IndexOf('\n', Math.Min(Position, _text.Length));
        Position = end < 0 ? _text.Length : end;
    }

    private void SkipBlockComment()
    {
        var end = _text.IndexOf("*/", Position + 2, StringComparison.Ordinal);
        if (end < 0) throw new HclSyntaxException(Here, "Unterminated comment", "A comment begun with /* must end with */.");
        Position = end + 2;
    }

    private (int Line, int Column) PlaceOf(int position)
    {
        var index = _lineStarts.BinarySearch(position);
        if (index < 0) index = ~index - 1;
        return (index + 1, position - _lineStarts[index] + 1);
    }
}
