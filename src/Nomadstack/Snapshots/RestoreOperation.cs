// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using Nomadstack.Archives;
using Nomadstack.Cluster;
using Nomadstack.Operations;
using Nomadstack.Peers;
using Nomadstack.Products;

namespace Nomadstack.Snapshots;

/// <summary>
/// <c>nomadstack snapshot restore</c>: puts a snapshot's state into the cluster that runs. The present state is saved first. An agent that was killed in the middle restores
/// again: what was written
/// in between is lost with the rest.
/// </summary>
/// <param name="anyServer">A server of the scheduler that knows a leader; null if there is none.</param>
/// <param name="historyAfter">The cluster's history as text after a restore: before it, and the restore's mark.</param>
internal sealed class RestoreOperation(
    NodeContext context, IReadOnlyDictionary<string, IProduct> products, SnapshotStore store, SnapshotTaker taker, SnapshotProof proof, SnapshotKey keys, ISchedulerProduct scheduler,
    Func<CancellationToken, Task<IScheduler?>> anyServer, Func<string, string, (string History, string Mark)> historyAfter, Func<Product, string?> versionOf)
{
    public const string Kind = "snapshot-restore";

    private const string PathKey = "path", GhostsKey = "ghosts", HistoryKey = "history";

    private static readonly TimeSpan s_call = TimeSpan.FromSeconds(10), s_restore = TimeSpan.FromMinutes(10);

    /// <summary>What a restore would do. Changes nothing.</summary>
    /// <exception cref="ProblemException"><c>archive/*</c>, <c>snapshot/*</c>: it is impossible.</exception>
    public async Task<(ArchiveReader Archive, IReadOnlyList<ListedJob> Stopped, IReadOnlyList<ListedJob> Ghosts)> PlanAsync(string path, CancellationToken cancel)
    {
        var archive = await OpenAsync(path, cancel);
        var now = await JobsAsync(await LeaderAsync(cancel), cancel);
        var then = await proof.LookAsync(archive, scheduler.Row, (endpoint, _) => JobsAsync(scheduler.Scheduler(endpoint), cancel), cancel);
        var (stopped, ghosts) = RestoreDecision.Compare(now, then);
        return (archive, stopped, ghosts);
    }

    /// <summary>What is to be kept of the request through a crash.</summary>
    /// <exception cref="ProblemException"><c>archive/*</c>, <c>snapshot/*</c>.</exception>
    public async Task<IReadOnlyDictionary<string, string>> OrderAsync(string path, CancellationToken cancel)
    {
        var (_, _, ghosts) = await PlanAsync(path, cancel);
        var note = await (await LeaderAsync(cancel)).ReadNoteAsync(s_call, cancel);
        return new Dictionary<string, string>
        {
            [PathKey] = path,
            [GhostsKey] = string.Join('\n', ghosts.Select(g => $"{g.Namespace}/{g.Id}")),
            [HistoryKey] = note.OrThrow("snapshot/no-leader", "The restore has not begun.", "See `nomadstack status`, and try again when there is a leader.").Text,
        };
    }

    public Task FollowAsync(OperationRun run, CancellationToken cancel) => new Following(this, run).RunAsync(run, cancel);

    private async Task<ArchiveReader> OpenAsync(string path, CancellationToken cancel)
    {
        var archive = await ArchiveReader.OpenAsync(path, keys.Find() ?? throw new ProblemException(SnapshotProblems.NoKey()), cancel);
        archive.RequireCluster(context.Membership.Current!.ClusterId);
        archive.RequireVersions(name => context.Table.Find(name) is { } product ? versionOf(product) : null);
        return archive;
    }

    private async Task<IScheduler> LeaderAsync(CancellationToken cancel) => await anyServer(cancel) ?? throw new ProblemException(SnapshotProblems.NotRestored(scheduler.Row, "no server knows a leader"));

    private async Task<IReadOnlyList<ListedJob>> JobsAsync(IScheduler api, CancellationToken cancel) =>
        (await api.JobsAsync(s_call, cancel)).OrThrow("snapshot/no-leader", $"{scheduler.Row.Title} did not list its jobs.", "See `nomadstack status`, and try again when there is a leader.");

    private sealed class Following(RestoreOperation owner, OperationRun run) : Flow<RestoreFacts, RestoreStep>(owner.Context.Time, owner.Context.Logs.CreateLogger<RestoreOperation>())
    {
        /// <summary>As the marks of the history's keeper: four hexadecimal digits.</summary>
        private readonly string _name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(run.Current.Id)).AsSpan(0, 2));

        private readonly HashSet<string> _restored = [];

        protected override TimeSpan Poll { get; } = TimeSpan.FromMilliseconds(250);

        // A cluster of which a part is restored is not left like that.
        protected override bool IsPastTheCommitPoint => _restored.Count > 0;

        protected override Problem Undone => SnapshotProblems.NotRestored(owner.Scheduler.Row, "the restore failed before it changed anything");

        private IEnumerable<ListedJob> Ordered => run.Request.GetValueOrDefault(GhostsKey, "").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(g => g.Split('/', 2)).Select(g => new ListedJob(g[0], g[1], false, 0));

        protected override async Task<RestoreFacts> ObserveAsync(Action<string> say, CancellationToken cancel)
        {
            var api = await owner.AnyServer(cancel);
            var marked = api is not null && (await api.ReadNoteAsync(s_call, cancel)).Try(out var note) && note.Text.EndsWith(':' + _name, StringComparison.Ordinal) is var last && (last || note.Text.Contains($":{_name},", StringComparison.Ordinal));
            IReadOnlyList<ListedJob>? ghosts = null;
            if (marked && (await api!.JobsAsync(s_call, cancel)).Try(out var jobs)) ghosts = [.. jobs.Where(j => !j.Stop && Ordered.Any(o => (o.Namespace, o.Id) == (j.Namespace, j.Id)))];
            var present = owner.Store.All.Any(r => r.Manifest.TakenAt >= run.Current.StartedAt);
            return new(present, [.. owner.Context.Products.Select(p => p.Name).Where(n => !_restored.Contains(n))], marked, ghosts);
        }

        protected override Next<RestoreStep> Decide(RestoreFacts facts) => RestoreDecision.Next(facts);

        protected override Task ActAsync(RestoreStep step, OperationRun operation, CancellationToken cancel) => step.Verb == RestoreVerb.AwaitLeader
            ? Task.CompletedTask
            : Fault.AroundAsync($"restore-{step.Verb}{(step.Product.Length > 0 ? "-" : "")}{step.Product}".ToLowerInvariant(), () => DoAsync(step, operation, cancel));

        private async Task DoAsync(RestoreStep step, OperationRun operation, CancellationToken cancel)
        {
            switch (step.Verb)
            {
                case RestoreVerb.SavePresent:
                    await owner.Taker.TakeAsync(operation.WaitFor, cancel);
                    break;
                case RestoreVerb.Restore:
                    await RestoreAsync(owner.Context.Table[step.Product], cancel);
                    _restored.Add(step.Product);
                    break;
                case RestoreVerb.Mark:
                    await MarkAsync(cancel);
                    break;
                default:
                    var api = await owner.LeaderAsync(cancel);
                    foreach (var ghost in Ordered) await api.StopJobAsync(ghost, s_call, cancel);
                    break;
            }
        }

        private async Task RestoreAsync(Product product, CancellationToken cancel)
        {
            var archive = await owner.OpenAsync(run.Request[PathKey], cancel);
            if (archive.Manifest.Products.All(p => p.Name != product.Name)) return;
            var complaint = "no server is recorded";
            foreach (var server in KnownServer.Of(owner.Context.Membership.Current, product.Name).OrderByDescending(s => s.NodeId == owner.Context.Node.Id))
            {
                await using var from = await archive.OpenSnapshotAsync(product.Name, cancel);
                var answer = await owner.Products[product.Name].Server(owner.Context.Endpoints.Of(product, server)).RestoreSnapshotAsync(from, s_restore, cancel);
                if (answer.IsOk) return;
                complaint = answer.Complaint;
            }

            throw new ProblemException(SnapshotProblems.NotRestored(product, complaint));
        }

        /// <summary>The setting first: a node that reads the new history with it knows that the restore was wanted.</summary>
        private async Task MarkAsync(CancellationToken cancel)
        {
            var (history, mark) = owner.HistoryAfter(run.Request.GetValueOrDefault(HistoryKey, ""), _name);
            owner.Context.Membership.Set(SettingNames.Restored, mark);
            var api = await owner.LeaderAsync(cancel);
            var note = (await api.ReadNoteAsync(s_call, cancel)).OrThrow("snapshot/no-leader", "The restore is not in the cluster's history yet.", "It goes on by itself when there is a leader.");
            var written = await api.WriteNoteAsync(note with { Text = history }, s_call, cancel);
            if (written is not JobRegistration.Registered) throw new ProblemException(SnapshotProblems.NotRestored(owner.Scheduler.Row, "the history was not written"));
        }
    }

    private NodeContext Context => context;

    private IReadOnlyDictionary<string, IProduct> Products => products;

    private SnapshotStore Store => store;

    private SnapshotTaker Taker => taker;

    private ISchedulerProduct Scheduler => scheduler;

    private Func<CancellationToken, Task<IScheduler?>> AnyServer => anyServer;

    private Func<string, string, (string History, string Mark)> HistoryAfter => historyAfter;
}
