// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Archives;
using Nomadstack.Cluster;
using Nomadstack.Products;
using Nomadstack.Programs;

namespace Nomadstack.Snapshots;

/// <summary>Proves that an archive can be restored: opens it with the key, restores each product's state into a throw-away server, and compares what comes out.</summary>
internal sealed class SnapshotProof(NodeContext context, SnapshotStore store, ThrowAwayServers servers)
{
    private static readonly TimeSpan s_call = TimeSpan.FromSeconds(30);

    /// <summary>Never disposed: it has no handle.</summary>
    private SemaphoreSlim One { get; } = new(1, 1);

    /// <summary>The record with its result. A proof that fails is in it, not thrown: the archive may still be all there is.</summary>
    public async Task<SnapshotRecord> ProveAsync(SnapshotRecord record, string key, Action<string> say, CancellationToken cancel)
    {
        try
        {
            if (await SnapshotStore.SumAsync(store.PathOf(record.Name), cancel) != record.Sha256) throw new ProblemException(ArchiveProblems.Corrupted(store.PathOf(record.Name), "It does not match the sum in its record."));
            await ProveAsync(await ArchiveReader.OpenAsync(store.PathOf(record.Name), key, cancel), say, cancel);
            return record with { VerifiedAt = context.Time.GetUtcNow(), Unverified = "" };
        }
        catch (Exception e) when (Trouble.IsOfTheMachine(e))
        {
            context.Logs.CreateLogger<SnapshotProof>().LogWarning("Snapshot {Name} is not verified: {Problem}", record.Name, Trouble.Of(e));
            return record with { VerifiedAt = null, Unverified = Trouble.Of(e).ToString() };
        }
    }

    /// <exception cref="ProblemException"><c>snapshot/*</c>, <c>archive/*</c>.</exception>
    public async Task ProveAsync(ArchiveReader archive, Action<string> say, CancellationToken cancel)
    {
        foreach (var saved in archive.Manifest.Products)
        {
            if (context.Table.Find(saved.Name) is not { Runs: true } product) continue;
            say($"restore {product.Title}'s state into a throw-away server");
            await LookAsync(archive, product, (_, api) => CompareAsync(product, saved, api, cancel), cancel);
        }
    }

    /// <summary>Shows a product's state as an archive has it. One at a time.</summary>
    public async Task<T> LookAsync<T>(ArchiveReader archive, Product product, Func<Ground.Http.Endpoint, IServerApi, Task<T>> look, CancellationToken cancel)
    {
        await One.WaitAsync(cancel);
        try
        {
            return await servers.LookAsync(product, c => archive.OpenSnapshotAsync(product.Name, c), look, cancel);
        }
        finally
        {
            One.Release();
        }
    }

    /// <summary>Ends what an agent that was killed left behind.</summary>
    public async Task SweepAsync(Product product, CancellationToken cancel)
    {
        await One.WaitAsync(cancel);
        try
        {
            await servers.RemoveAsync(product);
        }
        finally
        {
            One.Release();
        }
    }

    private static async Task<bool> CompareAsync(Product product, ArchivedProduct saved, IServerApi api, CancellationToken cancel)
    {
        var standing = await api.StandingAsync(cancel);
        // The embedded engine restores as one more entry at its own index, so a new server of it is below the snapshot's.
        if (saved.Engine != EngineKind.Embedded && (standing is null || standing.AppliedIndex < saved.Index)) throw new ProblemException(SnapshotProblems.OlderRestored(product, standing?.AppliedIndex ?? 0, saved.Index));
        var counted = await api.CountAsync(s_call, cancel);
        if (!counted.Try(out var found)) throw new ProblemException(SnapshotProblems.ThrowAway(product, counted.Complaint));
        foreach (var (kind, count) in saved.Counts)
        {
            if (found.Counts.GetValueOrDefault(kind) is var there && there != count) throw new ProblemException(SnapshotProblems.Differs(product, kind, there, count));
        }

        return true;
    }
}
