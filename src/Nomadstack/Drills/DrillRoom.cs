// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Operations;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Storage;

namespace Nomadstack.Drills;

/// <summary>Where drills take place: one at a time, in a folder of their own. Whatever ends one, nothing of it stays; what a killed agent left is removed by the next.</summary>
/// <param name="supervise">Makes the process of a name.</param>
/// <param name="disk">This node's disk; null where it does not tell.</param>
internal sealed class DrillRoom(
    NodeContext context, IReadOnlyDictionary<string, IProduct> products, OperationLog operations, Func<string, IOwnedProcess> supervise, Func<DiskSpace?> disk)
{
    public const string Kind = "drill", PowerCut = "power-cut", LostQuorum = "lost-quorum", Restore = "restore";

    public static readonly string[] All = [PowerCut, LostQuorum, Restore];

    /// <summary>As most clusters have.</summary>
    private const int Servers = 3;

    private static readonly TimeSpan s_snapshot = TimeSpan.FromMinutes(10), s_stop = TimeSpan.FromSeconds(5);

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly ConcurrentDictionary<string, IOwnedProcess> _processes = new();
    private int _busy;

    /// <exception cref="ProblemException"><c>drill/*</c>.</exception>
    public async Task<DrillReport> RunAsync(string what, CancellationToken cancel)
    {
        if (!All.Contains(what)) throw new ProblemException(DrillProblems.Unknown(what, All));
        if (disk() is { Level: DiskLevel.Short } full) throw new ProblemException(DrillProblems.NoRoom(full.InWords()));
        if (Interlocked.Exchange(ref _busy, 1) == 1) throw new ProblemException(DrillProblems.UnderWay());
        try
        {
            await SweepAsync();
            var run = operations.Begin(Kind, new Dictionary<string, string> { ["what"] = what });
            try
            {
                List<DrilledProduct> drilled = [];
                foreach (var product in context.Products) drilled.Add(await RunAsync(what, products[product.Name], run, cancel));
                var passed = drilled.All(p => p.Counts.All(c => !c.Lost));
                run.Finish(passed ? "nothing was lost" : "something was lost");
                return new(DrillReport.CurrentSchema, what, passed, drilled);
            }
            catch (Exception e)
            {
                run.Fail(e is OperationCanceledException ? DrillProblems.Interrupted() : Trouble.Of(e));
                throw;
            }
            finally
            {
                await RemoveAsync();
            }
        }
        finally
        {
            Volatile.Write(ref _busy, 0);
        }
    }

    /// <summary>Ends and removes what an agent left that was killed in the middle of a drill.</summary>
    public async Task SettleAsync()
    {
        // A drill that has begun has done the same first.
        if (Interlocked.Exchange(ref _busy, 1) == 1) return;
        try
        {
            await SweepAsync();
        }
        finally
        {
            Volatile.Write(ref _busy, 0);
        }
    }

    private async Task SweepAsync()
    {
        await RemoveAsync();
        operations.Unfinished(Kind)?.Fail(DrillProblems.Interrupted());
    }

    private async Task<DrilledProduct> RunAsync(string what, IProduct code, OperationRun run, CancellationToken cancel)
    {
        run.Step($"{code.Row.Title}: save the cluster's state");
        var servers = new DrillServers(context, code, ProcessOf, what == Restore ? 1 : Servers);
        var snapshot = Path.Combine(context.Paths.Drill, code.Row.Name, "state.snap");
        var real = await SaveAsync(code, snapshot, cancel);
        var rehearsal = new Rehearsal(context, servers, !(code.Row.Schedules && context.Membership.Current?.Engine == EngineKind.Embedded), run.Step);
        return what switch
        {
            PowerCut => await rehearsal.PowerCutAsync(snapshot, cancel),
            LostQuorum => await rehearsal.LostQuorumAsync(snapshot, cancel),
            _ => await rehearsal.RestoreAsync(snapshot, real, cancel),
        };
    }

    /// <summary>The only calls to the real cluster: reads.</summary>
    /// <returns>What the snapshot must have.</returns>
    private async Task<StateCounts> SaveAsync(IProduct code, string snapshot, CancellationToken cancel)
    {
        var why = "No server is recorded.";
        foreach (var server in KnownServer.Of(context.Membership.Current, code.Row.Name))
        {
            var api = code.Server(context.Endpoints.Of(code.Row, server));
            var before = await api.CountAsync(s_snapshot, cancel);
            await using var file = new FileStream(snapshot, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = OwnerOnly });
            var saved = await api.SaveSnapshotAsync(file, s_snapshot, cancel);
            var after = await api.CountAsync(s_snapshot, cancel);
            if (before.Try(out var first) && saved.IsOk && after.Try(out var second)) return DrillCounts.AtLeast(first, second);
            why = !saved.IsOk ? saved.Complaint : !before.IsOk ? before.Complaint : after.Complaint;
        }

        throw new ProblemException(DrillProblems.NoState(code.Row, why));
    }

    private IOwnedProcess ProcessOf(string name) => _processes.GetOrAdd(name, supervise);

    private async Task RemoveAsync()
    {
        foreach (var name in ProcessRecord.Names(context.Paths.Processes).Where(n => n.StartsWith(DrillServers.Prefix, StringComparison.Ordinal)))
        {
            var process = ProcessOf(name);
            await process.OpenAsync(CancellationToken.None);
            // It has nothing that anybody needs.
            await process.StopAsync(Signals.SIGKILL, s_stop, CancellationToken.None);
            await process.ForgetAsync(CancellationToken.None);
        }

        if (Directory.Exists(context.Paths.Drill)) Directory.Delete(context.Paths.Drill, recursive: true);
    }
}
