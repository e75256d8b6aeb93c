// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Api;

/// <summary>How many more servers of a role may fail before its raft loses quorum. One rule for the command line and the dashboard.</summary>
/// <param name="Voters">Voters in the raft configuration, present or not.</param>
/// <param name="Present">Voters that run and are caught up.</param>
internal sealed record FailureTolerance(string Role, int Voters, int Present)
{
    public int Quorum => (Voters / 2) + 1;

    /// <summary>How many further failures are tolerated; negative when quorum is lost.</summary>
    public int Failures => Present - Quorum;

    /// <summary>One per role that has voters, in the order the roles appear.</summary>
    public static IReadOnlyList<FailureTolerance> Of(IEnumerable<ServerStatus> servers) =>
        [.. servers.Where(s => s.Voter)
            .GroupBy(s => s.Role)
            .Select(g => new FailureTolerance(g.Key, g.Count(), g.Count(s => s.Healthy && s.State is ("running" or "lingering"))))];
}
