// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Doctor;
using Nomadstack.Fetch;

namespace Nomadstack.Cli.Output;

/// <summary>What <c>up</c> shows of its own agent: each step, when and where the cluster is ready, and then every change of its state.</summary>
internal sealed class UpView(Surroundings here, AgentClient agent, ProgressWriter progress, string? dataDir, bool json)
{
    private static readonly TimeSpan s_restInterval = TimeSpan.FromSeconds(5);

    /// <summary>Where the example is in a clone of the repository.</summary>
    private const string Example = "examples/hello.nomad.hcl";

    private readonly HashSet<string> _ended = [];
    private readonly long _started = here.Time.GetTimestamp();
    private volatile FetchProgress? _fetching;
    private volatile string _waits = "";
    private string _lastState = "";
    private bool _ready, _introduced;

    /// <summary>Receives the progress of a download that the agent makes before it answers.</summary>
    public void Fetching(FetchProgress now) => _fetching = now;

    /// <summary>Takes what the agent waits for before it answers.</summary>
    public void Waiting(string what) => _waits = what;

    /// <summary>What the agent waits for, as it said itself; empty for nothing.</summary>
    public string WaitsFor => _waits;

    /// <summary>Ends with the daemon.</summary>
    /// <exception cref="ProblemException">The cluster could not be made or joined.</exception>
    public async Task ShowUntilAsync(Task daemon, CancellationToken cancel)
    {
        while (!daemon.IsCompleted)
        {
            var busy = true;
            try
            {
                var operations = await agent.OperationsAsync(cancel);
                var status = await agent.StatusAsync(cancel);
                Introduce(status.Engine);
                busy = ShowOperations(operations);
                await ShowStateAsync(status, busy, cancel);
            }
            catch (ProblemException e) when (e.Problem.Code == AgentPresence.ProblemCode)
            {
                progress.Waiting(_fetching is { } fetching ? FetchLine.Of(fetching) : _waits is { Length: > 0 } waits ? waits : "start the agent", here.Time.GetElapsedTime(_started));
            }

            await Task.WhenAny(daemon, Task.Delay(busy || !_ready ? Follower.Interval : s_restInterval, here.Time, cancel));
            cancel.ThrowIfCancellationRequested();
        }

        progress.Clear();
    }

    private void Introduce(IReadOnlyDictionary<string, EngineVersion> engine)
    {
        if (_introduced) return;
        _introduced = true;
        foreach (var (product, version) in engine) progress.Note(StatusText.Provider(product, version));
        var scheduler = engine[ProductTable.Known.Scheduler.Name];
        if (Privileges.Missing(here.User, scheduler.Kind, scheduler.Version) is { } missing) progress.Note(missing);
    }

    private bool ShowOperations(IReadOnlyList<Operation> operations)
    {
        var busy = false;
        foreach (var operation in operations)
        {
            if (_ended.Contains(operation.Id)) continue;
            // Only what happens in this run, not the history of earlier ones.
            if (operation.EndedAt is { } at && _lastState.Length == 0 && at < here.Time.GetUtcNow() - here.Time.GetElapsedTime(_started))
            {
                _ended.Add(operation.Id);
                continue;
            }

            progress.Show(operation);
            if (operation.State == Operation.Running)
            {
                busy = true;
                continue;
            }

            _ended.Add(operation.Id);
            if (operation.State == Operation.Finished) continue;
            var problem = Follower.Ended(operation);
            if (operation.Kind is "bootstrap" or "join") throw new ProblemException(problem);
            progress.Failed($"{operation.Kind} {operation.State}: {problem.What} {problem.Why} {problem.Fix}");
        }

        return busy;
    }

    private async Task ShowStateAsync(StatusDocument status, bool busy, CancellationToken cancel)
    {
        var state = status.Cluster.InWords();
        // A single node that waits for more servers is as ready as it can be alone: writes are possible and nothing is under way.
        if (!_ready && !busy && status.Cluster.State == "healthy")
        {
            var where = await agent.EndpointsAsync(cancel);
            if (await Listening.SilentAsync(here, where, cancel) is { } silent)
            {
                progress.Waiting($"wait for {silent}", here.Time.GetElapsedTime(_started));
                return;
            }

            _ready = true;
            progress.Done("ready", here.Time.GetElapsedTime(_started));
            ShowWhere(status, where);
        }
        else if (_ready && state != _lastState) progress.Note(state);
        else if (!_ready && !busy) progress.Waiting(state, here.Time.GetElapsedTime(_started));

        _lastState = state;
    }

    private void ShowWhere(StatusDocument status, Endpoints where)
    {
        if (json)
        {
            Answer.Json(here, status, ApiJson.Readable.StatusDocument);
            return;
        }

        var folder = dataDir is null ? "" : $" --data-dir {dataDir}";
        foreach (var (product, at) in where.Products.Where(p => p.Value.Address is not null)) progress.Note($"{StatusText.Title(product)} is at {at.Address}");
        if (!IPAddress.TryParse(status.Node.Address, out var address) || IPAddress.IsLoopback(address)) progress.Note($"no other machine can join, because this node's address is {status.Node.Address}; for another one, use --bind IP at the first start on a data folder");
        else if (status.Cluster.Security == "plain") progress.Failed(
            $"every machine that reaches {address} can run programs here as {here.User.Name}: the cluster was made without access control. "
            + "Open its ports only to the machines of this cluster");
        if (status.Cluster.Security != "plain") progress.Note("other tools are let in with the variables that `eval \"$(nomadstack env)\"` sets");
        foreach (var role in status.Tolerates) progress.Note(StatusText.Tolerance(role));
        progress.Note("Ctrl-C stops everything; the same command brings it back. In another terminal:");
        if (here.Alias is { } alias) progress.Command(alias);
        progress.Command($"nomadstack{folder} job run {(File.Exists(Example) ? Example : "FILE")}");
        // The embedded engine has no page worth opening.
        if (status.Engine.GetValueOrDefault(ProductTable.Known.Scheduler.Name) is { Kind: not (EngineVersion.Embedded or EngineVersion.None) }) progress.Command($"nomadstack{folder} ui");
        progress.Command($"nomadstack{folder} status");
    }
}
