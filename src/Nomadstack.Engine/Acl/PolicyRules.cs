// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs.Hcl;

namespace Nomadstack.Engine.Acl;

/// <summary>How much of a part of the cluster a token may; the higher word of two policies counts.</summary>
internal enum Level
{
    None,
    Read,
    Write,
    Deny,
}

/// <param name="Pattern">A namespace, or many with stars.</param>
internal sealed record NamespaceRule(string Pattern, IReadOnlyList<string> Capabilities);

/// <summary>One policy's rules.</summary>
internal sealed record PolicyRules(IReadOnlyList<NamespaceRule> Namespaces, Level Agent, Level Node, Level Operator, IReadOnlyList<string> OperatorCapabilities)
{
    private static readonly string[] s_readWrite = ["deny", "read", "write"];

    /// <exception cref="PolicyException">All that is wrong with them, by line.</exception>
    public static PolicyRules Parse(string hcl)
    {
        try
        {
            return new Reader().Read(HclParser.ParseConfiguration(hcl));
        }
        catch (HclSyntaxException e)
        {
            throw new PolicyException($"line {e.Range.Line}: {e.Message}");
        }
    }

    private sealed class Reader
    {
        private readonly List<string> _complaints = [];
        private readonly List<NamespaceRule> _namespaces = [];
        private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
        private IReadOnlyList<string> _operator = [];
        private Level _agent, _node, _operators;

        public PolicyRules Read(HclBody body)
        {
            foreach (var attribute in body.Attributes) Unknown(attribute.NameRange, attribute.Name);
            foreach (var block in body.Blocks) Take(block);
            return _complaints.Count == 0 ? new(_namespaces, _agent, _node, _operators, _operator) : throw new PolicyException(string.Join("; ", _complaints));
        }

        private void Take(HclBlock block)
        {
            var name = string.Join(' ', block.Labels.Select(l => $"\"{l.Text}\"").Prepend(block.Type));
            if (!_seen.Add(name)) Complain(block.Header, $"{name} is there twice");
            var labels = block.Type is "namespace" or "node_pool" or "host_volume" ? 1 : 0;
            if (block.Labels.Count != labels) Complain(block.Header, labels == 1 ? $"{block.Type} needs one name" : $"{block.Type} takes no name");
            else if (labels == 1 && !IsPattern(block.Labels[0].Text)) Complain(block.Header, $"{name}: the name may have letters, digits, dashes and stars");
            switch (block.Type)
            {
                case "namespace":
                    var (policy, capabilities) = Rule(block, name, ["deny", "read", "write", "scale"], Capability.OfNamespaces, "variables");
                    if (labels == block.Labels.Count) _namespaces.Add(new(block.Labels[0].Text, [.. Capability.Of(policy ?? "") ?? [], .. capabilities]));
                    break;
                case "agent":
                    _agent = LevelOf(Rule(block, name, s_readWrite, null).Policy);
                    break;
                case "node":
                    _node = LevelOf(Rule(block, name, s_readWrite, null).Policy);
                    break;
                case "operator":
                    (policy, _operator) = Rule(block, name, s_readWrite, Capability.OfOperators);
                    _operators = LevelOf(policy);
                    break;
                // Of what this engine does not have: there is nothing to be granted, and the form is looked at.
                case "quota":
                    Rule(block, name, s_readWrite, null);
                    break;
                case "plugin":
                    Rule(block, name, ["deny", "read", "list"], null);
                    break;
                case "node_pool":
                    Rule(block, name, s_readWrite, new HashSet<string>(["delete", Capability.Deny, "read", "write"], StringComparer.Ordinal));
                    break;
                case "host_volume":
                    Rule(block, name, s_readWrite, new HashSet<string>([Capability.Deny, "mount-readonly", "mount-readwrite"], StringComparer.Ordinal));
                    break;
                default:
                    Unknown(block.Header, block.Type);
                    break;
            }
        }

        /// <param name="known">Its capabilities; null where it has none.</param>
        /// <param name="alsoBlock">A block inside that is taken as it is.</param>
        private (string? Policy, IReadOnlyList<string> Capabilities) Rule(HclBlock block, string name, string[] policies, IReadOnlySet<string>? known, string? alsoBlock = null)
        {
            string? policy = null;
            IReadOnlyList<string> capabilities = [];
            foreach (var inner in block.Body.Blocks.Where(b => b.Type != alsoBlock)) Unknown(inner.Header, $"{name}: {inner.Type}");
            foreach (var attribute in block.Body.Attributes)
            {
                switch (attribute.Name)
                {
                    case "policy":
                        policy = HclValues.Text(attribute.Value);
                        if (!policies.Contains(policy)) Complain(attribute.NameRange, $"{name}: policy is \"{policy}\" and not one of {string.Join(", ", policies)}");
                        break;
                    case "capabilities" when known is not null:
                        capabilities = [.. (HclValues.Texts(attribute.Value) ?? []).Select(c => (string?)c ?? "")];
                        foreach (var unknown in capabilities.Where(c => !known.Contains(c))) Complain(attribute.NameRange, $"{name}: the embedded engine does not know the capability \"{unknown}\"");
                        break;
                    default:
                        Unknown(attribute.NameRange, $"{name}: {attribute.Name}");
                        break;
                }
            }

            if (policy is null && known is null) Complain(block.Header, $"{name}: policy is missing");
            return (policy, capabilities);
        }

        private static bool IsPattern(string text) => text.Length is > 0 and <= 128 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '*');

        private static Level LevelOf(string? policy) => policy switch { "deny" => Level.Deny, "write" => Level.Write, "read" => Level.Read, _ => Level.None };

        private void Unknown(HclRange range, string what) => Complain(range, $"{what} is not known to the embedded engine");

        private void Complain(HclRange range, string what) => _complaints.Add($"line {range.Line}: {what}");
    }
}

/// <summary>The rules of a policy cannot be used.</summary>
internal sealed class PolicyException(string message) : Exception(message);
