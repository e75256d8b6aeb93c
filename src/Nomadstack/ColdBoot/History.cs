// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Numerics;

namespace Nomadstack.ColdBoot;

/// <summary>How the history that a leader has stands to the one that a node remembers.</summary>
internal enum Past
{
    /// <summary>The node remembers none.</summary>
    Unknown,

    /// <summary>The leader's is another, or ends before: it is blank, or was rolled back.</summary>
    Lost,

    /// <summary>The newest mark of both is the same: less than a minute lies between them, or nobody has written since.</summary>
    Same,

    /// <summary>The leader's has what the node remembers, and more.</summary>
    GoesOn,
}

/// <summary>
/// Marks that the cluster writes into its own state, about one a minute, each with a number and a random name. A state that was rolled back lacks the last of them and, when it
/// goes on, numbers others the same: raft's bare index cannot tell the two apart, for it rises again by whatever is written.
/// </summary>
/// <param name="Marks">Oldest first. Of old ones only a part is kept, by their number alone, so that every copy keeps the same.</param>
internal sealed record History(IReadOnlyList<(long Number, string Name)> Marks)
{
    /// <summary>All of the newest are kept, two hours of them, and of each span twice as long before them an eighth of as many: five years fit into four kilobytes.</summary>
    private const int Newest = 128;

    public static History None { get; } = new([]);

    public long Last => Marks.Count > 0 ? Marks[^1].Number : 0;

    /// <summary>Reads <c>NUMBER:NAME,…</c>; what cannot be read is no history.</summary>
    public static History Parse(string text)
    {
        List<(long Number, string Name)> marks = [];
        foreach (var part in text.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part.Split(':') is not [var number, { Length: > 0 } name] || !long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var n) || (marks.Count > 0 && n <= marks[^1].Number)) return None;
            marks.Add((n, name));
        }

        return new(marks);
    }

    public string Render() => string.Join(',', Marks.Select(m => string.Create(CultureInfo.InvariantCulture, $"{m.Number}:{m.Name}")));

    /// <summary>Whether an operator's restore, whose mark this is, is in this history and not yet in the one that a node remembers.</summary>
    /// <param name="mark"><c>NUMBER:NAME</c>; null for none.</param>
    public bool IsRestoredSince(History remembered, string? mark) => mark is not null && Parse(mark).Marks is [var restored] && Marks.Contains(restored) && remembered.Last < restored.Number;

    /// <summary>With one mark more.</summary>
    public History With(string name)
    {
        var last = Last + 1;
        return new([.. Marks.Where(m => IsKept(last - m.Number, m.Number)), (last, name)]);
    }

    /// <summary>Marks of other nodes that the writer may not know yet: one a minute, and a node looks at least once a minute.</summary>
    private const int Unseen = 16;

    /// <summary>
    /// The history after an operator restored an older state: it goes on from what was there before, so no node takes what the operator wanted for a loss. Its last mark is the restore's.
    /// </summary>
    public static History AfterRestore(History before, string name) => new([.. before.Marks, (before.Last + Unseen, name)]);

    /// <summary>Pure and total.</summary>
    public static Past Compare(History remembered, History held)
    {
        if (remembered.Marks.Count == 0) return Past.Unknown;
        if (remembered.Last > held.Last) return Past.Lost;
        var known = held.Marks.ToDictionary(m => m.Number, m => m.Name);
        if (remembered.Marks.Any(m => known.TryGetValue(m.Number, out var name) && name != m.Name)) return Past.Lost;
        return remembered.Last == held.Last ? Past.Same : Past.GoesOn;
    }

    private static bool IsKept(long age, long number) => age < Newest || BitOperations.TrailingZeroCount(number) >= BitOperations.Log2((ulong)age / Newest) + 3;
}
