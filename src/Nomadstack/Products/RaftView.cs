// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Products;

/// <summary>Where one server stands, as it tells itself.</summary>
/// <param name="LeaderAddress"><c>ip:raftport</c>; null while no leader is known.</param>
/// <param name="Leads">The asked server is the leader.</param>
/// <param name="AppliedIndex">Last log index the asked server has applied.</param>
/// <param name="LastLogIndex">Last log index the asked server holds.</param>
internal record RaftStanding(string? LeaderAddress, bool Leads, long AppliedIndex, long LastLogIndex)
{
    public bool HasLeader => LeaderAddress is not null;
}

/// <summary>One reading of a raft cluster, as one of its servers tells it.</summary>
/// <param name="Members">The configuration: the leader's where there is one, else what the asked server holds.</param>
internal sealed record RaftView(string? LeaderAddress, bool Leads, long AppliedIndex, long LastLogIndex, IReadOnlyList<RaftMember> Members)
    : RaftStanding(LeaderAddress, Leads, AppliedIndex, LastLogIndex)
{
    public RaftView(RaftStanding standing, IReadOnlyList<RaftMember> members)
        : this(standing.LeaderAddress, standing.Leads, standing.AppliedIndex, standing.LastLogIndex, members)
    {
    }

    public RaftMember? Member(string raftId) => Members.FirstOrDefault(m => m.RaftId == raftId);

    /// <summary>Asks one after the other until one knows a leader; without any, the first that answered, or null.</summary>
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
/// <param name="Healthy">The leader's word: alive, and not far behind.</param>
internal sealed record RaftMember(string RaftId, string Address, bool Voter, bool Leader, bool Healthy);
