// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Peers;

/// <summary>
/// Decides what is accepted of a peer's document. A signature must be valid, whoever sends it. Unsigned entries come from agents of release 0.1.0. They are accepted as
/// long as the cluster has such an agent, but never in place of an entry that its node has signed.
/// </summary>
internal static class Acceptance
{
    /// <summary>Removes entries that this node already has, and entries with a wrong signature. Does not judge unsigned entries.</summary>
    public static ClusterDocument Verified(ClusterDocument remote, ClusterDocument? held, SignatureJudge? judge, ICollection<RefusedEntry> refused)
    {
        string? NoCa(object? signature) => signature is null ? null : "this node has no CA to check its signature with";
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

    /// <summary>Removes entries that lack a required signature, and entries beyond the limits of a membership.</summary>
    /// <param name="sender">Node id of the peer; null if the document is this node's own.</param>
    public static ClusterDocument Admissible(ClusterDocument remote, ClusterDocument held, string? sender, ICollection<RefusedEntry> refused)
    {
        var from = sender is null ? null : held.Nodes.GetValueOrDefault(sender);
        // An agent that does not sign cannot send signatures, and it also removes those of others. That is not an attack.
        var released = from is null || from.IsReleased;
        var mixed = released || held.Nodes.Values.Any(n => n.IsReleased);
        var speaksForOthers = from is null || from.IsServer;
        var (nodes, tokens, settings) = (new Dictionary<string, NodeEntry>(), new Dictionary<string, TokenEntry>(), new Dictionary<string, Setting>());
        foreach (var (id, entry) in remote.Nodes)
        {
            var ours = held.Nodes.GetValueOrDefault(id);
            if (ours is null && held.Nodes.Count + nodes.Count >= MembershipRules.MaxNodes) Refuse("n:" + id, entry.Name, $"there are already {MembershipRules.MaxNodes} nodes");
            else if (entry.Signed is not null || MayBeUnsigned(entry, ours)) nodes[id] = entry;
            else if (!released && entry.Incarnation > ours?.Incarnation) Refuse("n:" + id, entry.Name, "it is not signed, but this node signs its entries");
            else if (!released && ours is null) Refuse("n:" + id, entry.Name, "it is not signed");
        }

        foreach (var (id, entry) in remote.Tokens)
        {
            var ours = held.Tokens.GetValueOrDefault(id);
            if (ours is null && held.Tokens.Count + tokens.Count >= MembershipRules.MaxTokens) Refuse("t:" + id, id, $"there are already {MembershipRules.MaxTokens} tokens");
            else if (entry.Signed is not null || (mixed && speaksForOthers && (ours?.Signed is null || IsRevocation(entry, ours)))) tokens[id] = entry;
            else if (!released && (ours is null || entry.Incarnation > ours.Incarnation)) Refuse("t:" + id, id, "it is not signed by a server node");
        }

        foreach (var (name, entry) in remote.Registers)
        {
            if (!held.Registers.ContainsKey(name) && held.Registers.Count + settings.Count >= MembershipRules.MaxSettings) Refuse("s:" + name, name, $"there are already {MembershipRules.MaxSettings} settings");
            else settings[name] = entry;
        }

        return remote with { Nodes = nodes, Tokens = tokens, Registers = settings };

        // A server node signs the entry of an agent of release 0.1.0 when it admits or removes it. Later versions of the entry may be unsigned.
        bool MayBeUnsigned(NodeEntry entry, NodeEntry? ours) =>
            ours is null ? mixed
            : ours.Signed is null ? true
            : mixed && speaksForOthers && (ours.Kind is null || ours.Removed || entry.Removed);

        void Refuse(string key, string name, string why) => refused.Add(new RefusedEntry(key, name, why));
    }

    /// <summary>The only change that an agent of release 0.1.0 may make to any token: revoke it.</summary>
    private static bool IsRevocation(TokenEntry entry, TokenEntry ours) =>
        entry.Revoked && !ours.Revoked && entry.Incarnation > ours.Incarnation && entry.SecretHash == ours.SecretHash;

    /// <summary>Signs accepted entries that are unsigned and need a server node's signature, so that they stay valid when every agent signs.</summary>
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
