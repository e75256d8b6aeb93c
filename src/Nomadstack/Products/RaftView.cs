// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Products;

/// <summary>The raft state of one server, as it reports it.</summary>
/// <param name="LeaderAddress"><c>ip:raftport</c>; null while no leader is known.</param>
/// <param name="Leads">The asked server is the leader.</param>
/// <param name="AppliedIndex">The last log index that the asked server has applied.</param>
/// <param name="LastLogIndex">The last log index in the asked server's log.</param>
internal record RaftStanding(string? LeaderAddress, bool Leads, long AppliedIndex, long LastLogIndex)
{
    public bool HasLeader => LeaderAddress is not null;
}

/// <summary>One reading of a raft cluster, as one of its servers reports it.</summary>
/// <param name="Members">The leader's configuration if there is a leader, and otherwise the asked server's.</param>
internal sealed record RaftView(string? LeaderAddress, bool Leads, long AppliedIndex, long LastLogIndex, IReadOnlyList<RaftMember> Members)
    : RaftStanding(LeaderAddress, Leads, AppliedIndex, LastLogIndex)
{
    public RaftView(RaftStanding standing, IReadOnlyList<RaftMember> members)
        : this(standing.LeaderAddress, standing.Leads, standing.AppliedIndex, standing.LastLogIndex, members)
    {
    }

    public RaftMember? Member(string raftId) => Members.FirstOrDefault(m => m.RaftId == raftId);

    /// <summary>Asks one server after the other until one knows a leader. If none does, the first answer, or null.</summary>
    public static async Task<RaftView?> AskAnyAsync(IEnumerable<IServerApi> servers, CancellationToken cancel)
    {
        RaftView? first = null;
        foreach (var server in servers)
        {
            var view = await server.ObserveAsync(cancel);
            if (view is { HasLeader: true }) return view;
            first ??= view;
        }

        return first;
    }
}

/// <summary>An entry of the raft configuration.</summary>
/// <param name="Healthy">What the leader says: alive, and not far behind.</param>
internal sealed record RaftMember(string RaftId, string Address, bool Voter, bool Leader, bool Healthy);
