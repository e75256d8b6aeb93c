// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Products;

namespace Nomadstack.Clients;

/// <summary>A server of the scheduler in the membership.</summary>
/// <param name="Rpc"><c>ip:rpcport</c>.</param>
/// <param name="Stays">Whether it is expected to stay. A lingering server may still be the leader.</param>
/// <param name="Standing">Its own answer; null if it does not answer.</param>
internal sealed record ServerSeen(string Rpc, bool Stays, RaftStanding? Standing);

/// <summary>Which servers this node's running Nomad client should know.</summary>
/// <param name="Tell">The list to give it; null if its present list is good, or nothing better is known.</param>
/// <param name="Complete">Whether it then knows every server that is expected to stay.</param>
/// <param name="Floor">The leader's applied index, for the next check.</param>
internal sealed record ServerListDecision(IReadOnlyList<string>? Tell, bool Complete, long? Floor)
{
    /// <summary>Whether the client knows only servers that do not answer, while others have a leader: it cannot learn of them by itself.</summary>
    public static bool IsStranded(IReadOnlyCollection<string>? known, IReadOnlyList<ServerSeen> servers) =>
        known is not null && servers.Any(s => s.Standing is { HasLeader: true }) && !servers.Any(s => s.Standing is not null && known.Contains(s.Rpc));

    /// <summary>Pure and total. A client gets the leader, and the servers that have applied what the leader had at the check before. So it never gets a server that is still replaying its log.</summary>
    /// <param name="known">The list that the client has; null if it does not answer.</param>
    /// <param name="floor">The leader's applied index at the check before; null at the first check.</param>
    public static ServerListDecision Next(IReadOnlyCollection<string>? known, IReadOnlyList<ServerSeen> servers, long? floor)
    {
        var leader = servers.Where(s => s.Standing is { Leads: true }).MaxBy(s => s.Standing!.AppliedIndex);
        if (known is null || leader is null) return new(null, Complete: false, floor);
        var list = servers.Where(s => s == leader || (s.Standing is { HasLeader: true } standing && standing.AppliedIndex >= floor)).Select(s => s.Rpc).ToList();
        // The list given replaces the client's own: a server that it knows and that is to stay is kept, also while it lags or is silent.
        List<string> told = [.. list, .. servers.Where(s => s.Stays && known.Contains(s.Rpc) && !list.Contains(s.Rpc)).Select(s => s.Rpc)];
        return new(list.TrueForAll(known.Contains) ? null : told, servers.All(s => !s.Stays || told.Contains(s.Rpc)), leader.Standing!.AppliedIndex);
    }
}
