// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Acl;

/// <summary>All that a token may, from all of its policies. A denial in one of them outweighs what others grant.</summary>
internal sealed class Grants
{
    /// <summary>Of a management token, and of everybody where there is no access control.</summary>
    public static readonly Grants All = new([], isManagement: true);

    private readonly Dictionary<string, HashSet<string>> _namespaces = new(StringComparer.Ordinal);
    private readonly HashSet<string> _operatorCapabilities = new(StringComparer.Ordinal);
    private readonly Level _agent, _node, _operator;

    private Grants(IReadOnlyList<PolicyRules> policies, bool isManagement)
    {
        IsManagement = isManagement;
        foreach (var policy in policies)
        {
            foreach (var rule in policy.Namespaces)
            {
                if (!_namespaces.TryGetValue(rule.Pattern, out var set)) _namespaces[rule.Pattern] = set = new(StringComparer.Ordinal);
                set.UnionWith(rule.Capabilities);
            }

            _operatorCapabilities.UnionWith(policy.OperatorCapabilities);
            (_agent, _node, _operator) = (Higher(_agent, policy.Agent), Higher(_node, policy.Node), Higher(_operator, policy.Operator));
        }
    }

    public bool IsManagement { get; }

    public static Grants Of(IEnumerable<PolicyRules> policies) => new([.. policies], isManagement: false);

    public bool Agent(Level wanted) => IsManagement || Reaches(_agent, wanted);

    public bool Node(Level wanted) => IsManagement || Reaches(_node, wanted);

    public bool Operator(Level wanted) => IsManagement || Reaches(_operator, wanted);

    public bool OperatorMay(string capability) => IsManagement || (_operatorCapabilities.Contains(capability) && !_operatorCapabilities.Contains(Capability.Deny) && _operator != Level.Deny);

    /// <summary>Whether one of the capabilities is granted there.</summary>
    public bool In(string ns, params ReadOnlySpan<string> capabilities)
    {
        if (IsManagement) return true;
        if (Closest(ns) is not { } granted || granted.Contains(Capability.Deny)) return false;
        foreach (var capability in capabilities)
            if (granted.Contains(capability)) return true;
        return false;
    }

    /// <summary>Anything at all.</summary>
    public bool Sees(string ns) => IsManagement || (Closest(ns) is { Count: > 0 } granted && !granted.Contains(Capability.Deny));

    /// <summary>The rule with the namespace's own name, or of the patterns that cover it the one that leaves the least to its stars.</summary>
    private HashSet<string>? Closest(string ns) => _namespaces.GetValueOrDefault(ns)
        ?? _namespaces.Where(rule => Covers(rule.Key, ns))
            .OrderBy(rule => ns.Length - rule.Key.Count(c => c != '*')).ThenBy(rule => rule.Key, StringComparer.Ordinal)
            .Select(rule => rule.Value).FirstOrDefault();

    private static bool Covers(string pattern, string ns)
    {
        var parts = pattern.Split('*');
        if (parts.Length == 1 || !ns.StartsWith(parts[0], StringComparison.Ordinal)) return false;
        var at = parts[0].Length;
        foreach (var part in parts[1..^1])
        {
            var found = ns.IndexOf(part, at, StringComparison.Ordinal);
            if (found < 0) return false;
            at = found + part.Length;
        }

        return ns.Length - at >= parts[^1].Length && ns.EndsWith(parts[^1], StringComparison.Ordinal);
    }

    private static Level Higher(Level a, Level b) => a > b ? a : b;

    private static bool Reaches(Level granted, Level wanted) => granted != Level.Deny && granted >= wanted;
}
