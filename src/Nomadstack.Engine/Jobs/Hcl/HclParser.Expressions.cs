// SPDX-License-Identifier: MPL-2.0
using System.Globalization;

namespace Nomadstack.Engine.Jobs.Hcl;

internal sealed partial class HclParser
{
    private static readonly string[] Operators = ["==", "!=", "<=", ">=", "&&", "||", "?", "+", "-", "*", "/", "%", "<", ">"];

    /// <param name="inBrackets">Whether line ends are mere space here.</param>
    private HclExpression ReadExpression(bool inBrackets)
    {
        var expression = Nested(() => ReadTerm(inBrackets));
        var end = _source.Position;
        Skip(inBrackets);
        if (!_source.Looking("//") && Operators.FirstOrDefault(_source.Looking) is { } found)
            throw NotEvaluated(_source.Range(_source.Position, _source.Position + found.Length), $"the operator \"{found}\"");
        _source.Position = end;
        return expression;
    }

    private HclExpression ReadTerm(bool inBrackets)
    {
        var start = _source.Position;
        switch (_source.Current)
        {
            case '"':
                return ReadQuoted();
            case '<' when _source.Looking("<<"):
                return ReadHeredoc();
            case '[':
                return ReadTuple();
            case '{':
                return ReadObject();
            case '(':
                _source.Take();
                _source.SkipSpace();
                var inner = ReadExpression(inBrackets: true);
                _source.SkipSpace();
                return _source.TryTake(")") ? inner : throw new HclSyntaxException(_source.Here, "Unbalanced parentheses", "Expected a closing parenthesis to terminate the expression.");
            case '!':
                throw NotEvaluated(_source.Here, "the operator \"!\"");
            case '-' or (>= '0' and <= '9'):
                return ReadNumber();
        }

        if (TakeIdentifier() is not { } word)
            throw new HclSyntaxException(_source.Here, "Invalid expression", "Expected the start of an expression, but found an invalid expression token.");
        if (_source.Current == '(')
            throw NotEvaluated(_source.RangeFrom(start), $"the function \"{word}\"");
        return word switch
        {
            "true" => new HclLiteral(true, _source.RangeFrom(start)),
            "false" => new HclLiteral(false, _source.RangeFrom(start)),
            "null" => new HclLiteral(null, _source.RangeFrom(start)),
            _ => ReadReference(word, start),
        };
    }

    private HclLiteral ReadNumber()
    {
        var start = _source.Position;
        _source.TryTake("-");
        while (char.IsAsciiDigit(_source.Current)) _source.Take();
        if (_source.Current == '.' && char.IsAsciiDigit(_source.Peek(1)))
        {
            _source.Take();
            while (char.IsAsciiDigit(_source.Current)) _source.Take();
        }

        if (_source.Current is 'e' or 'E' && (char.IsAsciiDigit(_source.Peek(1)) || _source.Peek(1) is '+' or '-' && char.IsAsciiDigit(_source.Peek(2))))
        {
            _source.Position += 2;
            while (char.IsAsciiDigit(_source.Current)) _source.Take();
        }

        var range = _source.RangeFrom(start);
        return decimal.TryParse(_source.Between(start, _source.Position), NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            ? new HclLiteral(number, range)
            : throw new HclSyntaxException(range, "Invalid number literal", "Failed to recognize the value of this number literal.");
    }

    /// <summary>A name with its attributes and indexes: <c>attr.kernel.name</c>, <c>env["HOME"]</c>.</summary>
    private HclReference ReadReference(string root, int start)
    {
        while (true)
        {
            if (_source.Current == '.' && (_source.Peek(1) == '*' || _source.Looking("..."))
                || _source.Looking("[*]"))
                throw NotEvaluated(_source.Here, "the splat operator");
            if (_source.Current == '.')
            {
                _source.Take();
                while (_source.Current == ' ') _source.Take();
                if (char.IsAsciiDigit(_source.Current)) ReadNumber();
                else if (TakeIdentifier() is null)
                    throw new HclSyntaxException(_source.Here, "Invalid attribute name", "An attribute name is required after a dot.");
            }
            else if (_source.Current == '[')
            {
                _source.Take();
                _source.SkipSpace();
                ReadExpression(inBrackets: true);
                _source.SkipSpace();
                if (!_source.TryTake("]"))
                    throw new HclSyntaxException(_source.Here, "Missing close bracket on index", "The index operator must end with a closing bracket (\"]\").");
            }
            else
            {
                break;
            }
        }

        var range = _source.RangeFrom(start);
        if (root is "var" or "local")
            throw NotEvaluated(range, $"the {(root == "var" ? "variable" : "local value")} \"{_source.Between(start, _source.Position)}\"");
        return new HclReference(root, "${" + _source.Between(start, _source.Position) + "}", range);
    }

    private HclTuple ReadTuple()
    {
        var start = _source.Position;
        _source.Take();
        RefuseFor();
        var items = new List<HclExpression>();
        while (true)
        {
            _source.SkipSpace();
            if (_source.TryTake("]")) return new HclTuple(items, _source.RangeFrom(start));
            if (_source.AtEnd) throw new HclSyntaxException(_source.RangeFrom(start), "Unterminated tuple constructor expression", "There is no corresponding closing bracket before the end of the file.");
            items.Add(ReadExpression(inBrackets: true));
            _source.SkipSpace();
            if (!_source.TryTake(",") && _source.Current != ']')
                throw new HclSyntaxException(_source.Here, "Missing item separator", "Expected a comma to mark the beginning of the next item.");
        }
    }

    private HclObject ReadObject()
    {
        var start = _source.Position;
        _source.Take();
        RefuseFor();
        var items = new List<(HclExpression, HclExpression)>();
        while (true)
        {
            _source.SkipSpace();
            if (_source.TryTake("}")) return new HclObject(items, _source.RangeFrom(start));
            if (_source.AtEnd) throw new HclSyntaxException(_source.RangeFrom(start), "Unterminated object constructor expression", "There is no corresponding closing brace before the end of the file.");
            var key = ReadKey();
            _source.SkipInlineSpace();
            if (!_source.TryTake("=") && !_source.TryTake(":"))
                throw new HclSyntaxException(_source.Here, "Missing key/value separator", "Expected an equals sign (\"=\") to mark the beginning of the attribute value.");
            _source.SkipSpace();
            items.Add((key, ReadExpression(inBrackets: false)));
            _source.SkipInlineSpace();
            if (_source.TryTake(",") || _source.Current == '}') continue;
            if (!_source.TryTakeLineEnd())
                throw new HclSyntaxException(_source.Here, "Missing attribute separator", "Expected a newline or comma to mark the beginning of the next attribute.");
        }
    }

    /// <summary>A bare word names itself.</summary>
    private HclExpression ReadKey()
    {
        var start = _source.Position;
        if (TakeIdentifier() is { } word)
        {
            var range = _source.RangeFrom(start);
            _source.SkipInlineSpace();
            if (_source.Current is '=' or ':') return new HclLiteral(word, range);
            _source.Position = start;
        }

        return ReadExpression(inBrackets: true);
    }

    private void RefuseFor()
    {
        _source.SkipSpace();
        var start = _source.Position;
        if (TakeIdentifier() == "for" && _source.Current is ' ' or '\t')
            throw NotEvaluated(_source.RangeFrom(start), "a \"for\" expression");
        _source.Position = start;
    }

    private void Skip(bool inBrackets)
    {
        if (inBrackets) _source.SkipSpace();
        else _source.SkipInlineSpace();
    }

    private static HclSyntaxException NotEvaluated(HclRange range, string what) =>
        new(range, "Not supported by the embedded engine", $"The embedded engine does not evaluate {what}; write the value itself.");
}
