// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Products;
using Nomadstack.Storage;

namespace Nomadstack.Snapshots;

/// <summary>
/// On every server node: takes the cluster's snapshots while the scheduler's leader is here, gets those of others, and deletes what need not be kept. Never deletes the last
/// verified one.
/// </summary>
internal sealed class SnapshotKeeper(NodeContext context, SnapshotStore store, SnapshotTaker taker, SnapshotCopies copies, Func<CancellationToken, Task<bool>> leadsHere, Func<DiskSpace?> disk)
{
    /// <summary>Between two looks at the clock; others are asked for theirs once in four.</summary>
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(15);

    private const int LooksBetweenAsking = 4;

    private readonly ILogger _log = context.Logs.CreateLogger<SnapshotKeeper>();
    private DateTimeOffset? _tried;
    private bool _swept;
    private int _look;

    /// <summary>Why the last try of this node failed; null if it did not, or there was none.</summary>
    public Problem? Failure { get; private set; }

    private SnapshotPolicy Policy => SnapshotPolicy.Of(context.Membership.Settings);

    public async Task RoundAndWaitAsync(CancellationToken cancel)
    {
        await RoundAsync(cancel);
        await Task.Delay(s_look, context.Time, cancel);
    }

    public async Task RoundAsync(CancellationToken cancel)
    {
        if (context.Membership.IsClientNode) return;
        if (!_swept)
        {
            await taker.SweepAsync(cancel);
            _swept = true;
        }

        var space = disk();
        var facts = new SnapshotFactsNow(Policy, context.Time.GetUtcNow(), await leadsHere(cancel), Newest(verified: true), _tried, space?.Level);
        switch (SnapshotDecision.Next(facts))
        {
            case SnapshotNext.Take:
                await TakeAsync(cancel);
                break;
            case SnapshotNext.NoRoom:
                _tried = facts.Now;
                Fail(SnapshotProblems.NoRoom(space!));
                break;
        }

        if (space?.Level != DiskLevel.Short && _look++ % LooksBetweenAsking == 0) await copies.GetAsync(Wanted, cancel);
        Prune(dryRun: false);
    }

    /// <summary>Deletes what need not be kept. Returns the names.</summary>
    public IReadOnlyList<string> Prune(bool dryRun)
    {
        var old = Retention.ToDelete([.. store.All.Select(r => r.ToKept())], Policy, context.Time.GetUtcNow());
        if (dryRun) return old;
        foreach (var name in old) store.Delete(name);
        return old;
    }

    /// <summary>When the newest was taken, here or elsewhere, as far as this node has it; null for none.</summary>
    public DateTimeOffset? Newest(bool verified) => store.All.FirstOrDefault(r => !verified || r.VerifiedAt is not null)?.Manifest.TakenAt;

    /// <summary>What is wrong with the cluster's snapshots, in a few words; empty if nothing is, or nobody wants any.</summary>
    public string InWords()
    {
        if (!Policy.IsOn || context.Membership.IsClientNode || context.Membership.Current is not { } cluster) return "";
        var since = context.Time.GetUtcNow() - (Newest(verified: true) ?? cluster.CreatedAt);
        if (since < SnapshotPolicy.Patience + Policy.Every) return "";
        var why = Failure is { } failure ? $": {char.ToLowerInvariant(failure.What[0])}{failure.What[1..].TrimEnd('.')}" : "";
        return $"the last verified snapshot is {(int)since.TotalHours} hours old{why}";
    }

    /// <summary>Whether a snapshot that another node offers would be kept here.</summary>
    private bool Wanted(SnapshotRecord offered) =>
        !Retention.ToDelete([.. store.All.Select(r => r.ToKept()), offered.ToKept()], Policy, context.Time.GetUtcNow()).Contains(offered.Name);

    private async Task TakeAsync(CancellationToken cancel)
    {
        _tried = context.Time.GetUtcNow();
        try
        {
            var record = await taker.TakeAsync(_ => { }, cancel);
            if (record.VerifiedAt is null)
            {
                Failure = new("snapshot/unverified", $"Snapshot {record.Name} could not be proved.", record.Unverified, "The agent tries again by itself.");
                return;
            }

            if (Failure is not null) _log.LogInformation("Snapshots are taken again: {Name}", record.Name);
            Failure = null;
        }
        catch (Exception e) when (Trouble.IsOfTheMachine(e))
        {
            Fail(Trouble.Of(e));
        }
    }

    private void Fail(Problem problem)
    {
        if (Failure?.What != problem.What) _log.LogError("{Problem}", problem);
        Failure = problem;
    }
}
