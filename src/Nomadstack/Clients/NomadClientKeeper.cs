// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.ColdBoot;
using Nomadstack.Processes;
using Nomadstack.Servers;

namespace Nomadstack.Clients;

/// <summary>
/// Keeps this node's Nomad client running, and never starts one before the gate is open (I4): not at a cold boot, and not after a crash either.
/// A client that runs already is adopted as it is.
/// </summary>
internal sealed class NomadClientKeeper : IDisposable
{
    public const string ProcessName = "nomad-client";

    private static readonly TimeSpan s_stopDeadline = TimeSpan.FromSeconds(20);

    private readonly NodeContext _context;
    private readonly SupervisedProcess _process;
    private readonly Gatekeeper _gate;
    private readonly Func<IReadOnlyList<string>, ProcessSpec> _prepare;
    private readonly Action _beforeStart;
    private readonly ILogger _log;
    private CancellationTokenSource _stop = new();
    private Task? _starting;

    /// <param name="prepare">Writes the configuration with these servers and returns the process to run.</param>
    /// <param name="beforeStart">Done between the gate's opening and each start.</param>
    public NomadClientKeeper(NodeContext context, Func<Func<CancellationToken, Task>, SupervisedProcess> supervise, Gatekeeper gate, Func<IReadOnlyList<string>, ProcessSpec> prepare, Action beforeStart)
    {
        (_context, _gate, _prepare, _beforeStart) = (context, gate, prepare, beforeStart);
        _log = context.Logs.CreateLogger<NomadClientKeeper>();
        _process = supervise(PassGateAsync);
    }

    public bool Runs => Pid is not null;

    public int? Pid => _process.Pid;

    /// <summary>What the client is held back for; empty once it runs.</summary>
    public string WaitsFor { get; private set; } = "";

    /// <summary>Begins to keep the client running. Repeatable; a failed start is tried again by the next call.</summary>
    public Task EnableAsync()
    {
        if (_starting is null or { IsFaulted: true }) _starting = StartAsync(_stop.Token);
        return _starting;
    }

    /// <summary>Stops the client; its tasks go on running, as Nomad has it.</summary>
    public async Task StopAsync(CancellationToken cancel)
    {
        await GiveUpStartingAsync();
        (_stop, _starting) = (new CancellationTokenSource(), null);
        await _process.StopAsync(Signals.SIGTERM, s_stopDeadline, cancel);
    }

    /// <summary>Ends the keeping; the client stays as it is for the next agent to adopt.</summary>
    public async Task DetachAsync()
    {
        await GiveUpStartingAsync();
        await _process.DetachAsync();
    }

    public void Dispose() => _stop.Dispose();

    /// <summary>Writes the configuration anew with servers of today, for the next start.</summary>
    public void Refresh()
    {
        var servers = KnownServer.Of(_context.Membership.Current, Role.Nomad).Where(s => s.IsClaimed).Select(s => s.Rpc).ToList();
        if (servers.Count > 0) _prepare(servers);
    }

    private async Task StartAsync(CancellationToken cancel)
    {
        if ((await _process.OpenAsync(cancel)).Running is not null) return;
        var spec = await PassAsync(cancel);
        await Fault.AroundAsync("start-nomad-client", () => _process.StartAsync(spec, cancel));
    }

    private Task PassGateAsync(CancellationToken cancel) => PassAsync(cancel);

    private async Task<ProcessSpec> PassAsync(CancellationToken cancel)
    {
        var open = await _gate.WaitAsync(reason => WaitsFor = reason, cancel);
        WaitsFor = "";
        _log.LogInformation("The gate is open: the Nomad client starts with servers {Servers}", string.Join(", ", open.Servers));
        _beforeStart();
        return _prepare(open.Servers);
    }

    private async Task GiveUpStartingAsync()
    {
        await _stop.CancelAsync();
        if (_starting is null) return;
        // Only its end matters here; a failure was shown by whoever enabled it.
        await _starting.ContinueWith(_ => { }, TaskScheduler.Default);
    }
}
