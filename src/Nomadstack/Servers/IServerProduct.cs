// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Processes;
using Nomadstack.Products;

namespace Nomadstack.Servers;

/// <summary>How the servers of one product are configured and left. Nomad and Consul are the two; everything else they have in common.</summary>
internal interface IServerProduct
{
    string Role { get; }

    IServerApi Api(Uri http);

    /// <summary>Writes the node-id file (once) and the configuration; repeatable. Returns the process to run.</summary>
    /// <param name="join">Gossip addresses of the other servers, <c>ip:serfport</c>.</param>
    /// <param name="voters">Voters the cluster wants: autopilot keeps a dead server rather than shrink below.</param>
    /// <param name="version">Version of the binary asked for; null for the node's own.</param>
    /// <exception cref="Cluster.ProblemException">That version is not on this node.</exception>
    ProcessSpec Prepare(ServerSite site, IReadOnlyList<string> join, int voters, string? version);

    /// <summary>Makes the running server leave gossip and raft and end for good; returns when the process is gone. One that does not run is fine too.</summary>
    /// <param name="gone">
    /// Completes when the others no longer count on this server: it is ended then, however much of its leave remains. Until its end it would take
    /// requests and hold them for want of a leader (5 s, both products' RPC hold), which is longer than the others need to elect one. Null: the leave runs to its end.
    /// </param>
    Task LeaveAsync(Uri http, SupervisedProcess process, TimeSpan deadline, Task? gone, CancellationToken cancel);

    /// <summary>
    /// Ids of the keys this server keeps on its disk and not in raft: lost with the last server that has them, and its successor has to have copied them first.
    /// </summary>
    IReadOnlySet<string> KeysOnDisk(ServerSite site);

    /// <summary>
    /// Those of <see cref="KeysOnDisk"/> that the cluster would lose with this server, were no other to have them. What cannot be told counts as needed:
    /// a server that waits too long for its successor does no harm.
    /// </summary>
    /// <param name="servers">APIs of the product's servers, in the order in which they are asked; the server's own need not answer.</param>
    Task<IReadOnlySet<string>> KeysNeededAsync(ServerSite site, IReadOnlyList<Uri> servers, CancellationToken cancel);

    /// <summary>The gossip member name of a server with this configured name.</summary>
    string MemberName(string serverName);
}
