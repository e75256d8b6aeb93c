// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Drills;

internal static class DrillProblems
{
    public const string InterruptedCode = "drill/interrupted";

    public static Problem Unknown(string what, IEnumerable<string> known) => new(
        "drill/unknown",
        $"There is no drill {what}.",
        "The command is of another version than the agent.",
        $"Use one of {string.Join(", ", known)}.");

    public static Problem UnderWay() => new(
        "drill/under-way",
        "Another drill runs on this node.",
        "Two at a time would measure each other.",
        "Wait for its end; `nomadstack status` shows it.");

    public static Problem NoState(Product product, string why) => new(
        "drill/no-state",
        $"{product.Title}'s state cannot be had, so there is nothing to rehearse with.",
        why,
        "A drill needs a cluster with a leader. See `nomadstack status`.");

    public static Problem NoRoom(string disk) => new(
        "drill/no-room",
        "There is no room for a drill.",
        $"The disk of the data folder: {disk}.",
        "Free space on it. A drill takes about four times the size of a snapshot.");

    public static Problem Stuck(Product product, string step, TimeSpan limit) => new(
        "drill/stuck",
        $"The drill with {product.Title} did not get past this step: {step}.",
        $"It took longer than {limit.TotalSeconds:0} s. The machine is slow, or this is what would happen in earnest.",
        $"Read log/drill-{product.Name}-1.log and its neighbours in the data folder. The cluster itself was not touched.");

    public static Problem Refused(Product product, string step, string why) => new(
        "drill/refused",
        $"The drill with {product.Title} failed at this step: {step}.",
        why,
        $"Read log/drill-{product.Name}-1.log and its neighbours in the data folder. The cluster itself was not touched.");

    public static Problem Interrupted() => new(
        InterruptedCode,
        "The drill was interrupted.",
        "Its command or its agent ended.",
        "Its servers and its folder were removed. Run it again.");
}
