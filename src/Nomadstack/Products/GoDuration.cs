// SPDX-License-Identifier: MPL-2.0
using System.Buffers;
using System.Globalization;

namespace Nomadstack.Products;

/// <summary>Durations as Go programs write them: <c>200ms</c>, <c>1m30s</c>. Unreadable text gives null, never a guess.</summary>
internal static class GoDuration
{
    private static readonly SearchValues<char> s_digits = SearchValues.Create("0123456789.");

    public static TimeSpan? Parse(string? text)
    {
        if (string.IsNullOrEmpty(text)) return null;
        var negative = text[0] == '-';
        var rest = text.AsSpan(text[0] is '-' or '+' ? 1 : 0);
        if (rest is "0") return TimeSpan.Zero;
        var ticks = 0d;
        var units = 0;
        while (rest.Length > 0)
        {
            var digits = rest.IndexOfAnyExcept(s_digits);
            if (digits <= 0 || !double.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return null;
            rest = rest[digits..];
            var length = rest.IndexOfAny(s_digits);
            var unit = length < 0 ? rest : rest[..length];
            double? each = unit switch
            {
                "ns" => 0.01,
                "us" or "µs" or "μs" => TimeSpan.TicksPerMicrosecond,
                "ms" => TimeSpan.TicksPerMillisecond,
                "s" => TimeSpan.TicksPerSecond,
                "m" => TimeSpan.TicksPerMinute,
                "h" => TimeSpan.TicksPerHour,
                _ => null,
            };
            if (each is null) return null;
            ticks += number * each.Value;
            rest = rest[unit.Length..];
            units++;
        }

        return units == 0 ? null : TimeSpan.FromTicks((long)(negative ? -ticks : ticks));
    }

    /// <summary>Milliseconds when they are not whole seconds: <c>2s</c>, <c>1500ms</c>.</summary>
    public static string Format(TimeSpan span) => span.Ticks % TimeSpan.TicksPerSecond == 0
        ? ((long)span.TotalSeconds).ToString(CultureInfo.InvariantCulture) + "s"
        : ((long)span.TotalMilliseconds).ToString(CultureInfo.InvariantCulture) + "ms";

    public static long Nanoseconds(TimeSpan span) => span.Ticks * 100;
}
