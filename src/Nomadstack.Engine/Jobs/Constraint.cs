// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Jobs;

/// <summary>What a node must be for a job to be placed there.</summary>
internal sealed record Constraint
{
    public const string DistinctHosts = "distinct_hosts";
    public const string DistinctProperty = "distinct_property";
    public const string Regexp = "regexp";
    public const string Version = "version";
    public const string Semver = "semver";
    public const string SetContains = "set_contains";
    public const string SetContainsAll = "set_contains_all";
    public const string SetContainsAny = "set_contains_any";
    public const string IsSet = "is_set";
    public const string IsNotSet = "is_not_set";

    /// <summary>Operands that HCL also takes as a name of its own, in the order in which the later wins.</summary>
    public static readonly IReadOnlyList<string> Shorthands = [Version, Semver, Regexp, SetContains];

    public static readonly IReadOnlySet<string> HclNames = new HashSet<string>(StringComparer.Ordinal)
    {
        "attribute", "value", "operator", DistinctHosts, DistinctProperty, Regexp, Version, Semver, SetContains, SetContainsAll, SetContainsAny, IsSet, IsNotSet,
    };

    public string LTarget { get; init; } = "";
    public string RTarget { get; init; } = "";
    public string Operand { get; init; } = "";

    /// <summary>As Nomad shows it where nodes are counted by the constraint that filtered them.</summary>
    public override string ToString() => $"{LTarget} {Operand} {RTarget}";
}
