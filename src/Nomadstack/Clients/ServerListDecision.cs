// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Products;

namespace Nomadstack.Clients;

/// <summary>A server of the scheduler that the membership records.</summary>
/// <param name="Rpc"><c>ip:rpcport</c>.</param>
/// <param name="Stays">Whether it is expected to stay; one that lingers may lead still.</param>
/// <param name="Standing">What it says of itself; null when it does not answer.</param>
internal sealed record ServerSeen(string Rpc, bool Stays, RaftStanding? Standing);

/// <summary>Which servers the running Nomad client of this node is to know.</summary>
/// <param name="Tell">The list to give it; null when the one it has will do, or nothing better is known.</param>
/// <param name="Complete">Whether it then knows every server that is expected to stay.</param>
/// <param name="Floor">What the leader had applied, for the next look.</param>
internal sealed record ServerListDecision(IReadOnlyList<string>? Tell, bool Complete, long? Floor)
{
    /// <summary>Pure and total. A client is given the leader, and who has applied what the leader had at the look before: no server that is still replaying its log.</summary>
    /// <param name="known">What the client knows; null when it does not answer.</param>
    /// <param name="floor">The leader's applied index at the look before; null at the first.</param>
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
