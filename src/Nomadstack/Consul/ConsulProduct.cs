// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.HashiCorp;
using Nomadstack.HashiCorp.RaftData;
using Nomadstack.Peers;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Security;
using Nomadstack.Storage;

namespace Nomadstack.Consul;

/// <summary>The code for Consul: configuration, node-id file, how its servers leave, and its client, which has nothing that a blank server could remove.</summary>
internal sealed class ConsulProduct(Product row, NodeContext context, NodePrograms programs) : IProduct
{
    /// <summary>The states of a client.</summary>
    public const string Alive = "alive", Failed = "failed";

    public Product Row => row;

    public string ClientFinds => ProductPort.Serf;

    public string UnknownClient => Failed;

    public IServerApi Server(Endpoint endpoint) => new ConsulApi(endpoint, context.Time);

    /// <summary>The client learns of servers by gossip.</summary>
    public IClientApi? Client(Endpoint endpoint) => null;

    public ProcessSpec PrepareServer(ServerSite site, IReadOnlyList<string> join, int voters, string? version)
    {
        var program = programs.For(row, version);
        var configuration = ConsulServerConfig.For(site, site.Bootstrap ? [BootstrapJoins(site)] : join, program.Version) with { Bootstrap = site.Bootstrap, MinQuorum = voters, ServerStabilizationTime = Promotion.Stabilization, Security = Security() is { } closed ? closed with { InitialManagement = site.Bootstrap ? Token(SecretNames.Management) : null } : null };
        ServerFiles.Write(site, configuration.Render(), site.DataFolder);
        return new(site.ProcessName, program.Path, program.Arguments("agent", "-config-file", site.ConfigFile), Path.Combine(context.Paths.Log, site.ProcessName + ".log"));
    }

    public SnapshotFacts ReadSnapshot(Stream from) => SnapshotFile.Read(from);

    public ProcessSpec PrepareThrowAway(ServerSite site, Credentials credentials) => PrepareDrill(site, credentials, ClusterTrust.MakeGossipKey(), []);

    public ProcessSpec PrepareDrill(ServerSite site, Credentials credentials, string gossipKey, IReadOnlyList<string> join)
    {
        var program = programs.For(row, null);
        var configuration = ConsulServerConfig.For(site, join, program.Version) with { Bootstrap = site.Bootstrap, MinQuorum = 1, ServerStabilizationTime = Promotion.Stabilization, Security = new(credentials, gossipKey, AgentToken: null) };
        ServerFiles.Write(site, configuration.Render(), site.DataFolder);
        return new(site.ProcessName, program.Path, program.Arguments("agent", "-config-file", site.ConfigFile), Path.Combine(context.Paths.Log, site.ProcessName + ".log"));
    }

    public ProcessSpec PrepareClient(IReadOnlyList<string> servers)
    {
        // A client that nobody can call without a certificate may answer DNS with what everybody may know.
        var security = Security() is { } closed ? closed with { DefaultToken = Token(ProductTokens.Names) } : null;
        var configuration = ConsulClientConfig.For(row, context.Node, Path.Combine(context.Paths.Client(row.Name), "data"), programs.For(row, null).Version) with { Join = servers, Security = security, Socket = context.Paths.ClientSocket(row.Name) };
        // The key for the web interface was renamed between versions; the flag was not.
        return ClientFiles.Write(row, context, programs, configuration.Render(), "-config-file", "-ui");
    }

    public void BeforeClientStart() => KeyringFile.Update(ClientKeyrings, context.Trust.GossipKeys(row));

    public void BeforeServerStart(ServerSite site) => KeyringFile.Update(Keyrings(site.DataFolder), context.Trust.GossipKeys(row));

    public bool HasOldGossipKey(ServerSite? site) => KeyringFile.IsOld(site is null ? ClientKeyrings : Keyrings(site.DataFolder), context.Trust.GossipKeys(row));

    public IGossipKeys GossipKeys(Endpoint server) => new ConsulApi(server, context.Time);

    private IEnumerable<string> ClientKeyrings => Keyrings(Path.Combine(context.Paths.Client(row.Name), "data"));

    /// <summary>One of the datacenter's agents, and on a server one of the servers of all datacenters.</summary>
    private static IEnumerable<string> Keyrings(string data) => [Path.Combine(data, "serf", "local.keyring"), Path.Combine(data, "serf", "remote.keyring")];

    public Task<RaftOnDisk> RaftOnDiskAsync(ServerSite site, CancellationToken cancel) => Task.Run(() => RaftDataFolder.Read(Raft(site), cancel), cancel);

    public void WritePeers(ServerSite site, IReadOnlyList<RaftPeer> peers) => PeersFile.Write(row, Raft(site), peers);

    public bool HasPeersToRead(ServerSite site) => PeersFile.IsThere(Raft(site));

    private static string Raft(ServerSite site) => Path.Combine(site.DataFolder, "raft");

    /// <summary>Leaves through its API call. The process ends by itself and is then not started again.</summary>
    public async Task LeaveAsync(Endpoint server, IOwnedProcess process, TimeSpan deadline, Task? gone, CancellationToken cancel)
    {
        var leaving = new ConsulApi(server, context.Time).LeaveAsync(deadline, cancel);
        await Task.WhenAny(leaving, gone ?? leaving);
        await process.StopAsync(Signals.SIGTERM, deadline, cancel, gone);
        await leaving;
    }

    /// <summary>None: everything Consul keeps is in raft.</summary>
    public IReadOnlySet<string> KeysOnDisk(ServerSite site) => new HashSet<string>();

    public Task<IReadOnlySet<string>> KeysNeededAsync(ServerSite site, IReadOnlyList<Endpoint> servers, CancellationToken cancel) => Task.FromResult(KeysOnDisk(site));

    /// <summary>Whether Consul knows our token and those that the agents say.</summary>
    public async Task<bool> IsClosedAsync(Endpoint server, CancellationToken cancel)
    {
        foreach (var name in row.Security!.Tokens.Prepend(SecretNames.Management))
        {
            if (!(await Saying(server, name).TokenAsync(ConsulApi.WithLeader, cancel)).IsOk) return false;
        }

        return true;
    }

    /// <summary>
    /// A bootstrap server that leads has entered the management token from its file, and what is missing is what the agents say. In a cluster that was open, the first token is asked for.
    /// </summary>
    public async Task<Answer<Done>> CloseAsync(ServerSite site, Endpoint server, CancellationToken cancel)
    {
        var api = new ConsulApi(server, context.Time);
        if (!site.Bootstrap && !(await api.TokenAsync(ConsulApi.WithLeader, cancel)).IsOk && await InitialiseAsync(site, server, cancel) is { IsOk: false } refused) return refused;
        foreach (var (name, rules) in s_rules)
        {
            if ((await Saying(server, name).TokenAsync(ConsulApi.WithLeader, cancel)).IsOk) continue;
            var made = await api.MakeTokenAsync(OwnToken(name), rules, Token(name), ConsulApi.WithLeader, cancel);
            if (!made.IsOk) return made;
        }

        return new Answer<Done>.Ok(default);
    }

    /// <summary>
    /// Consul takes the secret that we have chosen since 1.15. An older one makes its own and tells it once. If the agent dies before that is written down, it is made anew: Consul
    /// allows that to whoever can write into the leader's data folder.
    /// </summary>
    private async Task<Answer<Done>> InitialiseAsync(ServerSite site, Endpoint server, CancellationToken cancel)
    {
        var anonymous = new ConsulApi(server with { Token = null }, context.Time);
        var answer = await anonymous.BootstrapAclAsync(Token(SecretNames.Management), ConsulApi.WithLeader, cancel);
        if (answer.ResetIndex is { } index)
        {
            DurableText.Write(Path.Combine(site.DataFolder, "acl-bootstrap-reset"), index);
            answer = await anonymous.BootstrapAclAsync(Token(SecretNames.Management), ConsulApi.WithLeader, cancel);
        }

        if (answer.Secret is { } secret) context.Trust.Keep(row, SecretNames.Management, secret);
        return answer.Answer;
    }

    public async Task<Answer<string>> MakeTokenAsync(Endpoint server, string name, CancellationToken cancel)
    {
        var secret = Guid.NewGuid().ToString();
        var made = name == SecretNames.Management
            ? await new ConsulApi(server, context.Time).MakeTokenAsync("global-management", null, secret, ConsulApi.WithLeader, cancel, OwnToken(name))
            : await new ConsulApi(server, context.Time).MakeTokenAsync(OwnToken(name), s_rules[name], secret, ConsulApi.WithLeader, cancel);
        return made.Map(_ => secret);
    }

    public async Task<Answer<Done>> RevokeOldTokensAsync(Endpoint server, string name, CancellationToken cancel)
    {
        var kept = await Saying(server, name).AccessorAsync(ConsulApi.WithLeader, cancel);
        if (!kept.Try(out var accessor)) return kept.Map(_ => default(Done));
        string[] own = name == SecretNames.Management ? [OwnToken(name), .. s_first] : [OwnToken(name)];
        return await new ConsulApi(server, context.Time).RevokeTokensAsync(own, accessor, ConsulApi.WithLeader, cancel);
    }

    /// <summary>What Consul calls the management token that it enters from a configuration file, before 1.11 and since.</summary>
    private static readonly string[] s_first = ["Master Token", "Initial Management Token"];

    private static string OwnToken(string name) => "nomadstack-" + name;

    public async Task<Answer<string>> MakePersonsTokenAsync(Endpoint server, string name, string role, TimeSpan life, CancellationToken cancel)
    {
        var (api, secret) = (new ConsulApi(server, context.Time), Guid.NewGuid().ToString());
        var made = s_roles.TryGetValue(role, out var rules)
            ? await api.MakeTokenAsync("nomadstack-" + role, rules, secret, ConsulApi.WithLeader, cancel, name, life)
            : await api.MakeTokenAsync("global-management", null, secret, ConsulApi.WithLeader, cancel, name, life);
        return made.Map(_ => secret);
    }

    public string MemberName(string serverName) => serverName;

    public Task<Answer<IReadOnlyDictionary<string, string>>> NodeTokensAsync(Endpoint server, NodeEntry node, CancellationToken cancel) =>
        new ConsulNodeTokens(new(server, context.Time)).FindOrMakeAsync(node, ("nomadstack-" + ProductTokens.Names, s_rules[ProductTokens.Names]), cancel);

    public Task<Answer<int>> ForgetNodeTokensAsync(Endpoint server, Func<NodeMark, bool> isOver, CancellationToken cancel) =>
        new ConsulNodeTokens(new(server, context.Time)).ForgetAsync(isOver, cancel);

    public Task<bool?> KnowsTokenAsync(Endpoint server, CancellationToken cancel) => new ConsulNodeTokens(new(server, context.Time)).IsKnownAsync(cancel);

    /// <summary>The policies of the roles. For <see cref="PersonRole.Admin"/>, Consul has its own.</summary>
    private static readonly Dictionary<string, string> s_roles = new Dictionary<string, string>
    {
        [PersonRole.Read] = Policy("read"),
        [PersonRole.Operate] = Policy("write"),
    };

    /// <summary>What each token may do. Nomad's documentation has what its agents need (agent read, node write since 1.9.7, service write). Before Nomad 1.7, templates of its jobs read keys with its own token.</summary>
    private static readonly Dictionary<string, string> s_rules = new Dictionary<string, string>
    {
        [ProductTokens.Agent] = """agent_prefix "" { policy = "write" } node_prefix "" { policy = "write" } service_prefix "" { policy = "read" }""",
        [ProductTokens.Catalog] = """agent_prefix "" { policy = "read" } node_prefix "" { policy = "write" } service_prefix "" { policy = "write" } key_prefix "" { policy = "read" }""",
        [ProductTokens.Names] = """node_prefix "" { policy = "read" } service_prefix "" { policy = "read" } query_prefix "" { policy = "read" }""",
    };

    /// <summary>What belongs to agents and nodes is read alone: the agents write it.</summary>
    private static string Policy(string most) => $$"""
        agent_prefix "" { policy = "read" }
        node_prefix "" { policy = "read" }
        service_prefix "" { policy = "{{most}}" }
        key_prefix "" { policy = "{{most}}" }
        session_prefix "" { policy = "{{most}}" }
        query_prefix "" { policy = "{{most}}" }
        event_prefix "" { policy = "{{most}}" }
        operator = "read"
        """;

    private ConsulApi Saying(Endpoint server, string name) => new(server with { Token = new(row.TokenHeader, () => Token(name)) }, context.Time);

    private ConsulSecurity? Security() => context.Trust.Of(row) is { } credentials ? new(credentials, context.Trust.Gossip(row) ?? throw Missing(), Token(ProductTokens.Agent)) : null;

    private string Token(string name) => context.Trust.Token(row, name) ?? throw Missing();

    private ProblemException Missing() => new(SecurityProblems.NoCredentials(row));

    /// <summary>A bootstrap server joins the node's job server as soon as that listens, so that no permanent file ever contains a bootstrap port.</summary>
    private string BootstrapJoins(ServerSite site) => ConfigText.Endpoint(site.Address, context.Node.Ports.Of(row, ProductPort.Server, ProductPort.Serf));
}
