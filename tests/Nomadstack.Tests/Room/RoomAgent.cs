// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Bootstrap;
using Nomadstack.Clients;
using Nomadstack.Cluster;
using Nomadstack.ColdBoot;
using Nomadstack.Health;
using Nomadstack.Node;
using Nomadstack.Operations;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Recovery;
using Nomadstack.Programs;
using Nomadstack.Servers;
using Nomadstack.Storage;

namespace Nomadstack.Tests.Room;

/// <summary>An agent of one of the room's nodes, wired as the daemon wires it: its flows and its files are real, products and processes are the room's. A new one is an agent's restart.</summary>
internal sealed class RoomAgent
{
    private readonly FakeRoom _room;
    private readonly InstantTime _time;

    /// <summary>False while this node's clients are starting.</summary>
    public bool ClientsAreUp { get; set; } = true;

    public RoomAgent(FakeRoom room, NodePaths paths, NodeFile node, ProductTable table, InstantTime time)
    {
        (_room, _time) = (room, time);
        time.Passing = room.Pass;
        var membership = new Membership(paths, node, time);
        membership.Load();
        Context = new NodeContext(node, paths, membership, table, time, NullLoggerFactory.Instance);
        var products = table.Stack.ToDictionary(p => p.Name, p => (IProduct)new RoomProduct(p, room, node.Name));
        Host = new ServerHost(node, paths, membership, products, Instantiate, time, NullLogger<ServerHost>.Instance);
        var scheduler = (ISchedulerProduct)products[table.Scheduler.Name];
        Operations = new OperationLog(paths, time);
        Temporary = new BootstrapServers(Context, products, Instantiate);
        var jobs = new ServerJobs(Context, scheduler);
        Gate = new Gatekeeper(Context, scheduler);
        Clients = new NodeClients(Context, scheduler, products, [.. table.Stack.Where(p => p.HasClient).Select(p => new ClientKeeper(Context, products[p.Name], (name, _) => Process(name), p.FencesClient ? Gate : null) { TakesReload = _ => Task.FromResult(ClientsAreUp) })]);
        Keepers = [.. table.Stack.Select(p => new ServerKeeper(Context, products[p.Name], Host, jobs, new JobKeeper(Context, jobs, Operations), Operations))];
        Cure = new ClientCure(Context, Clients, jobs.AnyServerAsync);
        History = new HistoryKeeper(Context, scheduler, Gate, jobs.AnyServerAsync, () => Clients.Scheduler.Runs, cancel => Host.LeadsAsync(scheduler.Row.Name, cancel));
        Drain = new DrainOperation(Context, jobs);
        Recovery = new RecoveryKeeper(Context, Host);
        Recover = new RecoverOperation(Context, async cancel => [.. await Task.WhenAll(room.Agents.Where(a => !a.IsDead).Select(async a => a.IsTooOldToTell ? new NodeSurvey(a.Context.Node.Id, a.Context.Node.Name, []) { IsTooOld = true } : await new SurveyDesk(a.Context, a.Host).SurveyAsync(cancel)))]);
        Desk = new ClientDesk(Context, products);
        Given = new ClientCredentials(Context, products, Clients, AskAsync, _ => Task.CompletedTask);
        NodeTokens = new ClientTokens(Context, products, Host);
        Gate.ProvedElsewhere = ProveAsync;
        var found = table.Stack.ToDictionary(p => p.Name, p => (IReadOnlyList<ProductProgram>)[new(p.Name, "/bin/" + p.Name, [], new(1, 0, 0))]);
        var programs = new NodePrograms(paths, table, found, () => null);
        Bootstrap = new BootstrapOperation(Context, Temporary, Host, jobs, Clients, (request, _, cancel) => MintAsync(request, cancel), cancel => Status!.LacksAsync(cancel), programs);
        Status = new StatusReader(Context, Host, Clients, Operations, programs, scheduler, products)
        {
            Version = "0.0.0",
            BootstrapPid = role => Temporary.Instance(role)?.Process.Pid,
            IsReachable = id => room.Agents.Exists(a => a.Context.Node.Id == id),
        };
        Operations.Load();
        Host.Load();
        room.Agents.RemoveAll(a => a.Context.Node.Id == node.Id);
        room.Agents.Add(this);

        RoomProcess Process(string name) => new(name, node.Name, node.Address, room);
        ServerInstance Instantiate(ServerSite site, IProduct product) => new(site, product, Context.Endpoints, Process(site.ProcessName), time);
    }

    public NodeContext Context { get; }
    public ServerHost Host { get; }
    public OperationLog Operations { get; }
    public BootstrapServers Temporary { get; }
    public Gatekeeper Gate { get; }
    public HistoryKeeper History { get; }
    public ClientCure Cure { get; }
    public NodeClients Clients { get; }
    public IReadOnlyList<ServerKeeper> Keepers { get; }
    public BootstrapOperation Bootstrap { get; }
    public DrainOperation Drain { get; }
    public RecoveryKeeper Recovery { get; }
    /// <summary>Its release has no way to tell what raft data it has.</summary>
    public bool IsTooOldToTell { get; set; }

    public RecoverOperation Recover { get; }
    public StatusReader Status { get; }
    public ClientDesk Desk { get; }
    public ClientCredentials Given { get; }
    public ClientTokens NodeTokens { get; }

    /// <summary>It was killed; nothing it holds does anything any more.</summary>
    public bool IsDead { get; set; }

    /// <summary>As the daemon begins or continues a bootstrap.</summary>
    public async Task<OperationRun> BootstrapAsync(int servers, CancellationToken cancel)
    {
        var run = Operations.Unfinished(BootstrapOperation.Kind) ?? Operations.Begin(BootstrapOperation.Kind, new ClusterRequest(servers, [.. Context.Table.Stack.Select(p => p.Name)], Secure: true).ToRequest());
        if (Context.Membership.Current is not null)
        {
            await Host.StartRecordedAsync(cancel);
            await Temporary.StartRecordedAsync(cancel);
        }

        await Bootstrap.RunAsync(run, cancel);
        return run;
    }

    /// <summary>As the daemon boots a member. A client that would wait at the gate is left to the next round: here nothing waits by itself.</summary>
    private async Task BootAsync(CancellationToken cancel)
    {
        await Host.StartRecordedAsync(cancel);
        foreach (var client in Clients.OfCluster)
        {
            if (client.Runs || await Gate.LookAsync(cancel) is Gate.Open) await client.EnableAsync();
        }
    }

    /// <summary>Joins through a member: its peer port is open meanwhile, and what is said goes through it.</summary>
    public async Task JoinAsync(RoomAgent member, CancellationToken cancel, bool client = false)
    {
        var clock = new WallClock(_time);
        using var pki = Pki.Load(member.Context.Paths, member.Context.Node, clock);
        await using var peering = new Peering(member.Context.Membership, pki, AgentIdentity.Mint("0.0.0"), clock, seed: 1);
        await peering.StartAsync(cancel);
        var token = member.Context.Membership.CreateToken(null, client: client).Reveal();
        await Joining.JoinAsync(new(member.Context.Node.Address, member.Context.Node.Ports.Peers), token, Context.Membership, Context.Paths, "0.0.0", clock, cancel);
        using var own = Pki.Load(Context.Paths, Context.Node, clock);
        // As the daemon does when its peer port is open.
        Context.Membership.UpdateSelf(self => self);
        if (client) _room.WithoutDriver.Add(Context.Node.Name);
    }

    /// <summary>What a client node hears of the first server node that answers it, through the messages as they are sent.</summary>
    private Task<CredentialsGiven> AskAsync(CredentialsAsked asked, CancellationToken cancel) => OfAnyAsync(async (desk, node) =>
    {
        using var shown = X509Certificate2.CreateFromPem(PkiFiles.Read(PkiFiles.NodeCertificate(Context.Paths)));
        return Wire(await desk.GiveAsync(node, shown, Wire(asked, ClientMessagesJson.Default.CredentialsAsked), cancel), ClientMessagesJson.Default.CredentialsGiven);
    });

    private async Task<bool> ProveAsync(string server, CancellationToken cancel) => (await OfAnyAsync((desk, node) => desk.ProveAsync(node, new ProofAsked(server), cancel))).Leads;

    private async Task<T> OfAnyAsync<T>(Func<ClientDesk, NodeEntry, Task<T>> ask)
    {
        ProblemException? last = null;
        foreach (var agent in _room.Agents.Where(a => !a.IsDead && !a.Context.Trust.IsGiven).ToList())
        {
            try
            {
                if (agent.Context.Membership.Current?.Nodes.GetValueOrDefault(Context.Node.Id) is { Removed: false } node) return await ask(agent.Desk, node);
            }
            catch (ProblemException e)
            {
                last = e;
            }
        }

        throw last ?? new ProblemException(ClientProblems.NobodyAnswers("anything"));
    }

    private static T Wire<T>(T message, JsonTypeInfo<T> json) => JsonSerializer.Deserialize(JsonSerializer.Serialize(message, json), json)!;

    /// <summary>One round of what runs all the time. What fails is tried again by the next, as the daemon's loops do.</summary>
    public async Task RoundAsync(CancellationToken cancel)
    {
        if (Context.Membership.Current is null) return;
        foreach (var round in Keepers.Select<ServerKeeper, Func<Task>>(k => () => k.RoundAsync(Clients.Scheduler.Runs, cancel)).Prepend(() => Recovery.RoundAsync(cancel)).Append(() => BootAsync(cancel)).Append(() => History.RoundAsync(cancel)).Append(() => Given.RoundAsync(cancel)).Append(() => NodeTokens.RoundAsync(cancel)))
        {
            try
            {
                await round();
            }
            catch (Exception e) when (Trouble.IsOfTheMachine(e))
            {
                // The next round is the repetition.
            }
        }
    }

    private Task MintAsync(ClusterRequest request, CancellationToken cancel)
    {
        if (Context.Membership.Current is null)
        {
            _room.Begin();
            using var pki = Pki.Mint(Context.Paths, Guid.NewGuid().ToString(), Context.Node, Context.Time);
            Context.Membership.Create(new ClusterDocument
            {
                ClusterId = pki.ClusterId,
                CreatedAt = Context.Time.GetUtcNow(),
                CaPin = pki.CaPin,
                FirstMaxServers = request.Servers,
                Nodes = new Dictionary<string, NodeEntry> { [Context.Node.Id] = new() { Id = Context.Node.Id, Name = Context.Node.Name, Address = Context.Node.Address, Ports = Context.Node.Ports, Version = "0.0.0", KeyPin = pki.KeyPin } },
            });
            Context.Membership.Set(SettingNames.Products, [.. request.Products]);
        }

        Context.Trust.Mint(request.Secure);
        return Task.CompletedTask;
    }

    /// <summary>The room's hour with waits that take their time: for what goes over a socket.</summary>
    private sealed class WallClock(InstantTime room) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => room.GetUtcNow();
    }
}
