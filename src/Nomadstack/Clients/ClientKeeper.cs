// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.ColdBoot;
using Nomadstack.Processes;
using Nomadstack.Products;

namespace Nomadstack.Clients;

/// <summary>
/// Keeps this node's client of one product running. A client that would obey a server without data never starts before the gate is open (I4), neither at
/// a cold boot nor after a crash. A client that already runs is adopted as it is.
/// </summary>
internal sealed class ClientKeeper : IDisposable
{
    private static readonly TimeSpan s_stopDeadline = TimeSpan.FromSeconds(20), s_startDeadline = TimeSpan.FromSeconds(30), s_poll = TimeSpan.FromMilliseconds(100);

    private readonly NodeContext _context;
    private readonly IProduct _product;
    private readonly IOwnedProcess _process;
    private readonly Gatekeeper? _gate;
    private readonly ILogger _log;
    private CancellationTokenSource _stop = new();
    private Task? _starting;

    /// <param name="supervise">Makes the process. Its argument is awaited before each unrequested restart.</param>
    /// <param name="gate">Null for a client that needs no gate.</param>
    public ClientKeeper(NodeContext context, IProduct product, Func<string, Func<CancellationToken, Task>, IOwnedProcess> supervise, Gatekeeper? gate)
    {
        (_context, _product, _gate) = (context, product, gate);
        _log = context.Logs.CreateLogger<ClientKeeper>();
        _process = supervise(ProcessName, PassGateAsync);
    }

    /// <summary>Whether the running client takes SIGHUP as the request to read its files again.</summary>
    internal Func<CancellationToken, Task<bool>> TakesReload { private get => field ?? (cancel => Listening.TakesReloadAsync(_context.Node.Address, _context.Node.Ports[_product.Row.Port(ProductPort.Client, ProductPort.Http)], _context.Time, cancel)); init; }

    /// <summary>The client's process, and the marker that its tasks inherit.</summary>
    public string ProcessName => ProcessNameOf(_product.Row);

    public Product Product => _product.Row;

    public bool Runs => Pid is not null;

    public int? Pid => _process.Pid;

    /// <summary>Whether the client was away when gossip keys were replaced.</summary>
    public bool HasOldGossipKey => _product.HasOldGossipKey(null);

    /// <summary>What the client waits for before it starts; empty once it runs.</summary>
    public string WaitsFor { get; private set; } = "";

    public static string ProcessNameOf(Product product) => product.Name + "-client";

    /// <summary>Begins to keep the client running. Repeatable: the next call repeats a failed start.</summary>
    public Task EnableAsync()
    {
        if (_starting is null or { IsFaulted: true }) _starting = StartAsync(_stop.Token);
        return _starting;
    }

    /// <summary>Stops the client without a leave: the node comes back under the same name. Its tasks go on, as always in Nomad.</summary>
    public async Task StopAsync(CancellationToken cancel)
    {
        await GiveUpStartingAsync();
        (_stop, _starting) = (new CancellationTokenSource(), null);
        await _process.StopAsync(Signals.SIGTERM, s_stopDeadline, cancel);
    }

    /// <summary>Makes the running client read its configuration again and register anew. False if it is not ready for that: then nothing was done.</summary>
    public async Task<bool> ReloadAsync(CancellationToken cancel)
    {
        if (!Runs || !await TakesReload(cancel) || !Runs) return false;
        _process.Signal(Signals.SIGHUP);
        return true;
    }

    /// <summary>Stops the client and starts it through the gate; its tasks run on. A start that fails is repeated as any other. Returns when the client answers: then another node's may go.</summary>
    public async Task RestartAsync(CancellationToken cancel)
    {
        await StopAsync(cancel);
        await EnableAsync();
        var started = _context.Time.GetTimestamp();
        while (Runs && !await TakesReload(cancel) && _context.Time.GetElapsedTime(started) < s_startDeadline) await Task.Delay(s_poll, _context.Time, cancel);
    }

    /// <summary>Ends the keeping; the client stays as it is for the next agent to adopt.</summary>
    public async Task DetachAsync()
    {
        await GiveUpStartingAsync();
        await _process.DetachAsync();
    }

    public void Dispose() => _stop.Dispose();

    /// <summary>Writes the configuration again with the present servers, for the next start.</summary>
    public void Refresh()
    {
        var servers = Servers();
        if (servers.Count > 0) _process.Renew(_product.PrepareClient(servers));
    }

    private async Task StartAsync(CancellationToken cancel)
    {
        if ((await _process.OpenAsync(cancel)).Running is not null)
        {
            Refresh();
            return;
        }

        var spec = await PassAsync(cancel);
        await Fault.AroundAsync($"start-{ProcessName}", () => _process.StartAsync(spec, cancel));
    }

    private async Task PassGateAsync(CancellationToken cancel) => _process.Renew(await PassAsync(cancel));

    private async Task<ProcessSpec> PassAsync(CancellationToken cancel)
    {
        IReadOnlyList<string> servers = Servers();
        if (_gate is not null)
        {
            var open = await _gate.WaitAsync(reason => WaitsFor = reason, cancel);
            servers = open.Servers;
            if (open.Forgotten) _log.LogWarning("The cluster collected this node while it was away. The {Product} client registers again, and tasks that still run here are stopped", _product.Row.Title);
            _log.LogInformation("The gate is open: the {Product} client starts with servers {Servers}", _product.Row.Title, string.Join(", ", servers));
        }

        WaitsFor = "";
        _product.BeforeClientStart();
        return _product.PrepareClient(servers);
    }

    /// <summary>
    /// The servers that stay. A client without a gate may start before any server is recorded. It gets the address of this node's future server and retries until that answers.
    /// </summary>
    private List<string> Servers()
    {
        var known = KnownServer.Of(_context.Membership.Current, _product.Row.Name).Where(s => _gate is null ? !s.IsBootstrap : s.IsClaimed).Select(s => s.At(_product.ClientFinds)).ToList();
        return known.Count > 0 || _gate is not null ? known : [HostPort.Join(_context.Node.Address, _context.Node.Ports.Of(_product.Row, ProductPort.Server, _product.ClientFinds))];
    }

    private async Task GiveUpStartingAsync()
    {
        await _stop.CancelAsync();
        if (_starting is null) return;
        // Only the end matters here. The caller that enabled it has shown a failure.
        await _starting.ContinueWith(_ => { }, TaskScheduler.Default);
    }
}
