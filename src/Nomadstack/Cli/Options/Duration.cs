// SPDX-License-Identifier: MPL-2.0
using System.Buffers;
using System.Globalization;

namespace Nomadstack.Cli.Options;

/// <summary>Spans of time as people type and read them: <c>120s</c>, <c>1h30m</c>, <c>2.1 s</c>.</summary>
internal static class Duration
{
    private static readonly SearchValues<char> s_number = SearchValues.Create("0123456789.");

    /// <summary>Number and unit, repeated: ms, s, m, h, d. A number without a unit is refused, since the unit would be a guess.</summary>
    public static bool TryParse(string text, out TimeSpan span)
    {
        span = TimeSpan.Zero;
        var rest = text.AsSpan().Trim();
        if (rest.IsEmpty) return false;
        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExcept(s_number);
            if (digits <= 0 || !double.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return false;
            rest = rest[digits..];
            var letters = rest.IndexOfAny(s_number);
            var unit = letters < 0 ? rest : rest[..letters];
            var seconds = unit switch { "ms" => 0.001, "s" => 1, "m" => 60, "h" => 3600, "d" => 86400, _ => -1d };
            if (seconds < 0 || number * seconds > TimeSpan.FromDays(3650).TotalSeconds) return false;
            span += TimeSpan.FromSeconds(number * seconds);
            rest = rest[unit.Length..];
        }

        return true;
    }

    /// <summary>Short, and exact enough: <c>2.1 s</c>, <c>42 s</c>, <c>1 m 05 s</c>, <c>3 h 20 m</c>.</summary>
    public static string Show(TimeSpan span) => span switch
    {
        { TotalSeconds: < 0 } => Show(TimeSpan.Zero),
        { TotalSeconds: < 9.95 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.0} s"),
        { TotalSeconds: < 59.5 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0} s"),
        { TotalMinutes: < 60 } => string.Create(CultureInfo.InvariantCulture, $"{(int)span.TotalMinutes} m {span.Seconds:00} s"),
        { TotalHours: < 48 } => string.Create(CultureInfo.InvariantCulture, $"{(int)span.TotalHours} h {span.Minutes:00} m"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{(int)span.TotalDays} d {span.Hours} h"),
    };
}
