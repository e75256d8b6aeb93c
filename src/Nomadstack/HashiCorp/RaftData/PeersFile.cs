// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.Products;
using Nomadstack.Storage;

namespace Nomadstack.HashiCorp.RaftData;

/// <summary><c>peers.json</c>: the configuration that a server puts into the place of its own at its next start. It then deletes the file.</summary>
internal static class PeersFile
{
    private const string Name = "peers.json", Sentinel = "peers.info";

    /// <summary>
    /// A server that finds no <c>peers.info</c> deletes a <c>peers.json</c> unread and writes its own <c>peers.info</c>: so it tells one that an operator wrote
    /// from one that a very old version left (nomad/server.go and agent/consul/server.go, setupRaft). Only that the file exists counts, so its text is ours and for people.
    /// </summary>
    private const string SentinelText =
        """
        When this server starts and finds a peers.json in this folder, it replaces its raft configuration by that one and deletes the file.
        Without the file you are reading, it would delete peers.json unread. Leave it here.

        """;

    /// <summary>Durable when it returns. Repeatable.</summary>
    /// <exception cref="ProblemException"><c>raft/peers</c>: no server would start with them. <c>storage/unwritable</c>.</exception>
    public static void Write(Product product, string raft, IReadOnlyList<RaftPeer> peers)
    {
        if (Complaint(peers) is { } complaint) throw new ProblemException(RaftProblems.BadPeers(product, complaint));
        var sentinel = Path.Combine(raft, Sentinel);
        if (!File.Exists(sentinel)) DurableText.Write(sentinel, SentinelText);
        var list = new JsonArray([.. peers.Select(p => new JsonObject { ["id"] = p.Id, ["address"] = p.Address, ["non_voter"] = !p.Voter })]);
        DurableText.Write(Path.Combine(raft, Name), list.ToJsonString() + "\n");
    }

    /// <summary>Whether a server has not read it yet: it deletes the file after that.</summary>
    public static bool IsThere(string raft) => File.Exists(Path.Combine(raft, Name));

    /// <summary>What raft itself would refuse it for (configuration.go, checkConfiguration); null for nothing.</summary>
    internal static string? Complaint(IReadOnlyList<RaftPeer> peers) =>
        peers.Any(p => p.Id.Length == 0) ? "A server has no id."
        : peers.FirstOrDefault(p => p.Address.Length == 0) is { } homeless ? $"The server {homeless.Id} has no address."
        : Twice(peers, p => p.Id) is { } id ? $"The id {id} is there twice."
        : Twice(peers, p => p.Address) is { } address ? $"The address {address} is there twice."
        : !peers.Any(p => p.Voter) ? "None of the servers has a vote."
        : null;

    private static string? Twice(IReadOnlyList<RaftPeer> peers, Func<RaftPeer, string> key) => peers.GroupBy(key, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1)?.Key;
}
