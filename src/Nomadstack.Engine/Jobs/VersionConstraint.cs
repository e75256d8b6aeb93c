// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Jobs;

/// <summary>
/// Comma-separated conditions on a version, such as <c>&gt;= 1.1, &lt; 2.0</c>; all must hold. With <c>version</c> a prerelease fits only a condition
/// that names one of the same numbers; with <c>semver</c> it just comes before its release.
/// </summary>
internal sealed record VersionConstraint(IReadOnlyList<VersionConstraint.Condition> Conditions, bool Semver)
{
    private static readonly string[] Operators = [">=", "<=", "!=", "~>", "=", ">", "<"];

    internal sealed record Condition(string Operator, ComparableVersion Version);

    /// <summary>Null when it cannot be read.</summary>
    public static VersionConstraint? TryParse(string text, bool semver)
    {
        var conditions = new List<Condition>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            var op = Operators.FirstOrDefault(o => part.StartsWith(o, StringComparison.Ordinal)) ?? "";
            if ((semver && op == "~>") || ComparableVersion.TryParse(part[op.Length..].Trim(), strict: semver) is not { } version) return null;
            conditions.Add(new(op.Length > 0 ? op : "=", version));
        }

        return new(conditions, semver);
    }

    public bool Allows(string text) => ComparableVersion.TryParse(text, strict: Semver) is { } version && Conditions.All(c => Holds(c, version));

    private bool Holds(Condition condition, ComparableVersion version)
    {
        var order = version.CompareTo(condition.Version);
        return condition.Operator switch
        {
            "=" => order == 0,
            "!=" => order != 0,
            ">" => Comparable(condition, version) && order > 0,
            "<" => Comparable(condition, version) && order < 0,
            ">=" => Comparable(condition, version) && order >= 0,
            "<=" => Comparable(condition, version) && order <= 0,
            _ => Comparable(condition, version) && order >= 0 && SameUpToTheLast(condition.Version, version),
        };
    }

    private bool Comparable(Condition condition, ComparableVersion version) => Semver || version.Prerelease.Length == 0
        || (condition.Version.Prerelease.Length > 0 && version.SameSegments(condition.Version));

    // ~> 1.2 is any 1.x from 1.2 on; ~> 1.2.3 any 1.2.x from 1.2.3 on.
    private static bool SameUpToTheLast(ComparableVersion wanted, ComparableVersion version)
    {
        for (var i = 0; i < wanted.Specificity - 1; i++)
            if (wanted.Segment(i) != version.Segment(i)) return false;
        return true;
    }
}
