// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;

namespace Nomadstack.Snapshots.Targets;

/// <summary>
/// Puts each verified snapshot in a place outside the cluster, from the node that has the scheduler's leader, and deletes there what need not be kept. Beside the taking of snapshots: a slow
/// place delays none.
/// </summary>
internal sealed class SnapshotExport(NodeContext context, SnapshotStore store, Func<CancellationToken, Task<bool>> leadsHere)
{
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(15), s_again = TimeSpan.FromMinutes(2);

    private readonly ILogger _log = context.Logs.CreateLogger<SnapshotExport>();
    private (string Target, string Name)? _done;
    private (string Target, DateTimeOffset Since, Problem? Why)? _behind;

    public async Task RoundAndWaitAsync(CancellationToken cancel)
    {
        var failed = await RoundAsync(cancel) is { Why: not null };
        await Task.Delay(failed ? s_again : s_look, context.Time, cancel);
    }

    /// <summary>What is wrong with the copies, as this node knows it; empty if nothing is.</summary>
    public string InWords()
    {
        if (_behind is not { } behind || context.Time.GetUtcNow() - behind.Since is var since && since < SnapshotPolicy.Patience) return "";
        return string.Create(CultureInfo.InvariantCulture, $"no copy of a snapshot has come to {behind.Target} for {(int)since.TotalHours} hours{(behind.Why is { } why ? $": {why.Why.TrimEnd('.')}" : "")}");
    }

    /// <summary>Opens the place that a setting names, with the credentials that the cluster has for it.</summary>
    /// <exception cref="ProblemException"><c>snapshot/bad-target</c>, <c>snapshot/bad-credentials</c>.</exception>
    public ISnapshotTarget Open(string target, string? credentials = null) => TargetAddress.Parse(target) switch
    {
        TargetAddress.Bucket bucket => new S3Target(bucket, (credentials ?? context.Trust.Open(SecretNames.SnapshotCredentials)) is { Length: > 0 } given ? BucketKeys.Parse(given) : null),
        TargetAddress.Folder folder => new FolderTarget(folder.Path),
        _ => throw new InvalidOperationException(target),
    };

    /// <summary>Sees whether copies could go there, and remembers the credentials for it.</summary>
    /// <exception cref="ProblemException"><c>snapshot/*</c>, <c>secrets/*</c>.</exception>
    public async Task TryAsync(string target, string? credentials, CancellationToken cancel)
    {
        var opened = Open(target, credentials);
        using (opened as IDisposable) await opened.ListAsync(cancel);
        if (credentials is not null) context.Trust.Secrets.Put(SecretNames.SnapshotCredentials, Encoding.UTF8.GetBytes(credentials));
    }

    /// <returns>What is behind; null if nothing is, or it is not this node's turn.</returns>
    public async Task<(string Target, DateTimeOffset Since, Problem? Why)?> RoundAsync(CancellationToken cancel)
    {
        if (SnapshotPolicy.Of(context.Membership.Settings).Target is not { } target || !await leadsHere(cancel)) return _behind = null;
        if (_behind?.Target != target) _behind = (target, context.Time.GetUtcNow(), null);
        if (store.All.FirstOrDefault(r => r.VerifiedAt is not null) is not { } newest) return _behind;
        if (_done == (target, newest.Name)) return _behind = (target, context.Time.GetUtcNow(), null);
        try
        {
            await CopyAsync(Open(target), newest, cancel);
            _done = (target, newest.Name);
            _behind = (target, context.Time.GetUtcNow(), null);
        }
        catch (ProblemException e)
        {
            if (_behind?.Why?.Why != e.Problem.Why) _log.LogError("{Problem}", e.Problem);
            _behind = (target, _behind!.Value.Since, e.Problem);
        }

        return _behind;
    }

    private async Task CopyAsync(ISnapshotTarget target, SnapshotRecord newest, CancellationToken cancel)
    {
        using (target as IDisposable)
        {
            var there = await target.ListAsync(cancel);
            if (!there.Any(c => c.Name == newest.Name && c.Size == newest.Size))
            {
                await Fault.AroundAsync("export-snapshot", () => target.PutAsync(store.PathOf(newest.Name), newest, cancel));
                _log.LogInformation("Snapshot {Name} was copied", newest.Name);
            }

            // Only after a copy that reads the same, and only what this cluster has put there.
            var ours = there.Select(c => SnapshotStore.TakenAt(c.Name, newest.Manifest.ClusterId) is { } taken ? new KeptSnapshot(c.Name, taken, Verified: true) : null).OfType<KeptSnapshot>();
            foreach (var old in Retention.ToDelete([.. ours.Where(c => c.Name != newest.Name), newest.ToKept()], SnapshotPolicy.Of(context.Membership.Settings), context.Time.GetUtcNow())) await target.DeleteAsync(old, cancel);
        }
    }
}
