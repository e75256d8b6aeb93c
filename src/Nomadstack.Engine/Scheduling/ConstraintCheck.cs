// SPDX-License-Identifier: MPL-2.0
using System.Text.RegularExpressions;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>Whether a node meets a constraint, by the node alone. What depends on other allocations is judged elsewhere.</summary>
internal static class ConstraintCheck
{
    // A pattern is linear in its subject, so this is for subjects of absurd length.
    private static readonly TimeSpan RegexDeadline = TimeSpan.FromSeconds(1);

    public static bool Meets(Node node, Constraint constraint)
    {
        var left = Resolve(constraint.LTarget, node);
        var right = Resolve(constraint.RTarget, node);
        switch (constraint.Operand)
        {
            case Constraint.DistinctHosts or Constraint.DistinctProperty:
                return true;
            case "=" or "==" or "is":
                return left is not null && right is not null && left == right;
            // A target that is missing differs from one that is there.
            case "!=" or "not":
                return left != right;
            case Constraint.IsSet:
                return left is not null;
            case Constraint.IsNotSet:
                return left is null;
        }

        if (left is null || right is null) return false;
        return constraint.Operand switch
        {
            "<" => string.CompareOrdinal(left, right) < 0,
            "<=" => string.CompareOrdinal(left, right) <= 0,
            ">" => string.CompareOrdinal(left, right) > 0,
            ">=" => string.CompareOrdinal(left, right) >= 0,
            Constraint.Version => VersionConstraint.TryParse(right, semver: false)?.Allows(left) ?? false,
            Constraint.Semver => VersionConstraint.TryParse(right, semver: true)?.Allows(left) ?? false,
            Constraint.Regexp => Matches(left, right),
            Constraint.SetContains or Constraint.SetContainsAll => Items(right).All(Items(left).Contains),
            Constraint.SetContainsAny => Items(right).Any(Items(left).Contains),
            _ => false,
        };
    }

    /// <summary>The text a target stands for on this node; null when the node has no such attribute.</summary>
    public static string? Resolve(string target, Node node)
    {
        if (!target.StartsWith("${", StringComparison.Ordinal)) return target;
        var name = target[2..].TrimEnd('}').Trim();
        return name switch
        {
            "node.unique.id" => node.ID,
            "node.datacenter" => node.Datacenter,
            "node.unique.name" => node.Name,
            "node.class" => node.NodeClass,
            _ when name.StartsWith("attr.", StringComparison.Ordinal) => node.Attributes.GetValueOrDefault(name["attr.".Length..]),
            _ when name.StartsWith("meta.", StringComparison.Ordinal) => node.Meta.GetValueOrDefault(name["meta.".Length..]),
            _ => null,
        };
    }

    private static bool Matches(string text, string pattern)
    {
        try
        {
            return Regex.IsMatch(text, pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, RegexDeadline);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException or RegexMatchTimeoutException)
        {
            // Also a node's own attribute can be the pattern, and that nobody has validated.
            return false;
        }
    }

    private static string[] Items(string list) => list.Split(',', StringSplitOptions.TrimEntries);
}
