// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Peers;

namespace Nomadstack.Node;

/// <summary>One node after the other, in the order of their names, for what every node must do and not all at once: so there is always a client that answers.</summary>
internal static class Turn
{
    /// <summary>How long a node waits for its turn. A node that takes longer has troubles of its own.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);

    /// <summary>Whether every node before this one that can be reached is done: says <paramref name="done"/> under <paramref name="key"/> in <see cref="NodeEntry.Trust"/>.</summary>
    public static bool IsMine(Membership membership, Func<string, bool> isReachable, string key, string done) =>
        !membership.Others.Any(o => string.CompareOrdinal(o.Name, membership.Node.Name) < 0 && isReachable(o.Id) && o.Trust?.GetValueOrDefault(key) != done);
}
