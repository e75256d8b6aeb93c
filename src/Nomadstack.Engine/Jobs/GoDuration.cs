// SPDX-License-Identifier: MPL-2.0
using System.Buffers;
using System.Globalization;
using System.Text;

namespace Nomadstack.Engine.Jobs;

/// <summary>Durations as Go writes them (<c>1h30m</c>, <c>1.5s</c>, <c>10ms</c>), counted in nanoseconds as Nomad's JSON does.</summary>
internal static class GoDuration
{
    private static readonly (string Unit, long Nanoseconds)[] Units =
    [
        ("ns", 1), ("us", 1_000), ("µs", 1_000), ("μs", 1_000), ("ms", 1_000_000),
        ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000),
    ];

    private static readonly SearchValues<char> NumberCharacters = SearchValues.Create("0123456789.");

    /// <summary>Whether <paramref name="text"/> is a duration; a bare number other than 0 lacks its unit and is none.</summary>
    public static bool TryParse(string text, out long nanoseconds)
    {
        nanoseconds = 0;
        var rest = text.AsSpan();
        var negative = rest.StartsWith('-');
        if (negative || rest.StartsWith('+')) rest = rest[1..];
        if (rest.SequenceEqual("0")) return true;
        if (rest.IsEmpty) return false;

        decimal total = 0;
        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExcept(NumberCharacters);
            if (digits <= 0 || !decimal.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return false;
            rest = rest[digits..];
            var letters = rest.IndexOfAny(NumberCharacters);
            var unit = letters < 0 ? rest : rest[..letters];
            if (NanosecondsOf(unit) is not { } size) return false;
            total += number * size;
            if (total > long.MaxValue) return false;
            rest = rest[unit.Length..];
        }

        nanoseconds = (long)(negative ? -total : total);
        return true;
    }

    /// <summary>As Go prints it: <c>30s</c>, <c>1h0m0s</c>, <c>1.5s</c>, <c>100ms</c>, <c>0s</c>.</summary>
    public static string Format(TimeSpan span)
    {
        if (span == TimeSpan.Zero) return "0s";
        var text = new StringBuilder(span < TimeSpan.Zero ? "-" : "");
        span = span.Duration();
        if (span < TimeSpan.FromSeconds(1))
        {
            var micros = (decimal)span.Ticks / TimeSpan.TicksPerMicrosecond;
            return text.Append(micros >= 1000 ? Number(micros / 1000) + "ms" : Number(micros) + "µs").ToString();
        }

        var hours = (long)span.TotalHours;
        if (hours > 0) text.Append(CultureInfo.InvariantCulture, $"{hours}h");
        if (hours > 0 || span.Minutes > 0) text.Append(CultureInfo.InvariantCulture, $"{span.Minutes}m");
        return text.Append(Number((decimal)(span.Ticks % TimeSpan.TicksPerMinute) / TimeSpan.TicksPerSecond)).Append('s').ToString();
    }

    private static string Number(decimal value) => value.ToString("0.#######", CultureInfo.InvariantCulture);

    private static long? NanosecondsOf(ReadOnlySpan<char> unit)
    {
        foreach (var (name, size) in Units)
            if (unit.SequenceEqual(name)) return size;
        return null;
    }
}
