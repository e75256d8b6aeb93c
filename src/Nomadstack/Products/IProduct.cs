// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.Peers;
using Nomadstack.Processes;
using Nomadstack.Security;

namespace Nomadstack.Products;

/// <summary>
/// The code of one row of the product table: how its servers and clients are configured for an exact version, queried, and taken out of their cluster.
/// Everything else is common to all products and is in the flows.
/// </summary>
internal interface IProduct
{
    Product Row { get; }

    IServerApi Server(Endpoint endpoint);

    /// <summary>Writes the server's node-id file (once) and its configuration; repeatable. Returns the process to run.</summary>
    /// <param name="join">The <see cref="KnownServer.JoinAddress"/> of each other server.</param>
    /// <param name="voters">How many voters the cluster wants: autopilot keeps a dead server if fewer would be left.</param>
    /// <param name="version">The requested version of the program; null for the node's own.</param>
    /// <exception cref="ProblemException">That version is not on this node.</exception>
    ProcessSpec PrepareServer(ServerSite site, IReadOnlyList<string> join, int voters, string? version);

    /// <summary>Makes the running server leave its cluster and end for good. Returns when the process is gone or if it did not run.</summary>
    /// <param name="gone">
    /// Completes when the others no longer count this server. It is then ended, even if its leave is not complete. Until its end it would accept
    /// requests and keep them waiting for a leader (5 s, both products' RPC hold), longer than the others need to elect one. Null: the leave runs to its end.
    /// </param>
    Task LeaveAsync(Endpoint server, IOwnedProcess process, TimeSpan deadline, Task? gone, CancellationToken cancel);

    /// <summary>
    /// Ids of the keys that this server keeps on its disk and not in raft. They are lost with the last server that has them, so a successor must copy them first.
    /// </summary>
    IReadOnlySet<string> KeysOnDisk(ServerSite site);

    /// <summary>
    /// Those of <see cref="KeysOnDisk"/> that the cluster still needs. If that is unknown, a key counts as needed:
    /// it does no harm if a server waits too long for its successor.
    /// </summary>
    /// <param name="servers">The product's servers, in the order in which they are asked. The server itself need not answer.</param>
    Task<IReadOnlySet<string>> KeysNeededAsync(ServerSite site, IReadOnlyList<Endpoint> servers, CancellationToken cancel);

    /// <summary>The gossip member name of a server with this configured name.</summary>
    string MemberName(string serverName);

    /// <summary>
    /// Whether the product lets in only those who say a token that it knows, and knows all of ours. Asked until a bootstrap server has a leader and later; false while nobody answers.
    /// </summary>
    Task<bool> IsClosedAsync(Endpoint server, CancellationToken cancel);

    /// <summary>Initialises access control through a bootstrap server, and makes the tokens of the agents. Repeatable. Ends with a refusal while there is no leader.</summary>
    Task<Answer<Done>> CloseAsync(ServerSite site, Endpoint server, CancellationToken cancel);

    /// <summary>Makes one more token with the rights of one of the stack's own, and returns its secret.</summary>
    /// <param name="name"><see cref="SecretNames.Management"/> or one of <see cref="ProductSecurity.Tokens"/>.</param>
    Task<Answer<string>> MakeTokenAsync(Endpoint server, string name, CancellationToken cancel);

    /// <summary>Deletes every token of the stack that has these rights, but for the one that this node says. Tokens of people stay.</summary>
    /// <param name="name">As for <see cref="MakeTokenAsync"/>.</param>
    Task<Answer<Done>> RevokeOldTokensAsync(Endpoint server, string name, CancellationToken cancel);

    /// <summary>The gossip keys as this agent reaches them; null for a product without gossip.</summary>
    IGossipKeys? GossipKeys(Endpoint server) => null;

    /// <summary>Whether a server of this node, or its client where <paramref name="site"/> is null, encrypts gossip with a key that no longer counts: it was away when keys were replaced.</summary>
    bool HasOldGossipKey(ServerSite? site) => false;

    /// <summary>What the server's raft data says. Its server may run or not. Never fails: what cannot be read is told as that.</summary>
    Task<RaftOnDisk> RaftOnDiskAsync(ServerSite site, CancellationToken cancel) => Task.FromResult(RaftOnDisk.Blank);

    /// <summary>Makes the server replace its raft configuration by this one at its next start. The server must not run. Repeatable.</summary>
    void WritePeers(ServerSite site, IReadOnlyList<RaftPeer> peers) => throw new NotSupportedException($"{Row.Title} has no raft configuration to replace.");

    /// <summary>Whether the configuration of <see cref="WritePeers"/> waits for the server's next start, or for the end of its first work.</summary>
    bool HasPeersToRead(ServerSite site) => false;

    /// <summary>
    /// Writes the configuration of a server of a drill: it joins those alone, lets in only who shows a certificate of <paramref name="credentials"/>' authority, and has no access control, so
    /// that none of the cluster's tokens is needed to look at what was restored into it. Where <see cref="ServerSite.Bootstrap"/> is set, it makes the cluster.
    /// </summary>
    ProcessSpec PrepareDrill(ServerSite site, Credentials credentials, string gossipKey, IReadOnlyList<string> join);

    /// <summary>Reads a snapshot file to its end and checks all sums in it.</summary>
    /// <exception cref="InvalidDataException">It is damaged, not whole, or something else.</exception>
    SnapshotFacts ReadSnapshot(Stream from);

    /// <summary>
    /// Writes the configuration of a server that is a cluster of its own: it joins nobody, lets in only who shows a certificate of <paramref name="credentials"/>' authority, and has no access
    /// control, so that none of the cluster's tokens is needed to look at what was restored into it.
    /// </summary>
    ProcessSpec PrepareThrowAway(ServerSite site, Credentials credentials);

    /// <summary>The files of <see cref="KeysOnDisk"/>.</summary>
    IReadOnlyList<string> KeyFiles(ServerSite site) => [];

    /// <summary>Puts one of <see cref="KeyFiles"/>, by its name, where a server that has not started yet finds it.</summary>
    void WriteKeyFile(ServerSite site, string name, byte[] content)
    {
    }

    /// <summary>Runs before each start of a server's process.</summary>
    void BeforeServerStart(ServerSite site)
    {
    }

    /// <summary>Makes a token for a person or a tool, and the policy of the role if it is not there yet. Returns the token's secret.</summary>
    /// <param name="role">One of <see cref="PersonRole"/>.</param>
    /// <param name="life">1 minute to 24 hours. A version that cannot end a token by itself ignores it: there the person's certificate ends.</param>
    Task<Answer<string>> MakePersonsTokenAsync(Endpoint server, string name, string role, TimeSpan life, CancellationToken cancel);

    /// <summary>
    /// The tokens of a client node, by name (<see cref="GivenCredentials.Own"/> and others): those that it has, or else new ones with the rights that its agents need and no more.
    /// </summary>
    Task<Answer<IReadOnlyDictionary<string, string>>> NodeTokensAsync(Endpoint server, NodeEntry node, CancellationToken cancel);

    /// <summary>Deletes tokens of client nodes. Repeatable. Returns how many it deleted.</summary>
    Task<Answer<int>> ForgetNodeTokensAsync(Endpoint server, Func<NodeMark, bool> isOver, CancellationToken cancel);

    /// <summary>Whether the product knows the token that this endpoint says; null while nobody can tell.</summary>
    Task<bool?> KnowsTokenAsync(Endpoint server, CancellationToken cancel);

    /// <summary>Writes the configuration of this node's client; repeatable. Returns the process to run. Only for a row that has a client.</summary>
    /// <param name="servers">The addresses of the servers, with the port that <see cref="ClientFinds"/> names.</param>
    ProcessSpec PrepareClient(IReadOnlyList<string> servers);

    /// <summary>The port of a server that its clients get.</summary>
    string ClientFinds { get; }

    /// <summary>Runs before each start of this node's client.</summary>
    void BeforeClientStart();

    /// <summary>A client whose list of servers can be read and set while it runs; null if clients find servers by themselves.</summary>
    IClientApi? Client(Endpoint endpoint);

    /// <summary>The state of a client that no server knows, in the product's own word.</summary>
    string UnknownClient { get; }
}

/// <summary>The servers that a running client knows. It keeps them only in memory.</summary>
internal interface IClientApi
{
    /// <summary>Null if it does not answer.</summary>
    Task<IReadOnlyList<string>?> ServersAsync(TimeSpan deadline, CancellationToken cancel);

    Task<Answer<Done>> SetServersAsync(IEnumerable<string> servers, TimeSpan deadline, CancellationToken cancel);

    /// <summary>The id under which servers know this client; null when it does not answer.</summary>
    Task<string?> NodeIdAsync(TimeSpan deadline, CancellationToken cancel);
}

/// <summary>The product that places all servers, with its jobs, allocations and nodes.</summary>
internal interface ISchedulerProduct : IProduct
{
    IScheduler Scheduler(Endpoint endpoint);

    /// <summary>Names of the folders that this node's client keeps for allocations, ended ones included: they change when something is placed here.</summary>
    IReadOnlyList<string> AllocationsOnDisk();

    /// <summary>The task that a process of this environment belongs to; null for none.</summary>
    TaskMark? MarkOf(IReadOnlyList<string> environment);

    /// <summary>Whether this is the command line of what stands between a client and a task's own process. It ends by itself, after the task.</summary>
    bool IsExecutor(IReadOnlyList<string> command);

    /// <summary>The job that places servers of a product, as this release writes it.</summary>
    string ServerJob(Product product, int count, PortPlan ports);

    /// <summary>The registered job as this release writes it, with what an operator chose in it; null when it is this release's already, or a newer one's.</summary>
    string? MigratedJob(Product product, JobFacts registered, PortPlan ports);
}

/// <summary>Jobs, allocations and nodes through one server or client of the scheduler.</summary>
internal interface IScheduler
{
    /// <summary>The job, or a null value if the cluster has no job with this id.</summary>
    Task<Answer<JobFacts?>> JobAsync(string id, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Registers a job. Safe to repeat: the same job again is no change.</summary>
    /// <param name="jobJson">The job itself, as <c>{"ID":…}</c>, without an envelope.</param>
    /// <param name="enforceIndex">Null: in any case. 0: only if there is no such job. Otherwise: only if the job still has this JobModifyIndex.</param>
    /// <exception cref="ProblemException"><c>job-lint/*</c>: the job would make a server need a server.</exception>
    Task<JobRegistration> RegisterServerJobAsync(string jobJson, long? enforceIndex, TimeSpan deadline, CancellationToken cancel);

    /// <summary>The leader's allocations of a job, including stopped ones that are not yet garbage-collected.</summary>
    Task<Answer<IReadOnlyList<AllocationFacts>>> AllocationsAsync(string jobId, TimeSpan deadline, CancellationToken cancel);

    /// <summary>All allocations of a node that the cluster has, those that ended and are not yet forgotten included.</summary>
    Task<Answer<IReadOnlyList<NodeAllocation>>> AllocationsOnAsync(string nodeId, TimeSpan deadline, CancellationToken cancel);

    /// <summary>The note that the stack keeps in the scheduler's own state: it is rolled back, lost and restored with that state. Empty where there is none.</summary>
    Task<Answer<StateNote>> ReadNoteAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>Writes the note; of several writers that have read the same one, one wins.</summary>
    Task<JobRegistration> WriteNoteAsync(StateNote note, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Every node the cluster knows, asked of the leader.</summary>
    Task<Answer<IReadOnlyList<NodeFacts>>> NodesAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>One node with its metadata, by full id, or a null value if the cluster has no such node.</summary>
    Task<Answer<NodeFacts?>> NodeAsync(string id, TimeSpan deadline, CancellationToken cancel);

    /// <summary>All jobs of all namespaces, but for those that a periodic or dispatched job made.</summary>
    Task<Answer<IReadOnlyList<ListedJob>>> JobsAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>Stops a job, which stays in the state. Also Ok if there is no such job.</summary>
    Task<Answer<Done>> StopJobAsync(ListedJob job, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Forgets a node that will never return, its allocations with it.</summary>
    Task<Answer<Done>> PurgeNodeAsync(string nodeId, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Drains a node, or with a null <paramref name="spec"/> ends its drain and makes it eligible again if wanted.</summary>
    Task<Answer<Done>> DrainAsync(string nodeId, DrainSpec? spec, bool markEligible, TimeSpan deadline, CancellationToken cancel);
}
