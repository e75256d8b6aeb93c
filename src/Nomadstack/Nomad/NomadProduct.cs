// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.HashiCorp;
using Nomadstack.HashiCorp.RaftData;
using Nomadstack.Peers;
using Nomadstack.Preflight;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Security;
using Nomadstack.Storage;

namespace Nomadstack.Nomad;

/// <summary>The code for Nomad: configuration, node-id file, how its servers leave, its client, and the jobs of all servers.</summary>
/// <param name="catalog">The product whose client on this node registers the services of Nomad's jobs; null if the cluster has none.</param>
internal sealed class NomadProduct(Product row, NodeContext context, NodePrograms programs, Func<Product?> catalog) : ISchedulerProduct
{
    /// <summary>The state of a client that no server knows yet.</summary>
    public const string Starting = "starting";

    public Product Row => row;

    public string ClientFinds => ProductPort.Rpc;

    public string UnknownClient => Starting;

    public IServerApi Server(Endpoint endpoint) => Api(endpoint);

    public IScheduler Scheduler(Endpoint endpoint) => Api(endpoint);

    public IClientApi Client(Endpoint endpoint) => Api(endpoint);

    public IReadOnlyList<string> AllocationsOnDisk()
    {
        var folder = Path.Combine(context.Paths.Client(row.Name), "data", "alloc");
        return Directory.Exists(folder) ? [.. Directory.EnumerateDirectories(folder).Select(f => Path.GetFileName(f))] : [];
    }

    public TaskMark? MarkOf(IReadOnlyList<string> environment) => TaskStops.MarkOf(environment);

    public bool IsExecutor(IReadOnlyList<string> command) => TaskStops.IsExecutor(command, context.Paths.Client(row.Name));

    public string ServerJob(Product product, int count, PortPlan ports) => new ServerJob { Product = product, Count = count, Ports = ports }.Render();

    public string? MigratedJob(Product product, JobFacts registered, PortPlan ports) => Nomad.ServerJob.Migrate(product, registered, ports);

    public ProcessSpec PrepareServer(ServerSite site, IReadOnlyList<string> join, int voters, string? version)
    {
        var program = programs.For(row, version);
        var configuration = NomadServerConfig.For(site, site.Bootstrap ? [BootstrapJoins(site)] : join) with { Bootstrap = site.Bootstrap, MinQuorum = voters, ServerStabilizationTime = Promotion.Stabilization, Credentials = context.Trust.Of(row), GossipKey = context.Trust.Gossip(row) };
        ServerFiles.Write(site, configuration.Render(), Path.Combine(site.DataFolder, "server"));
        return new(site.ProcessName, program.Path, program.Arguments("agent", "-config", site.ConfigFile), Path.Combine(context.Paths.Log, site.ProcessName + ".log"));
    }

    public SnapshotFacts ReadSnapshot(Stream from) => SnapshotFile.Read(from);

    public ProcessSpec PrepareThrowAway(ServerSite site, Credentials credentials) => PrepareDrill(site, credentials, ClusterTrust.MakeGossipKey(), []);

    public ProcessSpec PrepareDrill(ServerSite site, Credentials credentials, string gossipKey, IReadOnlyList<string> join)
    {
        var program = programs.For(row, null);
        var configuration = NomadServerConfig.For(site, join) with { Bootstrap = site.Bootstrap, MinQuorum = 1, ServerStabilizationTime = Promotion.Stabilization, Credentials = credentials, AccessControl = false, GossipKey = gossipKey };
        ServerFiles.Write(site, configuration.Render(), Path.Combine(site.DataFolder, "server"));
        return new(site.ProcessName, program.Path, program.Arguments("agent", "-config", site.ConfigFile), Path.Combine(context.Paths.Log, site.ProcessName + ".log"));
    }

    public IReadOnlyList<string> KeyFiles(ServerSite site) =>
        Keystore(site) is var keystore && Directory.Exists(keystore) ? Directory.GetFiles(keystore, "*.nks.json") : [];

    public void WriteKeyFile(ServerSite site, string name, byte[] content)
    {
        DurableFolders.Create(Keystore(site), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        DurableText.Write(Path.Combine(Keystore(site), name), System.Text.Encoding.UTF8.GetString(content));
    }

    private static string Keystore(ServerSite site) => Path.Combine(site.DataFolder, "server", "keystore");

    public ProcessSpec PrepareClient(IReadOnlyList<string> servers)
    {
        var (node, paths) = (context.Node, context.Paths);
        var folder = paths.Client(row.Name);
        var configuration = NomadClientConfig.For(row, node, Path.Combine(folder, "data"), context.Membership.IsClientNode ? null : paths.Plugins) with
        {
            Servers = servers,
            Consul = catalog() is not { } of ? null
                : context.Trust.Closes(of) && paths.ClientSocket(of.Name) is { } socket ? "unix://" + socket
                : ConfigText.Endpoint(node.Address, node.Ports[of.Port(ProductPort.Client, ProductPort.Http)]),
            ConsulToken = catalog() is { } closed && context.Trust.Closes(closed) ? context.Trust.Token(closed, ProductTokens.Catalog) ?? throw new ProblemException(SecurityProblems.NoCredentials(closed)) : null,
            ConsulCredentials = catalog() is { } shown && paths.ClientSocket(shown.Name) is null ? context.Trust.Of(shown) : null,
            Credentials = context.Trust.Of(row),
            NetworkInterface = AddressGuess.InterfaceOf(node.Address),
        };
        return ClientFiles.Write(row, context, programs, configuration.Render(), "-config");
    }

    public void BeforeClientStart() => StalePidGuard.Protect(row, context, programs);

    /// <summary>No version has an API call to leave. With our configuration, SIGINT makes a server leave. No terminal can send it, since the server runs in its own session.</summary>
    public Task LeaveAsync(Endpoint server, IOwnedProcess process, TimeSpan deadline, Task? gone, CancellationToken cancel) => process.StopAsync(Signals.SIGINT, deadline, cancel, gone);

    /// <summary>
    /// The root keys of variables and workload identities. Nomad 1.4 to 1.8 keeps them only in <c>keystore/ID[.provider].nks.json</c>, copied from server to server
    /// a moment after raft (nomad/encrypter.go). Since 1.9 they are in raft, and a new cluster has no such files.
    /// </summary>
    public IReadOnlySet<string> KeysOnDisk(ServerSite site) => KeysIn(site.DataFolder);

    /// <summary>
    /// A key that Nomad removed stays on disk, and a successor need not copy it: only keys that the keyring still names are needed. A server of 1.9 or later
    /// has put all its keys from disk into raft, and its successors write no such files.
    /// </summary>
    public async Task<IReadOnlySet<string>> KeysNeededAsync(ServerSite site, IReadOnlyList<Endpoint> servers, CancellationToken cancel)
    {
        var onDisk = KeysOnDisk(site);
        if (onDisk.Count == 0) return onDisk;
        var own = await Api(context.Endpoints.Of(site)).AgentSelfAsync(NomadApi.Quick, cancel);
        // The running server may be older than the installed program. A server that is down tells nothing.
        var version = own.Try(out var self) ? SemVer.Parse(self.Version) : programs.Find(row)?.Version;
        foreach (var server in servers)
        {
            if ((await Api(server).KeyringAsync(NomadApi.WithLeader, cancel)).Try(out var named)) return Needed(onDisk, version, named);
        }

        return Needed(onDisk, version, null);
    }

    /// <summary>Whether our token is one of Nomad's.</summary>
    public async Task<bool> IsClosedAsync(Endpoint server, CancellationToken cancel) => (await Api(server).TokenAsync(NomadApi.WithLeader, cancel)).IsOk;

    /// <summary>
    /// Nomad takes the secret that we have chosen since 1.3.2. An older one makes its own and tells it once. If the agent dies before that is written down, it is made anew: Nomad
    /// allows that to whoever can write into the leader's data folder.
    /// </summary>
    public async Task<Answer<Done>> CloseAsync(ServerSite site, Endpoint server, CancellationToken cancel)
    {
        if (await IsClosedAsync(server, cancel)) return new Answer<Done>.Ok(default);
        var wanted = context.Trust.Token(row, SecretNames.Management);
        // Without a token: ours is not one of Nomad's yet.
        var anonymous = Api(server with { Token = null });
        var answer = await anonymous.BootstrapAclAsync(wanted, NomadApi.WithLeader, cancel);
        var reset = Path.Combine(site.DataFolder, "server", "acl-bootstrap-reset");
        if (answer.ResetIndex is { } index)
        {
            DurableText.Write(reset, index);
            answer = await anonymous.BootstrapAclAsync(wanted, NomadApi.WithLeader, cancel);
        }

        // Nomad leaves the file behind, and with it everybody could ask for another token.
        if (File.Exists(reset)) File.Delete(reset);
        if (answer.Secret is { } secret) context.Trust.Keep(row, SecretNames.Management, secret);
        return answer.Answer;
    }

    /// <summary>The names of the stack's own tokens. Nomad gives the first one its name.</summary>
    private static readonly string[] s_own = [OwnToken, "Bootstrap Token"];

    private const string OwnToken = "nomadstack-management";

    public Task<Answer<string>> MakeTokenAsync(Endpoint server, string name, CancellationToken cancel) => Api(server).MakeManagementTokenAsync(OwnToken, NomadApi.WithLeader, cancel);

    public Task<Answer<Done>> RevokeOldTokensAsync(Endpoint server, string name, CancellationToken cancel) => Api(server).RevokeTokensAsync(s_own, NomadApi.WithLeader, cancel);

    public IGossipKeys GossipKeys(Endpoint server) => Api(server);

    public bool HasOldGossipKey(ServerSite? site) => site is not null && KeyringFile.IsOld([Keyring(site)], context.Trust.GossipKeys(row));

    public void BeforeServerStart(ServerSite site)
    {
        // The servers' configuration has no raft_logstore: Nomad would begin an empty raft.db beside a raft-wal, and lead with it (run on 2.0.5).
        if (RaftDataFolder.HasWal(Raft(site))) throw new ProblemException(RaftProblems.UnusedWal(row, RaftDataFolder.Wal(Raft(site))));
        KeyringFile.Update([Keyring(site)], context.Trust.GossipKeys(row));
    }

    public Task<RaftOnDisk> RaftOnDiskAsync(ServerSite site, CancellationToken cancel) =>
        programs.Find(row) is { Kind: EngineKind.Embedded } engine
            ? EngineRaft.ReadAsync(engine, site.DataFolder, context.Time, cancel)
            : Task.Run(() => RaftDataFolder.Read(Raft(site), cancel), cancel);

    public void WritePeers(ServerSite site, IReadOnlyList<RaftPeer> peers) => PeersFile.Write(row, Raft(site), peers);

    public bool HasPeersToRead(ServerSite site) => PeersFile.IsThere(Raft(site));

    private static string Raft(ServerSite site) => Path.Combine(site.DataFolder, "server", "raft");

    private static string Keyring(ServerSite site) => Path.Combine(site.DataFolder, "server", "serf.keyring");

    public Task<Answer<string>> MakePersonsTokenAsync(Endpoint server, string name, string role, TimeSpan life, CancellationToken cancel) =>
        Api(server).MakeTokenAsync(name, s_roles.TryGetValue(role, out var rules) ? ("nomadstack-" + role, rules) : null, life, NomadApi.WithLeader, cancel);

    public Task<Answer<IReadOnlyDictionary<string, string>>> NodeTokensAsync(Endpoint server, NodeEntry node, CancellationToken cancel) =>
        new NomadNodeTokens(Api(server)).FindOrMakeAsync(node, cancel);

    public Task<Answer<int>> ForgetNodeTokensAsync(Endpoint server, Func<NodeMark, bool> isOver, CancellationToken cancel) =>
        new NomadNodeTokens(Api(server)).ForgetAsync(isOver, cancel);

    public Task<bool?> KnowsTokenAsync(Endpoint server, CancellationToken cancel) => new NomadNodeTokens(Api(server)).IsKnownAsync(cancel);

    /// <summary>The policies of the roles. There is none for <see cref="PersonRole.Admin"/>: that is a management token.</summary>
    private static readonly Dictionary<string, string> s_roles = new Dictionary<string, string>
    {
        [PersonRole.Read] = Policy("read", "read"),
        [PersonRole.Operate] = Policy("write", "read"),
    };

    private static string Policy(string most, string operators) => $$"""
        namespace "*" {
          policy = "{{most}}"
        }
        node {
          policy = "{{most}}"
        }
        agent {
          policy = "{{most}}"
        }
        operator {
          policy = "{{operators}}"
        }
        """;

    public string MemberName(string serverName) => serverName + ".global";

    /// <param name="named">Ids in the keyring; null if no server answers.</param>
    internal static IReadOnlySet<string> Needed(IReadOnlySet<string> onDisk, SemVer? version, IReadOnlyList<string>? named) =>
        version?.AtLeast(1, 9) == true ? new HashSet<string>()
        : named is null ? onDisk
        : onDisk.Intersect(named).ToHashSet(StringComparer.Ordinal);

    internal static IReadOnlySet<string> KeysIn(string dataFolder)
    {
        var keystore = Path.Combine(dataFolder, "server", "keystore");
        try
        {
            return Directory.EnumerateFiles(keystore, "*.nks.json").Select(file => Path.GetFileName(file).Split('.')[0]).ToHashSet(StringComparer.Ordinal);
        }
        catch (DirectoryNotFoundException)
        {
            // The server never had a keystore, or was just retired.
            return new HashSet<string>();
        }
    }

    private NomadApi Api(Endpoint endpoint) => new(endpoint, context.Time);

    /// <summary>A bootstrap server joins the node's job server as soon as that listens, so that no permanent file ever contains a bootstrap port.</summary>
    private string BootstrapJoins(ServerSite site) => ConfigText.Endpoint(site.Address, context.Node.Ports.Of(row, ProductPort.Server, ProductPort.Serf));
}
