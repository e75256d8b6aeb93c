// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Nomadstack.Api;
using Nomadstack.Bootstrap;
using Nomadstack.Bundle;
using Nomadstack.Clients;
using Nomadstack.Cluster;
using Nomadstack.ColdBoot;
using Nomadstack.Driver;
using Nomadstack.Fetch;
using Nomadstack.Health;
using Nomadstack.Nomad;
using Nomadstack.Operations;
using Nomadstack.Peers;
using Nomadstack.Processes;
using Nomadstack.Programs;
using Nomadstack.Servers;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>Wires the daemon, runs it, and takes it down: sockets, parts, order of start and stop. Holds no decisions.</summary>
internal static class AgentProgram
{
    /// <summary>A server listens after half a second; one that does not has other troubles than a processor that is shared.</summary>
    private static readonly TimeSpan s_serversFirst = TimeSpan.FromSeconds(1);

    private const string KeeperName = "log-keeper";

    /// <summary>Nomad's own default kill_timeout.</summary>
    private static readonly TimeSpan s_taskGrace = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Runs the agent until it is told to stop: by <paramref name="cancel"/>, which leaves its processes running,
    /// or over its API, which stops them first. Returns the exit code.
    /// </summary>
    public static async Task<int> RunAsync(AgentOptions options, bool up, CancellationToken cancel)
    {
        var time = TimeProvider.System;
        var paths = new NodePaths(options.DataDir);
        Folders.Create(paths);
        using var owner = DataFolderLock.Take(paths.Data);
        using var logs = new LoggerFactory([new AgentLog(paths, toStandardError: !up, time)], new LoggerFilterOptions { MinLevel = LogLevel.Information, Rules = { new(null, "Microsoft", LogLevel.Warning, null) } });
        var recorded = Role.All.Any(role => ServerRecord.At(paths.Server(role)).Exists);
        var node = NodeIdentity.ReadOrMint(paths, options, recorded, alone: up);
        var membership = new Membership(paths, node, time);
        membership.Load();
        var context = new NodeContext(node, paths, membership, time, logs);
        var programs = await FindProgramsAsync(options, context, cancel);
        // Beside the wiring, for at a cold boot every tenth of a second before a server starts is one without a quorum.
        var checks = Task.Run(() => Checks.BeforeStart(node, paths, time, membership.Current?.Consul ?? programs.Find(Role.Consul) is not null, bootstrap: membership.Current is null && options.Join is null), cancel);
        using var watcher = ProcessWatcher.Start();
        var spawner = new ProcessSpawner(paths.Data);
        var supervised = new ConcurrentBag<SupervisedProcess>();
        var parts = Wire(context, programs, Supervise);
        // Everything that would make a start fail later is found before anything is written or started.
        await checks;
        if (NodeFile.At(paths).Read() != node) NodeFile.At(paths).Write(node);
        parts.Operations.Load();
        parts.Host.Load();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var daemon = new Daemon(parts, options, up);
        var service = new AgentService(parts, daemon, new DrainOperation(context, parts.Jobs), _ => StopEverythingAsync(parts, stop, cancel), stop.Token);
        // Before the sockets are open: what asks over them can wait, a quorum cannot.
        if (daemon.IsReturning)
        {
            await parts.Host.StartRecordedAsync(stop.Token);
            await parts.Host.WaitUntilListeningAsync(s_serversFirst, stop.Token);
        }

        var driverSocket = DriverSocket.Of(paths);
        await using var driver = new DriverServer(parts.Host, paths.Plugins, paths.Lifelines, driverSocket, new(ProcessSpawner.MarkerName, spawner.Marker(KeeperName)), BuildVersion.Text, time, logs);
        await using var web = BuildWeb(paths, driver, driverSocket, service);
        await web.StartAsync(stop.Token);
        driver.Start();
        try
        {
            await daemon.RunAsync(stop.Token);
            return 0;
        }
        finally
        {
            await driver.StopAsync();
            await web.StopAsync(CancellationToken.None);
            await parts.Peers.StopAsync();
            await parts.Clients.Nomad.DetachAsync();
            // Before the watcher goes: none of them may take its end for the end of a process.
            await Task.WhenAll(supervised.Select(process => process.DetachAsync()));
        }

        SupervisedProcess Supervise(string name, Func<CancellationToken, Task>? beforeRestart, Action<ProcessEvent>? onEvent)
        {
            var process = new SupervisedProcess(name, paths.Processes, spawner, watcher, time) { BeforeRestart = beforeRestart, OnEvent = onEvent };
            supervised.Add(process);
            return process;
        }
    }

    private static DaemonParts Wire(NodeContext context, NodePrograms programs, Func<string, Func<CancellationToken, Task>?, Action<ProcessEvent>?, SupervisedProcess> supervise)
    {
        var (node, paths, membership, time, logs) = context;
        var processLog = logs.CreateLogger("Nomadstack.Processes");
        NomadApi Nomad(Uri http) => new(http.GetLeftPart(UriPartial.Authority), time);
        Dictionary<string, IServerProduct> products = new() { [Role.Nomad] = new NomadServers(context, programs) };
        if (programs.Find(Role.Consul) is not null) products[Role.Consul] = new ConsulServers(context, programs);

        ServerHost? host = null;
        ServerInstance Instantiate(ServerSite site, IServerProduct product) => new(site, product, supervise(site.ProcessName, null, e =>
        {
            LogEvent(e);
            if (!site.Bootstrap && e.Kind is ProcessEventKind.Exited or ProcessEventKind.Started) host?.Tell(site.Role, e.Message);
        }), time);
        host = new ServerHost(node, paths, membership, products, Instantiate, time, logs.CreateLogger<ServerHost>());

        var operations = new OperationLog(paths, time);
        var temporary = new BootstrapServers(context, products, Instantiate);
        var jobs = new ServerJobs(context, Nomad);
        var gate = new Gatekeeper(context, Nomad);
        var nomadClient = new NomadClientKeeper(context, before => supervise(NomadClientKeeper.ProcessName, before, LogEvent), gate, servers => ClientProcesses.Nomad(context, programs, servers), () => StalePidGuard.Protect(context, programs));
        var consulClient = new ConsulClientKeeper(context, supervise("consul-client", null, LogEvent), servers => ClientProcesses.Consul(context, programs, servers));
        var clients = new NodeClients(context, nomadClient, consulClient, Nomad);
        var keeper = new ServerKeeper(context, host, jobs, operations, products);
        var peers = new NodePeers(context, BuildVersion.Text, programs);
        var bootstrap = new BootstrapOperation(context, temporary, host, jobs, clients, peers.MintAsync);
        var status = new StatusReader(context, host, clients, operations, products, Nomad)
        {
            Version = BuildVersion.Text,
            Engine = () => new(Describe(programs.Find(Role.Nomad), ""), Describe(programs.Find(Role.Consul), programs.WithoutConsul)),
            IsReachable = peers.IsReachable,
            BootstrapPid = role => temporary.Instance(role)?.Process.Pid,
        };
        return new(context, programs, operations, host, temporary, jobs, gate, clients, keeper, bootstrap, peers, status);

        void LogEvent(ProcessEvent e) => processLog.Log(e.Kind is ProcessEventKind.Trouble or ProcessEventKind.Killed ? LogLevel.Warning : LogLevel.Information, "{Process}: {Message}", e.Name, e.Message);
        static EngineVersion Describe(ProductProgram? program, string without) =>
            program is null ? new("none", "") { Why = without } : new(program.Kind, program.Version.ToString()) { Program = program.Path, Why = program.Why };
    }

    private static async Task<NodePrograms> FindProgramsAsync(AgentOptions options, NodeContext context, CancellationToken cancel)
    {
        var (paths, membership) = (context.Paths, context.Membership);
        var bundle = await new BundleStore(paths, context.Time).UnpackAsync(Environment.ProcessPath!, cancel);
        var probe = new ProgramProbe(context.Time, new KnownPrograms(paths), product => InstalledPrograms.Folders(paths, product, bundle));
        var log = context.Logs.CreateLogger(typeof(AgentProgram));
        var download = new ProgramDownload(paths, options.FetchFrom, ReleaseKey.HashiCorp, options.Fetching ?? (_ => { }), context.Time);
        // A cluster has its programs, and its versions, already; only a new one is free to take the newest, and a rehearsal does without.
        var free = membership.Current is null && options.Join is null;
        var nomad = await FindNomadAsync(options, membership.Current?.Engine, product => LookAsync(product, null, free && options.Engine == EngineKind.Auto), probe, log, cancel);
        // A cluster that has Consul cannot run without its program; a new one can do without when none is there and none was named.
        var (consul, whence) = membership.Current?.Consul ?? options.Consul
            ? await LookAsync(EngineKind.Consul, options.ConsulProgram, free && options.Engine != EngineKind.Embedded)
            : ((ProgramFinding?)null, membership.Current is null ? "not asked for" : "this cluster was made without it");
        if (consul is ProgramFinding.Missing && membership.Current is null && options.ConsulProgram is null) consul = null;
        var programs = new NodePrograms(paths, nomad, consul is null ? null : consul.OrThrow() with { Why = whence }, () => membership.Current?.Engine) { WithoutConsul = whence };
        programs.RequireClusters();
        return programs;

        async Task<(ProgramFinding Finding, string Why)> LookAsync(string product, string? named, bool mayFetch)
        {
            var found = await probe.ProbeAsync(product, named, null, null, cancel);
            if (found is ProgramFinding.Found { Program.Path: var path }) return (found, named is null ? InstalledPrograms.Origin(paths, path) : "named");
            if (found is not ProgramFinding.Missing) return (found, "");
            var why = $"no {product} program was found";
            if (named is not null || !mayFetch) return (found, why);
            var (fetched, whyNot) = await download.TryAsync(product, cancel);
            if (fetched is null) return (found, $"{why}, and {whyNot}");
            log.LogInformation("Fetched {Product} {Version}, licence {Licence}", fetched.Product, fetched.Version, fetched.Licence);
            return (await probe.ProbeAsync(product, fetched.Path, null, null, cancel), $"fetched, {fetched.Licence}");
        }
    }

    /// <summary>What could provide Nomad here, the preferred first: a nomad program where there is one, and otherwise this program itself.</summary>
    private static async Task<IReadOnlyList<ProductProgram>> FindNomadAsync(AgentOptions options, string? ofCluster, Func<string, Task<(ProgramFinding Finding, string Why)>> look, ProgramProbe probe, ILogger log, CancellationToken cancel)
    {
        if (options.Engine == EngineKind.Embedded)
        {
            if (options.NomadProgram is not null) throw new ProblemException(new("engine/two", $"Both the embedded engine and {options.NomadProgram} were asked for.", "A node has one engine.", "Leave --engine or --nomad-program away."));
            return [await EmbeddedAsync("asked for")];
        }

        if (options.NomadProgram is { } named) return [(await probe.ProbeAsync(EngineKind.Nomad, named, null, null, cancel)).OrThrow() with { Why = "named" }];
        var (found, why) = await look(EngineKind.Nomad);
        if (options.Engine == EngineKind.Auto && found is ProgramFinding.Missing)
        {
            log.LogInformation("Nomad is provided by nomadstack's embedded engine, for development, tests and rehearsals; production wants HashiCorp's Nomad: {Why}", why);
            return [await EmbeddedAsync(why)];
        }

        var program = found.OrThrow() with { Why = why };
        if (options.Engine == EngineKind.Nomad) return [program];
        if (ofCluster == EngineKind.Embedded) log.LogInformation("This cluster was made with nomadstack's embedded engine and goes on with it, although a nomad program was found");
        // Whom it joins may have the other one.
        return options.Join is not null || ofCluster == EngineKind.Embedded ? [program, await EmbeddedAsync("this cluster was made with it")] : [program];

        async Task<ProductProgram> EmbeddedAsync(string because) => (await probe.ProbeEmbeddedAsync(cancel)).OrThrow() with { Why = because };
    }

    private static WebApplication BuildWeb(NodePaths paths, DriverServer driver, string driverSocket, AgentService service)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        // The agent handles signals itself.
        builder.Services.AddSingleton<IHostLifetime, PeerHost.NoLifetime>();
        builder.Services.AddRoutingCore().RestrictUnixSockets();
        driver.AddServices(builder.Services);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ListenAgentSocket(paths.AgentSocket);
            DriverServer.Configure(kestrel, driverSocket);
        });
        var web = builder.Build();
        driver.Map(web);
        web.UseRouting();
        AgentApi.Map(web, service);
        web.UseEndpoints(_ => { });
        return web;
    }

    /// <summary>
    /// Clients first, servers last: nothing asks for what is gone already. A Nomad client leaves its tasks running, with whatever runs and logs them;
    /// a node that is stopped has none. Then the agent itself ends.
    /// </summary>
    private static async Task StopEverythingAsync(DaemonParts parts, CancellationTokenSource stop, CancellationToken cancel)
    {
        await parts.Clients.StopAsync(cancel);
        foreach (var name in new[] { NomadClientKeeper.ProcessName, KeeperName }) await MarkedProcesses.EndAsync(parts.Context.Paths.Data, name, s_taskGrace, parts.Context.Time, cancel);
        await parts.Host.StopAllAsync(cancel);
        foreach (var role in Role.All)
        {
            if (parts.Temporary.Instance(role) is { } temporary) await temporary.StopAsync(cancel);
        }

        await stop.CancelAsync();
    }
}
