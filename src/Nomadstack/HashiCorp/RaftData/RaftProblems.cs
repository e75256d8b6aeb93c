// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.HashiCorp.RaftData;

/// <summary>What can be wrong with raft's files, in words for an operator.</summary>
internal static class RaftProblems
{
    public static Problem BadPeers(Product product, string complaint) => new(
        "raft/peers",
        $"{product.Title}'s raft configuration cannot be replaced by this one.",
        complaint + " A server would refuse to start with it.",
        "Name each server once, with its id and its address, and give at least one of them a vote.")
    { Unsafe = true, Lasting = true };

    public static Problem UnusedWal(Product product, string folder) => new(
        "raft/wal",
        $"The {product.Title} server of this node is not started: it would begin with an empty log.",
        $"Its log is in {folder}, in the form of raft-wal. The agent configures its servers without raft_logstore, so the server would pass over that log.",
        $"If no server has used that log since it was made, move {folder} away and give raft.db.migrated.TIME its name raft.db again. "
        + "If the other servers have a majority, move this server's data folder away, and a new server gets the state from them. Otherwise see docs/troubleshooting.md.")
    { Unsafe = true };
}
