// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.ColdBoot;

/// <summary>What the gate refuses, as a person reads it.</summary>
internal static class ColdBootProblems
{
    /// <param name="waitsFor">What the gate waits for; null when it is open, or before its first look.</param>
    public static Problem NothingToAccept(string? waitsFor) => new(
        "recover/nothing-to-accept",
        "There is no lost state to accept on this node.",
        waitsFor is null ? "The gate is not closed." : $"The gate is closed for another reason: it waits for {waitsFor}.",
        "See `nomadstack status`. Use this command only after the servers were restored from an older state on purpose.")
    { Unsafe = true };

    public static Problem OtherLoss(string allocation) => new(
        "recover/other-loss",
        "Nothing was accepted, because more would be lost than was shown.",
        $"The leader is another one now, or its state is: it does not know {allocation} either.",
        "Run the command again, and read what it names.")
    { Unsafe = true };
}
