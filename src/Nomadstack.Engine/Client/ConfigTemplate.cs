// SPDX-License-Identifier: MPL-2.0
using System.Text;

namespace Nomadstack.Engine.Client;

/// <summary>
/// The texts of a driver's configuration: templates of HCL, in which <c>${…}</c> names a variable of the task or a fact of its node. Where Nomad's
/// client knows expressions as well, this one knows names, and refuses the rest.
/// </summary>
internal static class ConfigTemplate
{
    /// <exception cref="FormatException">A name that does not exist, or something that is none.</exception>
    public static string Evaluate(string text, TaskEnvironment environment)
    {
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is not ('$' or '%'))
            {
                result.Append(text[i]);
                continue;
            }

            var rest = text.AsSpan(i);
            if (rest is ['$', '$', '{', ..] or ['%', '%', '{', ..])
            {
                result.Append(rest[..1]).Append('{');
                i += 2;
            }
            else if (rest is ['%', '{', ..])
            {
                var keyword = text[(i + 2)..].TrimStart('~', ' ').Split(' ', '}')[0];
                throw new FormatException($"Invalid template control keyword: the embedded engine knows no \"{keyword}\".");
            }
            else if (rest is ['$', '{', ..])
            {
                var end = text.IndexOf('}', i);
                if (end < 0) throw new FormatException("Unterminated template string: No closing marker was found for the string.");
                result.Append(Lookup(text[(i + 2)..end].Trim(), environment));
                i = end;
            }
            else
            {
                result.Append(text[i]);
            }
        }

        return result.ToString();
    }

    private static string Lookup(string expression, TaskEnvironment environment)
    {
        var name = Flatten(expression);
        if (name.StartsWith("env.", StringComparison.Ordinal)) return environment.Variables.GetValueOrDefault(name[4..]) ?? throw NoAttribute(name[4..]);
        if (environment.Node.TryGetValue(name, out var fact) || environment.Variables.TryGetValue(name, out fact)) return fact;
        if (name.StartsWith("node.attr.", StringComparison.Ordinal) || name.StartsWith("node.meta.", StringComparison.Ordinal))
            return environment.Node.GetValueOrDefault(name["node.".Length..]) ?? throw NoAttribute(name[(name.LastIndexOf('.') + 1)..]);
        var root = name.Split('.')[0];
        var rooted = environment.Node.Keys.Concat(environment.Variables.Keys).Any(k => k.StartsWith(root + ".", StringComparison.Ordinal));
        throw rooted ? NoAttribute(name[(name.LastIndexOf('.') + 1)..]) : new FormatException($"Unknown variable: There is no variable named \"{root}\".");
    }

    /// <summary><c>env["A"]</c> and <c>env.A</c> are the same.</summary>
    private static string Flatten(string expression)
    {
        var name = new StringBuilder(expression.Length);
        for (var i = 0; i < expression.Length; i++)
        {
            if (expression[i] == '[' && expression.AsSpan(i) is ['[', '"', ..] && expression.IndexOf("\"]", i, StringComparison.Ordinal) is > 0 and var end)
            {
                name.Append('.').Append(expression, i + 2, end - i - 2);
                i = end + 1;
            }
            else if (char.IsAsciiLetterOrDigit(expression[i]) || expression[i] is '_' or '-' or '.')
            {
                name.Append(expression[i]);
            }
            else
            {
                throw new FormatException($"Unsupported expression: the embedded engine looks up names alone, not \"{expression}\".");
            }
        }

        return name.ToString();
    }

    private static FormatException NoAttribute(string name) => new($"Unsupported attribute: This object does not have an attribute named \"{name}\".");
}
