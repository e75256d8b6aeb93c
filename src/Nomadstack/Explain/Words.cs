// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Cluster;

namespace Nomadstack.Explain;

/// <summary>Small words of an explanation.</summary>
internal static class Words
{
    /// <summary><c>n1, n2 and n3</c>.</summary>
    public static string List(IEnumerable<string> names, string last = "and")
    {
        var all = names.ToList();
        return all.Count switch { 0 => "none", 1 => all[0], _ => $"{string.Join(", ", all[..^1])} {last} {all[^1]}" };
    }

    public static string Count(int number, string one, string? many = null) => string.Create(CultureInfo.InvariantCulture, $"{number} {(number == 1 ? one : many ?? one + "s")}");

    /// <summary>A span of time as people say it.</summary>
    public static string Span(TimeSpan span) => span switch
    {
        { TotalSeconds: < 10 } => string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, span.TotalSeconds):0.0} s"),
        { TotalMinutes: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0} s"),
        { TotalHours: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMinutes:0} minutes"),
        { TotalDays: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalHours:0} hours"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{span.TotalDays:0} days"),
    };

    /// <summary>Today's hour, another day's date.</summary>
    public static string Time(DateTimeOffset at, DateTimeOffset now) =>
        at.UtcDateTime.ToString(at.UtcDateTime.Date == now.UtcDateTime.Date ? "HH:mm:ss 'UTC'" : "yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);

    public static string Title(string role) => ProductTable.Known.Find(role)?.Title ?? role;

    /// <summary>Of that many servers, how many must reach each other to have a leader.</summary>
    public static int Quorum(int servers) => servers / 2 + 1;

    /// <summary>A sentence's end where there is none.</summary>
    public static string Sentence(string text) => text.Length == 0 || text[^1] is '.' or '!' or '?' ? text : text + ".";

    /// <summary>A sentence's beginning.</summary>
    public static string Begin(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..];
}
