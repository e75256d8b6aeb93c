// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Servers;

/// <summary>How many servers a cluster should have: 1, 3 or 5. It never stays at 2 voters.</summary>
internal static class DesiredServers
{
    /// <summary>Pure. Never lowers the number: if nodes are missing, the cluster waits for them and does not shrink the quorum.</summary>
    /// <param name="eligibleNodes">Nodes that could run a server now.</param>
    /// <param name="current">The present count of the job.</param>
    /// <param name="most">The cluster's configured maximum: 1, 3 or 5.</param>
    public static int For(int eligibleNodes, int current, int most)
    {
        var possible = eligibleNodes >= 5 ? 5 : eligibleNodes >= 3 ? 3 : 1;
        return Math.Max(current, Math.Min(possible, most));
    }
}
