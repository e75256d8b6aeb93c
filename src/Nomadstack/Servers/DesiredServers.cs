// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Servers;

/// <summary>How many servers a cluster should have: 1, 3 or 5, and never 2 voters as a resting state.</summary>
internal static class DesiredServers
{
    /// <summary>Pure. Only ever raises: fewer nodes are a reason to wait for them, not to shrink the quorum.</summary>
    /// <param name="eligibleNodes">Nodes that could run a server now.</param>
    /// <param name="current">What the job asks for now.</param>
    /// <param name="most">The cluster's configured maximum: 1, 3 or 5.</param>
    public static int For(int eligibleNodes, int current, int most)
    {
        var possible = eligibleNodes >= 5 ? 5 : eligibleNodes >= 3 ? 3 : 1;
        return Math.Max(current, Math.Min(possible, most));
    }
}
