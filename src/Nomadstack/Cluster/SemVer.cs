// SPDX-License-Identifier: MPL-2.0
using System.Globalization;

namespace Nomadstack.Cluster;

/// <summary>A version as the products print it: <c>1.1.2</c>, <c>2.0.0-beta.1</c>, <c>1.10.5+ent</c>. Ordered by semantic versioning; build metadata does not count.</summary>
internal sealed record SemVer(int Major, int Minor, int Patch, string PreRelease = "", string Metadata = "") : IComparable<SemVer>
{
    /// <summary>Reads a version with or without a leading v; null if it is not a version.</summary>
    public static SemVer? Parse(string? text)
    {
        var rest = (text ?? "").Trim().TrimStart('v');
        var metadata = Cut(ref rest, '+');
        var preRelease = Cut(ref rest, '-');
        var numbers = rest.Split('.');
        if (numbers.Length is < 2 or > 3) return null;
        Span<int> parts = stackalloc int[3];
        for (var i = 0; i < numbers.Length; i++)
        {
            if (!int.TryParse(numbers[i], NumberStyles.None, CultureInfo.InvariantCulture, out parts[i])) return null;
        }

        return new(parts[0], parts[1], parts[2], preRelease, metadata);
    }

    public bool AtLeast(int major, int minor, int patch = 0) => (Major, Minor, Patch).CompareTo((major, minor, patch)) >= 0;

    public int CompareTo(SemVer? other)
    {
        if (other is null) return 1;
        var byNumber = (Major, Minor, Patch).CompareTo((other.Major, other.Minor, other.Patch));
        return byNumber != 0 ? byNumber : ComparePreRelease(PreRelease, other.PreRelease);
    }

    public static bool operator <(SemVer a, SemVer b) => a.CompareTo(b) < 0;

    public static bool operator >(SemVer a, SemVer b) => a.CompareTo(b) > 0;

    public static bool operator <=(SemVer a, SemVer b) => a.CompareTo(b) <= 0;

    public static bool operator >=(SemVer a, SemVer b) => a.CompareTo(b) >= 0;

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Major}.{Minor}.{Patch}{(PreRelease.Length > 0 ? "-" + PreRelease : "")}{(Metadata.Length > 0 ? "+" + Metadata : "")}");

    private static int ComparePreRelease(string a, string b)
    {
        // A version with a pre-release comes before the one without.
        if (a.Length == 0 || b.Length == 0) return b.Length.CompareTo(a.Length);
        var (left, right) = (a.Split('.'), b.Split('.'));
        for (var i = 0; i < Math.Min(left.Length, right.Length); i++)
        {
            var (leftIsNumber, rightIsNumber) = (int.TryParse(left[i], out var l), int.TryParse(right[i], out var r));
            var order = (leftIsNumber, rightIsNumber) switch
            {
                (true, true) => l.CompareTo(r),
                (true, false) => -1,
                (false, true) => 1,
                _ => string.CompareOrdinal(left[i], right[i]),
            };
            if (order != 0) return order;
        }

        return left.Length.CompareTo(right.Length);
    }

    private static string Cut(ref string text, char at)
    {
        var position = text.IndexOf(at);
        if (position < 0) return "";
        var after = text[(position + 1)..];
        text = text[..position];
        return after;
    }
}
