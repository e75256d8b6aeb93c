// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.RegularExpressions;

namespace Nomadstack.Engine.Jobs;

/// <summary>A version such as <c>1.10</c> or <c>v2.0.0-beta.1+ent</c>, in semver's order; missing numbers count as zero.</summary>
internal sealed partial record ComparableVersion(IReadOnlyList<long> Segments, string Prerelease) : IComparable<ComparableVersion>
{
    /// <summary>How many numbers were written; what <c>~&gt;</c> goes by.</summary>
    public int Specificity { get; private init; }

    public static ComparableVersion? TryParse(string text, bool strict = false)
    {
        var match = strict ? StrictPattern().Match(text) : Pattern().Match(text);
        if (!match.Success) return null;
        var numbers = new List<long>();
        foreach (var part in match.Groups["numbers"].Value.Split('.'))
        {
            if (!long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return null;
            numbers.Add(number);
        }

        var specificity = numbers.Count;
        while (numbers.Count < 3) numbers.Add(0);
        return new(numbers, match.Groups["pre"].Value) { Specificity = specificity };
    }

    public int CompareTo(ComparableVersion? other)
    {
        if (other is null) return 1;
        for (var i = 0; i < Math.Max(Segments.Count, other.Segments.Count); i++)
        {
            var order = Segment(i).CompareTo(other.Segment(i));
            if (order != 0) return order;
        }

        return ComparePrereleases(Prerelease, other.Prerelease);
    }

    public bool SameSegments(ComparableVersion other) => (this with { Prerelease = "" }).CompareTo(other with { Prerelease = "" }) == 0;

    public long Segment(int index) => index < Segments.Count ? Segments[index] : 0;

    private static int ComparePrereleases(string left, string right)
    {
        if (left == right) return 0;
        if (left.Length == 0) return 1;
        if (right.Length == 0) return -1;
        var (lefts, rights) = (left.Split('.'), right.Split('.'));
        for (var i = 0; i < Math.Min(lefts.Length, rights.Length); i++)
        {
            var leftIsNumber = long.TryParse(lefts[i], NumberStyles.None, CultureInfo.InvariantCulture, out var leftNumber);
            var rightIsNumber = long.TryParse(rights[i], NumberStyles.None, CultureInfo.InvariantCulture, out var rightNumber);
            var order = (leftIsNumber, rightIsNumber) switch
            {
                (true, true) => leftNumber.CompareTo(rightNumber),
                (true, false) => -1,
                (false, true) => 1,
                _ => string.CompareOrdinal(lefts[i], rights[i]),
            };
            if (order != 0) return order;
        }

        return lefts.Length.CompareTo(rights.Length);
    }

    // Also 1.0beta, as go-version reads it.
    [GeneratedRegex(@"^v?(?<numbers>[0-9]+(\.[0-9]+)*)(-(?<pre>[0-9]+[0-9A-Za-z\-~]*(\.[0-9A-Za-z\-~]+)*)|-?(?<pre>[A-Za-z\-~]+[0-9A-Za-z\-~]*(\.[0-9A-Za-z\-~]+)*))?(\+[0-9A-Za-z\-~]+(\.[0-9A-Za-z\-~]+)*)?$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Pattern();

    [GeneratedRegex(@"^v?(?<numbers>[0-9]+(\.[0-9]+)*)(-(?<pre>[0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+[0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*)?$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex StrictPattern();
}
