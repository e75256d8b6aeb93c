// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Peers;

/// <summary>
/// What of a peer's document is taken. A signature must hold, whoever sends it. What is not signed comes from agents of release 0.1.0, and is taken as
/// long as the cluster has such an agent, and never against what the node itself has signed once.
/// </summary>
internal static class Acceptance
{
    /// <summary>Leaves out what this node holds already, and what is signed wrongly. Says nothing of what is not signed.</summary>
    public static ClusterDocument Verified(ClusterDocument remote, ClusterDocument? held, SignatureJudge? judge, ICollection<RefusedEntry> refused)
    {
        string? NoCa(object? signature) => signature is null ? null : "this node has no CA to hold its signature against";
        var nodes = Keep(remote.Nodes, "n:", e => e.Name, (id, e) => held?.Nodes.GetValueOrDefault(id) is { } ours && Entries.Hash(ours) == Entries.Hash(e), e => judge is null ? NoCa(e.Signed) : judge.Complaint(e));
        var tokens = Keep(remote.Tokens, "t:", e => e.Id, (id, e) => held?.Tokens.GetValueOrDefault(id) is { } ours && Entries.Hash(ours) == Entries.Hash(e), e => judge is null ? NoCa(e.Signed) : judge.Complaint(e));
        var settings = Keep(remote.Registers, "s:", e => e.Name, (id, e) => held?.Registers.GetValueOrDefault(id) is { } ours && Entries.Hash(ours) == Entries.Hash(e), e => judge is null ? NoCa(e) : judge.Complaint(e));
        return remote with { Nodes = nodes, Tokens = tokens, Registers = settings };

        Dictionary<string, T> Keep<T>(IReadOnlyDictionary<string, T> entries, string prefix, Func<T, string> name, Func<string, T, bool> known, Func<T, string?> complaint)
            where T : class
        {
            var kept = new Dictionary<string, T>();
            foreach (var (id, entry) in entries)
            {
                if (known(id, entry)) continue;
                if (complaint(entry) is { } why) refused.Add(new RefusedEntry(prefix + id, name(entry), why));
                else kept[id] = entry;
            }

            return kept;
        }
    }

    /// <summary>Leaves out what is not signed and would have to be, and what is more than a membership may hold.</summary>
    /// <param name="sender">Node id of the peer; null when the document is this node's own affair.</param>
    public static ClusterDocument Admissible(ClusterDocument remote, ClusterDocument held, string? sender, ICollection<RefusedEntry> refused)
    {
        var from = sender is null ? null : held.Nodes.GetValueOrDefault(sender);
        // Of an agent that does not sign nothing else can be expected, and what it strips of others is no lie.
        var released = from is null || from.IsReleased;
        var mixed = released || held.Nodes.Values.Any(n => n.IsReleased);
        var speaksForOthers = from is null || from.IsServer;
        var (nodes, tokens, settings) = (new Dictionary<string, NodeEntry>(), new Dictionary<string, TokenEntry>(), new Dictionary<string, Setting>());
        foreach (var (id, entry) in remote.Nodes)
        {
            var ours = held.Nodes.GetValueOrDefault(id);
            if (ours is null && held.Nodes.Count + nodes.Count >= MembershipRules.MaxNodes) Refuse("n:" + id, entry.Name, $"there are {MembershipRules.MaxNodes} nodes already");
            else if (entry.Signed is not null || MayBeUnsigned(entry, ours)) nodes[id] = entry;
            else if (!released && entry.Incarnation > ours?.Incarnation) Refuse("n:" + id, entry.Name, "it is not signed, and the node signs what it says");
            else if (!released && ours is null) Refuse("n:" + id, entry.Name, "it is not signed");
        }

        foreach (var (id, entry) in remote.Tokens)
        {
            var ours = held.Tokens.GetValueOrDefault(id);
            if (ours is null && held.Tokens.Count + tokens.Count >= MembershipRules.MaxTokens) Refuse("t:" + id, id, $"there are {MembershipRules.MaxTokens} tokens already");
            else if (entry.Signed is not null || (mixed && speaksForOthers && (ours?.Signed is null || IsRevocation(entry, ours)))) tokens[id] = entry;
            else if (!released && (ours is null || entry.Incarnation > ours.Incarnation)) Refuse("t:" + id, id, "it is not signed by a server node");
        }

        foreach (var (name, entry) in remote.Registers)
        {
            if (!held.Registers.ContainsKey(name) && held.Registers.Count + settings.Count >= MembershipRules.MaxSettings) Refuse("s:" + name, name, $"there are {MembershipRules.MaxSettings} settings already");
            else settings[name] = entry;
        }

        return remote with { Nodes = nodes, Tokens = tokens, Registers = settings };

        // A server node signs for an agent of release 0.1.0 when it lets it in, and for whatever it removes; what comes after may be unsigned.
        bool MayBeUnsigned(NodeEntry entry, NodeEntry? ours) =>
            ours is null ? mixed
            : ours.Signed is null ? true
            : mixed && speaksForOthers && (ours.Kind is null || ours.Removed || entry.Removed);

        void Refuse(string key, string name, string why) => refused.Add(new RefusedEntry(key, name, why));
    }

    /// <summary>What an operator of an agent of release 0.1.0 may do to any token: end it.</summary>
    private static bool IsRevocation(TokenEntry entry, TokenEntry ours) =>
        entry.Revoked && !ours.Revoked && entry.Incarnation > ours.Incarnation && entry.SecretHash == ours.SecretHash;

    /// <summary>Signs what was taken unsigned and only a server node can vouch for, so that it holds when no agent is left that does not sign.</summary>
    public static ClusterDocument Vouched(ClusterDocument document, NodeSigner? signer)
    {
        if (signer is not { IsServer: true }) return document;
        var tokens = document.Tokens.Values.Where(t => t.Signed is null && !Carriers.IsCarrier(t.Id)).Select(signer.Sign).ToList();
        var removed = document.Nodes.Values.Where(n => n is { Removed: true, Signed: null }).Select(signer.Sign).ToList();
        return tokens.Count + removed.Count == 0 ? document : document with
        {
            Tokens = tokens.Count == 0 ? document.Tokens : With(document.Tokens, tokens, t => t.Id),
            Nodes = removed.Count == 0 ? document.Nodes : With(document.Nodes, removed, n => n.Id),
        };
    }

    private static Dictionary<string, T> With<T>(IReadOnlyDictionary<string, T> entries, IEnumerable<T> changed, Func<T, string> id)
    {
        var all = new Dictionary<string, T>(entries);
        foreach (var entry in changed) all[id(entry)] = entry;
        return all;
    }
}
