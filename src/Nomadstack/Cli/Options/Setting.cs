// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Net;
using Nomadstack.Cluster;

namespace Nomadstack.Cli.Options;

/// <summary>
/// An option that is also <c>NOMADSTACK_NAME_OF_THE_OPTION</c>. One parser reads both, so both accept and refuse the same values.
/// The command line wins over the environment, and the environment over the default.
/// </summary>
internal static class Setting
{
    public static Option<string?> Text(Surroundings here, string name, string placeholder, string description) =>
        Of(here, name, placeholder, description, null, text => (string?)text);

    public static Option<string?> Address(Surroundings here, string name, string placeholder, string description) =>
        Of(here, name, placeholder, description, null, text => IPAddress.TryParse(text, out _) ? (string?)HostPort.Canonical(text) : throw new FormatException("is not an IP address"));

    public static Option<string> OneOf(Surroundings here, string name, string description, string fallback, params string[] words)
    {
        var option = Of(here, name, string.Join('|', words), description, fallback, text => words.Contains(text) ? text : throw new FormatException("is not one of " + string.Join(", ", words)));
        option.CompletionSources.Add(words);
        return option;
    }

    public static Option<int> NumberOf(Surroundings here, string name, string description, int fallback, params int[] numbers) =>
        Of(here, name, string.Join('|', numbers), description, fallback, text =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && numbers.Contains(n) ? n : throw new FormatException("is not one of " + string.Join(", ", numbers)));

    public static Option<int?> Number(Surroundings here, string name, string placeholder, string description) =>
        Of(here, name, placeholder, description, null, text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n > 0 ? (int?)n : throw new FormatException("is not a whole number above zero"));

    /// <param name="variable">Its environment variable, where the usual one means something else to another command.</param>
    public static Option<int?> Port(Surroundings here, string name, string description, string variable) =>
        Of(here, name, "PORT", $"{description} ({variable})", null, text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n is > 0 and < 65536 ? (int?)n : throw new FormatException("is not a port from 1 to 65535"), variable);

    /// <summary>A whole number that may be zero.</summary>
    public static Option<int?> Amount(Surroundings here, string name, string placeholder, string description) =>
        Of(here, name, placeholder, description, null, text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? (int?)n : throw new FormatException("is not a whole number"));

    public static Option<TimeSpan?> Span(Surroundings here, string name, string description) =>
        Of(here, name, "TIME", description, null, text => Duration.TryParse(text, out var span) ? (TimeSpan?)span : throw new FormatException("is not a duration; write 120s, 2m or 1h30m"));

    /// <summary>A switch: given or not, or spelled out as <c>=true</c> and <c>=false</c>.</summary>
    public static Option<bool> Flag(Surroundings here, string name, string description)
    {
        var option = Of(here, name, null, description, false, text => text switch
        {
            "true" or "1" or "yes" => true,
            "false" or "0" or "no" => false,
            _ => throw new FormatException("is not true or false"),
        });
        option.Arity = ArgumentArity.ZeroOrOne;
        return option;
    }

    /// <summary>An option that may be repeated; in the environment its values are separated by commas.</summary>
    public static Option<IReadOnlyList<T>> Many<T>(Surroundings here, string name, string placeholder, string description, Func<string, T> parse)
    {
        var option = new Option<IReadOnlyList<T>>(name)
        {
            Description = description,
            HelpName = placeholder,
            Arity = ArgumentArity.OneOrMore,
            AllowMultipleArgumentsPerToken = false,
            CustomParser = result => All(result, name, result.Tokens.Select(t => t.Value)),
            DefaultValueFactory = result => here.Variable(VariableOf(name)) is { Length: > 0 } text
                ? All(result, VariableOf(name), text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
                : [],
        };
        return option;

        IReadOnlyList<T> All(ArgumentResult result, string source, IEnumerable<string> texts) =>
            [.. texts.Select(text => Read(result, source, text, default!, parse))];
    }

    /// <summary><c>--data-dir</c> is <c>NOMADSTACK_DATA_DIR</c>.</summary>
    public static string VariableOf(string option) => "NOMADSTACK_" + option.TrimStart('-').Replace('-', '_').ToUpperInvariant();

    private static Option<T> Of<T>(Surroundings here, string name, string? placeholder, string description, T fallback, Func<string, T> parse, string? variable = null) => new(name)
    {
        Description = description,
        HelpName = placeholder,
        Arity = ArgumentArity.ExactlyOne,
        // A switch without a value has no token.
        CustomParser = result => Read(result, name, result.Tokens.Count == 0 ? "true" : result.Tokens[^1].Value, fallback, parse),
        DefaultValueFactory = result => here.Variable(variable ?? VariableOf(name)) is { Length: > 0 } text
            ? Read(result, variable ?? VariableOf(name), text, fallback, parse)
            : fallback,
    };

    private static T Read<T>(ArgumentResult result, string source, string text, T fallback, Func<string, T> parse)
    {
        try
        {
            return parse(text);
        }
        catch (FormatException e)
        {
            result.AddError($"{source}: \"{text}\" {e.Message}.");
            return fallback;
        }
    }
}
