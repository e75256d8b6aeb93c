// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Recovery;

/// <summary>Why a majority is not given up, as a person reads it.</summary>
internal static class RecoveryProblems
{
    public static Problem IsHere(string product, string node) => new(
        "recover/is-here",
        $"{node} is not lost: it answers, and has {product} data that can be read.",
        "What a survivor has is never given up.",
        $"Run the command without {node}.")
    { Unsafe = true };

    public static Problem Unreadable(string product, string node, string why) => new(
        "recover/unreadable",
        $"The {product} data of {node} cannot be read.",
        $"{why.TrimEnd('.')}. It may have writes that no other survivor has.",
        $"Repair it, or give it up: --accept-data-loss {node}.")
    { Unsafe = true };

    public static Problem NoSurvivor(string product) => new(
        "recover/no-survivor",
        $"No node that answers has {product} data.",
        "There is nothing that could go on.",
        "Switch on the nodes that had servers. If their disks are lost, restore an archive: `nomadstack snapshot list`, `nomadstack restore ARCHIVE`.")
    { Unsafe = true };

    public static Problem MajorityIsHere(string product, IEnumerable<string> nodes, int voters) => new(
        "recover/majority-is-here",
        $"A majority of the {voters} {product} voters is here: {string.Join(", ", nodes.Order(StringComparer.Ordinal))}.",
        "They elect a leader without giving anything up.",
        "Wait a moment. If there is no leader after a minute, see what they wait for: `nomadstack explain`, `nomadstack status`.")
    { Unsafe = true };

    public static Problem MayReturn(string product, IReadOnlyList<string> nodes, string best, long term, long index) => new(
        "recover/may-return",
        $"{string.Join(", ", nodes)} {(nodes.Count == 1 ? "does" : "do")} not answer and may have {product} writes that {best} (term {term}, index {index}) lacks.",
        "Without them there is no majority, and nobody can tell whether the last writes were acknowledged there.",
        $"Switch them on if you can. If they never return: `nomadstack recover {string.Join(' ', nodes.Select(n => "--accept-data-loss " + n))}`.")
    { Unsafe = true };

    public static Problem AgentTooOld(string node) => new(
        "recover/agent-too-old",
        $"The agent of {node} answers and is of a release that does not tell its raft data.",
        "Its servers may have the newest writes, and that agent would go on with them when the majority was given up.",
        $"Replace the program on {node} by this release and start its agent again; the servers run on meanwhile. Then run the command again.")
    { Unsafe = true };

    public static Problem NothingToDo(IEnumerable<string> why) => new(
        "recover/nothing-to-do",
        "Nothing is to be recovered.",
        string.Join(" ", why),
        "`nomadstack status` shows the cluster.")
    { Unsafe = true };

    public static Problem PlanChanged() => new(
        "recover/plan-changed",
        "Nothing was given up, because the plan is another one now.",
        "Since it was shown, a node came back or went away, or a server wrote something.",
        "Run the command again, and read the new plan.")
    { Unsafe = true };

    public static Problem UnknownNode(string name) => new(
        "recover/unknown-node",
        $"There is no node {name}.",
        "The membership does not contain it, or it was removed.",
        "See `nomadstack node list`.");

    public static Problem NotHere() => new(
        "recover/not-here",
        "This node cannot give up a majority.",
        "It is not a server node, or no member of a cluster yet.",
        "Run the command on a server node.")
    { Unsafe = true };
}
