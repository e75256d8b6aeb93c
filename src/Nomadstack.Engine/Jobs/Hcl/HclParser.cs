// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Jobs.Hcl;

/// <summary>
/// Reads HCL's native syntax into blocks, attributes and values. What would have to be computed here (functions, operators, conditions, <c>for</c>)
/// is refused by name and place; references are kept for the client.
/// </summary>
internal sealed partial class HclParser
{
    // Deeper than any job, and far from the end of the stack.
    private const int MaxDepth = 100;

    private readonly HclSource _source;
    private readonly bool _quotedNames;
    private int _depth;

    private HclParser(string text, bool quotedNames) => (_source, _quotedNames) = (new HclSource(text), quotedNames);

    /// <exception cref="HclSyntaxException">At the first thing that cannot be read.</exception>
    public static HclBody Parse(string text) => Parse(text, quotedNames: false);

    /// <summary>As <see cref="Parse(string)"/>, for the configuration of agents: Nomad reads it with the first version of HCL, in which names may be quoted.</summary>
    public static HclBody ParseConfiguration(string text) => Parse(text, quotedNames: true);

    private static HclBody Parse(string text, bool quotedNames)
    {
        var parser = new HclParser(text, quotedNames);
        var body = parser.ReadBody();
        if (!parser._source.AtEnd)
            throw new HclSyntaxException(parser._source.Here, "Argument or block definition required", "An argument or block definition is required here.");
        return body;
    }

    /// <summary>Up to the closing brace or the end of the text, neither of which is taken.</summary>
    private HclBody ReadBody()
    {
        var attributes = new List<HclAttribute>();
        var blocks = new List<HclBlock>();
        while (true)
        {
            _source.SkipSpace();
            if (_source.AtEnd || _source.Current == '}') return new HclBody(attributes, blocks);
            ReadDefinition(attributes, blocks);
            if (!_source.TryTakeLineEnd())
                throw new HclSyntaxException(_source.Here, "Missing newline after definition", "A definition must end with a newline.");
        }
    }

    private void ReadDefinition(List<HclAttribute> attributes, List<HclBlock> blocks)
    {
        var start = _source.Position;
        if (_source.Current == '"' && !_quotedNames)
            throw new HclSyntaxException(_source.Here, "Invalid argument name", "Argument names must not be quoted.");
        if ((_source.Current == '"' ? (ReadQuoted() as HclLiteral)?.Value as string : TakeIdentifier()) is not { } name)
            throw new HclSyntaxException(_source.Here, "Argument or block definition required", "An argument or block definition is required here.");
        var nameEnd = _source.Position;
        var nameRange = _source.RangeFrom(start);
        _source.SkipInlineSpace();
        if (_source.Current == '=' && _source.Peek(1) != '=')
        {
            _source.Take();
            _source.SkipInlineSpace();
            if (attributes.Any(a => a.Name == name))
                throw new HclSyntaxException(nameRange, "Attribute redefined", $"The argument \"{name}\" was already set. Each argument may be set only once.");
            attributes.Add(new HclAttribute(name, ReadExpression(inBrackets: false), nameRange));
        }
        else
        {
            blocks.Add(ReadBlock(name, start, nameEnd));
        }
    }

    private HclBlock ReadBlock(string type, int start, int headerEnd)
    {
        var labels = new List<HclLabel>();
        while (_source.Current != '{')
        {
            var labelStart = _source.Position;
            if (_source.Current == '"')
                labels.Add(ReadQuoted() is HclLiteral { Value: string text } literal
                    ? new HclLabel(text, literal.Range)
                    : throw new HclSyntaxException(_source.RangeFrom(labelStart), "Invalid string literal", "Template sequences are not allowed in this string."));
            else if (TakeIdentifier() is { } word)
                labels.Add(new HclLabel(word, _source.RangeFrom(labelStart)));
            else if (_source.Current is '\n' or '\0')
                throw new HclSyntaxException(_source.Here, "Invalid block definition", "A block definition must have block content delimited by \"{\" and \"}\", starting on the same line as the block header.");
            else
                throw new HclSyntaxException(_source.Here, "Invalid block definition", "Either a quoted string block label or an opening brace (\"{\") is expected here.");
            headerEnd = _source.Position;
            _source.SkipInlineSpace();
        }

        var header = _source.Range(start, headerEnd);
        _source.Take();
        var body = Nested(() => _source.TryTakeLineEnd() ? ReadBody() : ReadSingleLineBody());
        if (!_source.TryTake("}"))
            throw new HclSyntaxException(_source.AtEnd ? header : _source.Here, "Unclosed configuration block", "There is no closing brace for this block before the end of the file.");
        return new HclBlock(type, labels, body, header);
    }

    /// <summary>What may stand between the braces on one line: nothing, or one argument.</summary>
    private HclBody ReadSingleLineBody()
    {
        var attributes = new List<HclAttribute>();
        var blocks = new List<HclBlock>();
        if (_source.Current != '}')
        {
            var start = _source.Position;
            ReadDefinition(attributes, blocks);
            if (blocks.Count > 0)
                throw new HclSyntaxException(_source.RangeFrom(start), "Invalid single-argument block definition", "A single-line block definition must contain only a single argument. If you meant to define a nested block, use multi-line syntax.");
            _source.SkipInlineSpace();
            if (_source.Current != '}')
                throw new HclSyntaxException(_source.Here, "Invalid single-argument block definition", "A single-line block definition must end with a closing brace immediately after its single argument definition.");
        }

        return new HclBody(attributes, blocks);
    }

    private string? TakeIdentifier()
    {
        if (!char.IsLetter(_source.Current) && _source.Current != '_') return null;
        var start = _source.Position;
        while (char.IsLetterOrDigit(_source.Current) || _source.Current is '_' or '-') _source.Take();
        return _source.Between(start, _source.Position);
    }

    private T Nested<T>(Func<T> read)
    {
        if (++_depth > MaxDepth) throw new HclSyntaxException(_source.Here, "Too deeply nested", $"Blocks and values may be nested {MaxDepth} deep.");
        var result = read();
        _depth--;
        return result;
    }
}
