// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Nomadstack.Api;
using Nomadstack.Bootstrap;
using Nomadstack.Clients;
using Nomadstack.Cluster;
using Nomadstack.ColdBoot;
using Nomadstack.Drills;
using Nomadstack.Driver;
using Nomadstack.Health;
using Nomadstack.Life;
using Nomadstack.Operations;
using Nomadstack.Peers;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Recovery;
using Nomadstack.Servers;
using Nomadstack.Snapshots;
using Nomadstack.Snapshots.Targets;
using Nomadstack.Storage;
using Nomadstack.Timeline;

namespace Nomadstack.Node;

/// <summary>Wires the daemon, runs it and stops it: sockets, parts, order of start and stop. Makes no decisions.</summary>
internal static class AgentProgram
{
    /// <summary>A server listens after half a second. If it does not, a busy CPU is not the reason.</summary>
    private static readonly TimeSpan s_serversFirst = TimeSpan.FromSeconds(1);

    private const string KeeperName = "log-keeper";

    /// <summary>For what stands around tasks that have ended, which is about to end by itself.</summary>
    private static readonly TimeSpan s_leftoverGrace = TimeSpan.FromSeconds(5);

    /// <summary>Without a leader there is no answer at all, and everybody waits to see the end.</summary>
    private static readonly TimeSpan s_askHowTasksEnd = TimeSpan.FromSeconds(3);

    /// <summary>
    /// Runs the agent until it is told to stop: by <paramref name="cancel"/>, which leaves its processes running,
    /// or over its API, which stops them first. Returns the exit code.
    /// </summary>
    public static async Task<int> RunAsync(AgentOptions options, bool up, CancellationToken cancel)
    {
        var time = TimeProvider.System;
        var paths = new NodePaths(options.DataDir);
        Folders.Create(paths, ProductTable.Known);
        using var owner = DataFolderLock.Take(paths.Data);
        // Before anything is written: at a boot with a full disk the reserve is what the servers start on.
        var disk = DiskKeeper.Of(paths, options, time);
        disk.Look(mayTake: false);
        using var logs = new LoggerFactory([new AgentLog(paths, toStandardError: !up, time) { IsSparing = () => disk.IsShort }], new LoggerFilterOptions { MinLevel = LogLevel.Information, Rules = { new(null, "Microsoft", LogLevel.Warning, null) } });
        disk.Log = logs.CreateLogger<DiskKeeper>();
        var waited = "";
        await AddressWait.ForRecordedAsync(paths, options.Bind, Patience, Waiting, time, cancel);
        var node = NodeIdentity.ReadOrMint(paths, options, alone: up);
        var timeline = new Journal(paths.Timeline, node.Name, ProcFs.BootId, time, what => logs.CreateLogger<Journal>().LogWarning("{What}", what));
        var events = new AgentEvents(timeline, ProductTable.Known, time);
        disk.Timeline = timeline;
        var membership = new Membership(paths, node, time);
        membership.Load();
        var context = new NodeContext(node, paths, membership, ProductTable.Known, time, logs) { Timeline = timeline };
        var (programs, offering) = await new ProgramChoice(options, context).MakeAsync(cancel);
        using var offers = offering;
        // Beside the wiring, for at a cold boot every tenth of a second before a server starts is one without a quorum.
        var checks = Task.Run(() => Checks.BeforeStart(node, paths, time, membership.Current is null ? context.Table.Stack.Where(p => programs.Find(p) is not null) : context.Products, bootstrap: membership.Current is null && options.Join is null, member: membership.Current is not null), cancel);
        using var watcher = ProcessWatcher.Start();
        var spawner = new ProcessSpawner(paths.Data);
        var supervised = new ConcurrentBag<SupervisedProcess>();
        var parts = Wire(context, programs, offers, disk, events, Supervise);
        // Everything that would make the start fail later is checked before anything is written or started.
        await checks;
        events.Started(ProcFs.BootId, BuildVersion.Text);
        var former = NodeFile.At(paths).Read();
        events.Addressed(former?.Address ?? node.Address, node.Address, waited);
        if (former != node)
        {
            // Before the address that its peers know is gone from the disk.
            if (former is not null) ServerHost.RememberAddresses(paths, former, context.Table);
            NodeFile.At(paths).Write(node);
        }

        parts.Operations.Load();
        parts.Host.Load();
        if (membership.Self is { Removed: true })
        {
            await LeaveNothingAsync(parts, options, cancel);
            if (options.Join is null) throw new ProblemException(NodeProblems.Removed(node.Name));
        }

        await using var life = new Lifetime(time, logs.CreateLogger<Lifetime>(), cancel);
        const string Open = "Whoever reaches {Address} over the network can run programs on this machine: the cluster was made without access control. Let only its own nodes reach it.";
        if (membership.Current is not null && !context.Trust.IsSecure && !IPAddress.IsLoopback(IPAddress.Parse(node.Address))) logs.CreateLogger<Daemon>().LogWarning(Open, node.Address);
        var stop = new StopRequest();
        using var daemon = new Daemon(parts, options, up);
        var service = new AgentService(parts, daemon, stop, life);
        DriverServer? driver = null;
        WebApplication? web = null;
        try
        {
            // Before the sockets are made: what asks over them can wait, a quorum cannot.
            if (daemon.IsReturning)
            {
                await parts.Host.StartRecordedAsync(life.Ending);
                await parts.Host.WaitUntilListeningAsync(s_serversFirst, life.Ending);
            }

            var driverSocket = DriverSocket.Of(paths);
            driver = new DriverServer(parts.Host, paths.Plugins, paths.Lifelines, driverSocket, new(ProcessSpawner.MarkerName, spawner.Marker(KeeperName)), BuildVersion.Text, time, logs);
            web = BuildWeb(paths, driver, driverSocket, service, logs);
            await web.StartAsync(life.Ending);
            driver.Start();
            await daemon.RunAsync(life, stop.Asked);
            return 0;
        }
        finally
        {
            // First everything that could start a process, then the processes.
            await life.EndAsync();
            // The agent of `up` leaves nothing behind, and a second signal may come before the request to stop that the first one led to.
            if (up && cancel.IsCancellationRequested) stop.Demand();
            await stop.CarryOutAsync(() => StopProcessesAsync(parts, options, cancel));
            if (membership.Self is { Removed: true }) await LeaveNothingAsync(parts, options, cancel);
            if (driver is not null) await driver.StopAsync();
            if (web is not null) await web.StopAsync(CancellationToken.None);
            await parts.Peers.StopAsync();
            await parts.Clients.DetachAsync();
            // Before the watcher ends: its end must not look like the end of a process.
            await Task.WhenAll(supervised.Select(process => process.DetachAsync()));
            events.Stopped(stop.Asked.IsCompleted);
            if (web is not null) await web.DisposeAsync();
            if (driver is not null) await driver.DisposeAsync();
        }

        TimeSpan Patience() => !ProductTable.Known.Stack.Any(p => ServerRecord.At(paths.Server(p.Name)).Exists) ? AddressWait.Patience
            : Membership.OnDisk(paths)?.Nodes.Values.Count(n => !n.Removed) > 1 ? AddressWait.ServersPatience : AddressWait.LonePatience;

        void Waiting(string what)
        {
            options.Waiting?.Invoke(what);
            owner.Tell(what);
            if (what.Length > 0) waited = what;
            if (what.Length > 0) logs.CreateLogger<Daemon>().LogWarning("{What}", what);
        }

        SupervisedProcess Supervise(string name, Func<CancellationToken, Task>? beforeRestart, Action<ProcessEvent>? onEvent)
        {
            var process = new SupervisedProcess(name, paths.Processes, spawner, watcher, time) { BeforeRestart = beforeRestart, OnEvent = onEvent };
            supervised.Add(process);
            return process;
        }
    }

    private static DaemonParts Wire(NodeContext context, NodePrograms programs, ProgramOffers offers, DiskKeeper disk, AgentEvents events, Func<string, Func<CancellationToken, Task>?, Action<ProcessEvent>?, SupervisedProcess> supervise)
    {
        var (node, paths, membership, table, time, logs) = context;
        var processLog = logs.CreateLogger("Nomadstack.Processes");
        var code = ProductCode.All(context, programs);
        var scheduler = (ISchedulerProduct)code[table.Scheduler.Name];

        ServerHost? host = null;
        ServerInstance Instantiate(ServerSite site, IProduct product) => new(site, product, context.Endpoints, supervise(site.ProcessName, null, e =>
        {
            LogEvent(e);
            if (!site.Bootstrap && e.Kind is ProcessEventKind.Exited or ProcessEventKind.Started) host?.Tell(site.Role, e.Message);
        }), time);
        host = new ServerHost(node, paths, membership, code, Instantiate, time, logs.CreateLogger<ServerHost>(), context.Timeline);

        var operations = new OperationLog(paths, time, context.Timeline);
        var temporary = new BootstrapServers(context, code, Instantiate);
        var jobs = new ServerJobs(context, scheduler);
        var gate = new Gatekeeper(context, scheduler);
        var clients = new NodeClients(context, scheduler, code, [.. table.Stack.Where(p => p.HasClient).Select(p => new ClientKeeper(context, code[p.Name], (name, before) => supervise(name, before, LogEvent), p.FencesClient ? gate : null))]);
        var jobKeeper = new JobKeeper(context, jobs, operations);
        IReadOnlyList<ServerKeeper> keepers = [.. table.Stack.Select(p => new ServerKeeper(context, code[p.Name], host, jobs, jobKeeper, operations))];
        Func<CancellationToken, Task<bool>> leadsHere = cancel => host.LeadsAsync(scheduler.Row.Name, cancel);
        var history = new HistoryKeeper(context, scheduler, gate, jobs.AnyServerAsync, () => clients.Scheduler.Runs, leadsHere);
        var peers = new NodePeers(context, BuildVersion.Text, programs) { Disk = () => disk.Now };
        var status = new StatusReader(context, host, clients, operations, programs, scheduler, code)
        {
            Version = BuildVersion.Text,
            IsReachable = peers.IsReachable,
            WhySilent = peers.WhySilent,
            Clock = () => peers.Clocks?.InWords() ?? "",
            DiskOf = id => id == node.Id ? disk.Now : peers.DiskOf(id),
            BootstrapPid = role => temporary.Instance(role)?.Process.Pid,
        };
        var throwAway = new ThrowAwayServers(context, code, name => supervise(name, null, LogEvent));
        var (store, keys) = (new SnapshotStore(paths), new SnapshotKey(context));
        var proof = new SnapshotProof(context, store, throwAway);
        var taker = new SnapshotTaker(context, code, store, keys, proof, BuildVersion.Text, product => programs.Find(product)?.Kind ?? EngineKind.None);
        var copies = new SnapshotCopies(context, store, () => peers.Calls, peers.IsReachable);
        var snapshots = new SnapshotKeeper(context, store, taker, copies, leadsHere, () => disk.Now);
        var export = new SnapshotExport(context, store, leadsHere);
        var restore = new RestoreOperation(context, code, store, taker, proof, keys, scheduler, jobs.AnyServerAsync, AfterRestore, product => programs.Find(product)?.Version.ToString());
        peers.Snapshots = copies;
        var addresses = new Readdressing(context, host, peers.SurveyAsync);
        status.WaitsForAddresses = addresses.WaitsFor;
        status.Snapshots = () => (string.Join("; ", new[] { snapshots.InWords(), export.InWords() }.Where(words => words.Length > 0)), membership.IsClientNode ? null : new(snapshots.Newest(verified: false), snapshots.Newest(verified: true)));
        peers.Clients = new ClientDesk(context, code);
        peers.Surveys = new SurveyDesk(context, host);
        gate.ProvedElsewhere = peers.ProveAsync;
        var credentials = new CredentialKeeper(context, host, clients, peers.IsReachable);
        // Their servers are no part of what happens on this node.
        var drills = new DrillRoom(context, code, operations, name => supervise(name, null, Log), () => disk.Now);
        var bootstrap = new BootstrapOperation(context, temporary, host, jobs, clients, peers.MintAsync, status.LacksAsync, programs);
        return new(context, programs, offers, disk, code, scheduler, operations, host, temporary, jobs, gate, history, clients, new(context, clients, jobs.AnyServerAsync), credentials, new(context, code, clients, peers.AskForCredentialsAsync, credentials.RoundAsync), new(context, code, host), keepers, bootstrap, new(context, jobs), new(context, code, peers.IsReachable), new(context, code, peers.IsReachable, status.LacksAsync), new(context, host, clients, scheduler, peers.IsReachable), addresses, new(context, peers.SurveyAsync), new(context, host), snapshots, export, new(context, store, taker, proof, keys, snapshots, export, restore, BuildVersion.Text), drills, peers, status);

        (string History, string Mark) AfterRestore(string before, string name)
        {
            // This node may remember more than was in the state when the restore was asked for.
            var (noted, remembered) = (History.Parse(before), History.Parse(gate.Memory.Marks));
            var after = History.AfterRestore(noted.Last >= remembered.Last ? noted : remembered, name);
            return (after.Render(), new History([after.Marks[^1]]).Render());
        }

        void LogEvent(ProcessEvent e)
        {
            Log(e);
            events.OfProcess(e);
        }

        void Log(ProcessEvent e) =>
            processLog.Log(e.Kind is ProcessEventKind.Trouble or ProcessEventKind.Killed ? LogLevel.Warning : LogLevel.Information, "{Process}: {Message}", e.Name, e.Message);
    }

    private static WebApplication BuildWeb(NodePaths paths, DriverServer driver, string driverSocket, AgentService service, ILoggerFactory logs)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        // The agent handles signals itself.
        builder.Services.AddSingleton<IHostLifetime, PeerHost.NoLifetime>();
        builder.Services.AddRoutingCore().KeepUnixSockets(TimeProvider.System, logs);
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

    /// <summary>What a removed node does with what it had: everything ends, and the folders go to <c>retired/</c>. A server of it would be one voter more than anybody counts.</summary>
    private static async Task LeaveNothingAsync(DaemonParts parts, AgentOptions options, CancellationToken skip)
    {
        await StopProcessesAsync(parts, options, skip);
        await parts.Host.DropAllAsync(CancellationToken.None);
        parts.Clients.Retire();
    }

    /// <summary>
    /// Clients first, servers last: nothing may ask for a server that is gone. A Nomad client leaves its tasks running, with their executors and log collectors.
    /// A stopped node has no tasks: each ends as its job says, and then what stood around it.
    /// </summary>
    /// <param name="skip">Somebody does not want to wait for tasks any longer.</param>
    private static async Task StopProcessesAsync(DaemonParts parts, AgentOptions options, CancellationToken skip)
    {
        // Runs to the end even if the caller goes away: a half stopped node is worse than a running or a stopped one.
        var cancel = CancellationToken.None;
        var log = parts.Context.Logs.CreateLogger<TaskEnds>();
        var (data, time, scheduler) = (parts.Context.Paths.Data, parts.Context.Time, parts.Scheduler);
        var guessed = false;
        var tasks = new TaskEnds(scheduler.MarkOf, scheduler.IsExecutor, data, options.LongestKillTimeout, time, log, Show);
        // Asked while the client still answers, and stopped when it is gone: it would start them again.
        (var allocations, guessed) = tasks.Any() ? await AllocationsAsync(parts, log, cancel) : ([], false);
        await parts.Clients.StopAsync(cancel);
        await tasks.EndAsync(allocations, skip);
        foreach (var name in new[] { parts.Clients.Scheduler.ProcessName, KeeperName }) await MarkedProcesses.EndAsync(data, name, s_leftoverGrace, time, cancel);
        await parts.Host.StopAllAsync(cancel);
        foreach (var product in parts.Context.Table.Stack)
        {
            if (parts.Temporary.Instance(product.Name) is { } temporary) await temporary.StopAsync(cancel);
        }

        void Show(string what) => options.Waiting?.Invoke(guessed && what.Length > 0 ? $"{what}; {scheduler.Row.Title} did not say how they are stopped" : what);
    }

    /// <summary>This node's allocations as the servers know them now, or knew them last.</summary>
    private static async Task<(IReadOnlyList<NodeAllocation> Allocations, bool Guessed)> AllocationsAsync(DaemonParts parts, ILogger log, CancellationToken cancel)
    {
        var (context, scheduler) = (parts.Context, parts.Scheduler);
        var client = context.Endpoints.OfClient(scheduler.Row, context.Node);
        var id = scheduler.Client(client) is { } api && await api.NodeIdAsync(s_askHowTasksEnd, cancel) is { Length: > 0 } told ? told : parts.Gate.Memory.NodeId;
        if (id.Length > 0 && (await scheduler.Scheduler(client).AllocationsOnAsync(id, s_askHowTasksEnd, cancel)).Try(out var all)) return (all, false);
        const string Unknown = "{Product} does not say how its tasks are stopped: they are stopped as was known last, and those of which nothing is known with SIGTERM and 5 s";
        log.LogWarning(Unknown, scheduler.Row.Title);
        return (parts.History.Known, true);
    }
}
