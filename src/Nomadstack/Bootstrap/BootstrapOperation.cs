// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Microsoft.Extensions.Logging;
using Nomadstack.Clients;
using Nomadstack.Cluster;
using Nomadstack.Operations;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Recovery;
using Nomadstack.Servers;

namespace Nomadstack.Bootstrap;

/// <summary>
/// Makes the first cluster on this node: temporary servers, clients, jobs, and the pivot onto the servers that are jobs. A failure before the first bootstrap server leaves is undone.
/// </summary>
/// <param name="lacks">What keeps the cluster from healthy; null when nothing does.</param>
internal sealed class BootstrapOperation(
    NodeContext context,
    BootstrapServers bootstrap,
    ServerHost host,
    ServerJobs jobs,
    NodeClients clients,
    Func<ClusterRequest, Restoration?, CancellationToken, Task> mint,
    Func<CancellationToken, Task<string?>> lacks,
    NodePrograms programs) : Flow<BootstrapFacts, BootstrapStep>(context.Time, context.Logs.CreateLogger<BootstrapOperation>())
{
    public const string Kind = "bootstrap";

    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(5);

    /// <summary>Raft ids of the bootstrap servers that were seen closed.</summary>
    private readonly HashSet<string> _closed = [];

    private readonly ILogger _log = context.Logs.CreateLogger<BootstrapOperation>();

    /// <summary>What the cluster is made from; null for nothing.</summary>
    private Restoration? _restoration;

    /// <summary>Makes the cluster that was asked for, or makes one anew from an archive.</summary>
    public async Task MakeAsync(OperationRun run, CancellationToken cancel)
    {
        _restoration = Restoration.Of(run.Request, context, programs);
        await RunAsync(run, cancel);
        // Done or undone: nobody needs the recovery key here any more.
        File.Delete(Restoration.KeyFileOf(context.Paths));
    }

    /// <summary>No single step takes a healthy machine longer than this; slow disks get a factor of five over what was measured.</summary>
    protected override TimeSpan? StepDeadline { get; } = TimeSpan.FromSeconds(120);

    protected override TimeSpan Poll { get; } = TimeSpan.FromMilliseconds(200);

    protected override Problem Undone => BootstrapProblems.Undone();

    /// <summary>Some bootstrap server leaves or has left: from then on there is only forward.</summary>
    protected override bool IsPastTheCommitPoint =>
        context.Products.Any(p => bootstrap.IsLeaving(p.Name) || (!bootstrap.Exists(p.Name) && host.Server(p.Name) is { Record.WasVoter: true }));

    protected override Problem TooSlow(string step, TimeSpan limit, string waitedFor) => BootstrapProblems.TooSlow(step, limit, waitedFor, context.Paths.Log);

    protected override Next<BootstrapStep> Decide(BootstrapFacts facts) =>
        BootstrapDecision.Next(facts) is { Verb: not BootstrapVerb.Done } step ? new Next<BootstrapStep>.Step(step, step.InWords) : new Next<BootstrapStep>.Done();

    protected override async Task ActAsync(BootstrapStep step, OperationRun run, CancellationToken cancel)
    {
        switch (step)
        {
            case { Verb: BootstrapVerb.MintCluster }:
                run.WaitFor("agents of a cluster that takes this machine for one of its nodes");
                await Fault.AroundAsync("mint-cluster", () => mint(ClusterRequest.From(run.Request, context.Table), _restoration, cancel));
                break;
            case { Verb: BootstrapVerb.StartServer, Product: { } product }:
                await bootstrap.StartAsync(product.Name, _restoration is { } from ? instance => from.WriteKeysAsync(instance.Product, instance.Site, cancel) : null, cancel);
                break;
            case { Verb: BootstrapVerb.StartClient, Product: { } product }:
                var client = clients[product.Name];
                var starting = client.EnableAsync();
                if (starting.IsCompleted) await starting;
                run.WaitFor(client.WaitsFor);
                break;
            case { Verb: BootstrapVerb.Close, Product: { } product }:
                await CloseAsync(product, run, cancel);
                break;
            case { Verb: BootstrapVerb.Restore, Product: { } product }:
                if (bootstrap.Instance(product.Name) is { } empty) await Fault.AroundAsync($"restore-{product.Name}", () => _restoration!.RestoreAsync(empty, run.WaitFor, cancel));
                break;
            case { Verb: BootstrapVerb.RegisterJob, Product: { } product }:
                await RegisterAsync(product, cancel);
                break;
            case { Verb: BootstrapVerb.RemoveServer, Product: { } product }:
                await RemoveAsync(product, run, cancel);
                break;
            case { Verb: BootstrapVerb.RemoveTraces }:
                await RemoveTracesAsync(cancel);
                break;
            case { Verb: BootstrapVerb.AwaitLeader or BootstrapVerb.AwaitNodeReady or BootstrapVerb.AwaitJobServers or BootstrapVerb.AwaitHealth }:
                break;
            default:
                throw new InvalidOperationException($"unknown step {step}");
        }
    }

    protected override async Task<BootstrapFacts> ObserveAsync(Action<string> say, CancellationToken cancel)
    {
        // Decided last: until then what closes the cluster is not complete.
        if (context.Membership.Current is null || !context.Trust.IsDecided || (_restoration is not null && !await _restoration.IsSeededAsync(cancel))) return new(false, [], false, false, false);
        var api = await jobs.AnyServerAsync(cancel);
        List<(Product, ProductFacts)> products = [];
        foreach (var product in context.Products) products.Add((product, await ObserveAsync(product, api, say, cancel)));
        var ready = api is not null && (await api.NodesAsync(s_callDeadline, cancel)).Try(out var nodes)
            && nodes.Any(n => n.Name == context.Node.Name && n.TakesServers);
        if (api is not null && clients.Scheduler.Runs && !ready) say($"this node's {context.Table.Scheduler.Title} client to register with a healthy task driver");
        var pivoted = products.All(p => p.Item2.BootstrapGone);
        var gone = pivoted && await TracesGoneAsync(cancel);
        // The restored jobs ask for as many servers as there were: that is not lacking before other machines have joined.
        var lacking = gone && _restoration is null ? await lacks(cancel) : null;
        if (lacking is not null) say(lacking);
        return new(true, products, ready, gone, gone && lacking is null);
    }

    private async Task<ProductFacts> ObserveAsync(Product product, IScheduler? api, Action<string> say, CancellationToken cancel)
    {
        var temporary = bootstrap.Instance(product.Name);
        var job = host.Server(product.Name);
        var view = job is null ? null : await job.Value.Instance.ObserveAsync(cancel);
        if (view is not { HasLeader: true } && temporary is not null) view = await temporary.ObserveAsync(cancel) ?? view;
        var registered = api is not null && await ServerJobs.DesiredAsync(api, product, cancel) is > 0;
        var caughtUp = false;
        if (job is var (record, instance) && view is not null)
        {
            caughtUp = record.WasVoter || await CaughtUpAsync(instance, temporary, view, cancel);
            if (caughtUp) await host.MarkVoterAsync(product.Name, cancel);
            else if (registered) say($"the {product.Title} job server to become a caught-up voter (autopilot checks every 10 s)");
        }
        else if (registered)
        {
            say($"{context.Table.Scheduler.Title} to place the job {product.JobId} on this node");
        }

        return new(temporary?.Process.Pid is not null, view is { HasLeader: true }, await IsClosedAsync(product, temporary, cancel), registered, caughtUp, bootstrap.IsLeaving(product.Name),
            BootstrapGone: temporary is null && job is { Record.WasVoter: true },
            ClientRuns: !product.HasClient || clients[product.Name].Runs)
        { Restored = temporary is null || _restoration?.IsRestored(product) != false };
    }

    /// <summary>A healthy voter that has applied everything that the bootstrap server had when asked, and has copied the keys that are not in raft.</summary>
    private static async Task<bool> CaughtUpAsync(ServerInstance job, ServerInstance? temporary, RaftView view, CancellationToken cancel)
    {
        if (view.Member(job.Site.RaftId) is not { Voter: true, Healthy: true }) return false;
        if (temporary is null) return view.HasLeader;
        var before = await temporary.ObserveAsync(cancel);
        var own = await job.ObserveAsync(cancel);
        return before is not null && own is not null && own.AppliedIndex >= before.AppliedIndex
            && temporary.Product.KeysOnDisk(temporary.Site).IsSubsetOf(job.Product.KeysOnDisk(job.Site));
    }

    /// <summary>Asked until it is: no later step opens a product again.</summary>
    private async Task<bool> IsClosedAsync(Product product, ServerInstance? temporary, CancellationToken cancel)
    {
        // Jobs come after access control: where the job server is, the product was closed before.
        if (temporary is null || !context.Trust.Closes(product) || host.Server(product.Name) is not null || _closed.Contains(temporary.Site.RaftId)) return true;
        if (temporary.Process.Pid is null || !await temporary.Product.IsClosedAsync(temporary.Endpoint, cancel)) return false;
        _closed.Add(temporary.Site.RaftId);
        return true;
    }

    private async Task CloseAsync(Product product, OperationRun run, CancellationToken cancel)
    {
        if (bootstrap.Instance(product.Name) is not { } temporary) return;
        await Fault.AroundAsync($"close-{product.Name}", async () =>
        {
            var answer = await temporary.Product.CloseAsync(temporary.Site, temporary.Endpoint, cancel);
            if (!answer.IsOk) run.WaitFor($"{product.Title} to accept our first tokens: {answer.Complaint}");
        });
    }

    private async Task RegisterAsync(Product product, CancellationToken cancel)
    {
        if (await jobs.AnyServerAsync(cancel) is not { } api) return;
        await Fault.AroundAsync($"register-{product.Name}-job", () => jobs.RegisterAsync(api, product, 1, cancel));
    }

    private async Task RemoveAsync(Product product, OperationRun run, CancellationToken cancel)
    {
        if (!bootstrap.IsLeaving(product.Name)) await bootstrap.IntendLeaveAsync(product.Name);
        // A client must know the job server before the bootstrap server leaves: the client keeps its list only in memory.
        await clients.PointAtJobServersAsync(product, cancel);
        await bootstrap.RemoveAsync(product.Name, run.WaitFor, cancel);
    }

    /// <summary>
    /// Writes the permanent configurations and removes the bootstrap servers from gossip. Before Nomad 1.6.3, gossip forgets a member that left only
    /// after a day. There the job server is restarted once, which also proves that it starts alone from its own disk.
    /// </summary>
    private async Task RemoveTracesAsync(CancellationToken cancel)
    {
        await host.RefreshConfigurationsAsync(cancel);
        clients.Refresh();
        foreach (var product in context.Products) await clients.PointAtJobServersAsync(product, cancel);
        foreach (var (record, instance) in host.Servers)
        {
            if (!await GossipNamesBootstrapAsync(instance, cancel)) continue;
            await instance.Api.ForgetMemberAsync(BootstrapMember(instance), prune: true, s_callDeadline, cancel);
            if (!await GossipNamesBootstrapAsync(instance, cancel)) continue;
            _log.LogInformation("Restarting the {Role} job server: it starts from its own disk, and gossip forgets the bootstrap server", record.Role);
            await Fault.AroundAsync($"rehearse-{record.Role}", async () =>
            {
                await instance.StopAsync(cancel);
                await instance.StartAsync([], 1, record.Version, cancel);
            });
        }
    }

    private async Task<bool> TracesGoneAsync(CancellationToken cancel)
    {
        foreach (var (record, instance) in host.Servers)
        {
            if (await instance.ObserveAsync(cancel) is not { HasLeader: true } view) return false;
            if (view.Members.Any(m => m.RaftId != record.RaftId && HostPort.SameAddress(m.Address, instance.Site.Address))) return false;
            if (await GossipNamesBootstrapAsync(instance, cancel)) return false;
        }

        return host.Servers.Count == context.Products.Count && await clients.NameNoBootstrapAsync(cancel);
    }

    private Task<bool> GossipNamesBootstrapAsync(ServerInstance instance, CancellationToken cancel) =>
        instance.Api.NamesMemberAsync(BootstrapMember(instance), s_callDeadline, cancel);

    private string BootstrapMember(ServerInstance instance) => instance.Product.MemberName(ServerSite.BootstrapName(context.Node.Name));

    /// <summary>Stops all this bootstrap started and moves aside all it made. Ends with a node that has no cluster.</summary>
    protected override async Task UndoAsync(OperationRun run, CancellationToken cancel)
    {
        await clients.StopAsync(cancel);
        await host.DropAllAsync(cancel);
        foreach (var product in context.Table.Stack) await bootstrap.DropAsync(product.Name, cancel);
        clients.Retire();
        await Fault.AroundAsync("forget-cluster", () => context.Membership.ForgetAsync());
    }
}

/// <summary>The operator's request for the first cluster.</summary>
/// <param name="Products">Names of its products, the scheduler's among them.</param>
/// <param name="Secure">Whether it is closed to strangers.</param>
internal sealed record ClusterRequest(int Servers, IReadOnlyList<string> Products, bool Secure)
{
    public IReadOnlyDictionary<string, string> ToRequest() => new Dictionary<string, string>
    {
        ["servers"] = Servers.ToString(CultureInfo.InvariantCulture),
        ["products"] = string.Join(',', Products),
        ["secure"] = Secure ? "true" : "false",
    };

    /// <summary>Reads what an earlier agent wrote. The first release did not write the products, only whether Consul is one, under that product's name.</summary>
    public static ClusterRequest From(IReadOnlyDictionary<string, string> request, ProductTable table) => new(
        int.Parse(request.GetValueOrDefault("servers", "3"), CultureInfo.InvariantCulture),
        request.TryGetValue("products", out var products)
            ? products.Split(',', StringSplitOptions.RemoveEmptyEntries)
            : [.. table.Stack.Where(p => p.Schedules || request.GetValueOrDefault(p.Name, "true") == "true").Select(p => p.Name)],
        // The first release made open clusters and did not say so.
        request.GetValueOrDefault("secure") == "true");
}
