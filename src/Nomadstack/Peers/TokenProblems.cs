// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>What a token cannot be.</summary>
internal static class TokenProblems
{
    public static Problem Uses(int uses) => new(
        "token/uses",
        $"A token cannot let {uses} nodes in.",
        $"It lets in 1 to {MembershipRules.MaxNodes}, or any number.",
        "Give --uses another number, or leave it out.");

    public static Problem Life(TimeSpan life) => new(
        "token/ttl",
        $"A token cannot live for {life.TotalSeconds:0} s.",
        "It would be over before anybody could use it.",
        "Give --ttl a time such as 1h.");
}
