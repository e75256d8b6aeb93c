// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Json;
using Nomadstack.Archives;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;

namespace Nomadstack.Snapshots;

/// <summary>Takes one snapshot of everything: the products' states, the membership, secrets and authorities, in one archive. Proves it, and then keeps it.</summary>
/// <param name="release">The version of this nomadstack.</param>
/// <param name="engineOf">What provides a product here.</param>
internal sealed class SnapshotTaker(NodeContext context, IReadOnlyDictionary<string, IProduct> products, SnapshotStore store, SnapshotKey keys, SnapshotProof proof, string release, Func<Product, string> engineOf)
{
    private static readonly TimeSpan s_call = TimeSpan.FromSeconds(30), s_save = TimeSpan.FromMinutes(10);

    /// <summary>Never disposed: it has no handle.</summary>
    private SemaphoreSlim One { get; } = new(1, 1);

    /// <summary>One at a time: the second caller waits.</summary>
    /// <param name="say">Told what is done.</param>
    /// <returns>What is kept. <see cref="SnapshotRecord.VerifiedAt"/> is null where it could not be proved.</returns>
    /// <exception cref="ProblemException"><c>snapshot/*</c>: nothing was kept.</exception>
    public async Task<SnapshotRecord> TakeAsync(Action<string> say, CancellationToken cancel)
    {
        await One.WaitAsync(cancel);
        try
        {
            return await TakeAloneAsync(say, cancel);
        }
        finally
        {
            store.End();
            One.Release();
        }
    }

    /// <summary>Deletes what an agent that was killed left behind, and nothing of a snapshot that is being taken.</summary>
    public async Task SweepAsync(CancellationToken cancel)
    {
        await One.WaitAsync(cancel);
        try
        {
            store.Sweep();
            foreach (var product in context.Products) await proof.SweepAsync(product, cancel);
        }
        finally
        {
            One.Release();
        }
    }

    private async Task<SnapshotRecord> TakeAloneAsync(Action<string> say, CancellationToken cancel)
    {
        if (context.Membership.Current is not { } cluster || context.Membership.IsClientNode) throw new ProblemException(SnapshotProblems.NotHere());
        var key = keys.FindOrMake();
        var folder = store.Begin();
        var taken = context.Time.GetUtcNow();
        List<ArchivedProduct> saved = [];
        List<ArchivePart> snapshots = [], parts = [new(ArchiveNames.HowTo, Encoding.UTF8.GetBytes(HowTo.Snapshot)), .. ClusterFiles(context)];
        foreach (var product in context.Products)
        {
            say($"save {product.Title}'s state");
            var part = new ArchivePart(ArchiveNames.Snapshot(product.Name), Path: Path.Combine(folder, product.Name));
            await Fault.AroundAsync("save-" + product.Name, async () => saved.Add(await SaveAsync(product, part, cancel)));
            snapshots.Add(part);
            var site = ServerSite.Job(product, context.Node, context.Paths, "");
            parts.AddRange(products[product.Name].KeyFiles(site).Select(f => new ArchivePart(ArchiveNames.Keys(product.Name) + Path.GetFileName(f), Path: f)));
        }

        say("write the archive");
        var name = SnapshotStore.NameOf(cluster.ClusterId, taken);
        var manifest = new ArchiveManifest { Release = release, ClusterId = cluster.ClusterId, TakenAt = taken, Node = context.Node.Name, Products = saved };
        SnapshotRecord record = null!;
        await Fault.AroundAsync("write-snapshot", async () =>
        {
            var (written, whole) = await store.WriteAsync(name, to => ArchiveWriter.WriteAsync(to, key, Stretch.OfAKey, manifest, parts, snapshots, cancel));
            record = new() { Name = name, Manifest = written, Size = whole.Size, Sha256 = whole.Sha256, KeyId = SnapshotKey.IdOf(key) };
        });
        store.End();
        record = await proof.ProveAsync(record, key, say, cancel);
        await Fault.AroundAsync("keep-snapshot", () =>
        {
            store.Keep(record);
            return Task.CompletedTask;
        });
        return record;
    }

    private async Task<ArchivedProduct> SaveAsync(Product product, ArchivePart part, CancellationToken cancel)
    {
        var code = products[product.Name];
        var complaint = "no server is recorded";
        foreach (var server in KnownServer.Of(context.Membership.Current, product.Name).OrderByDescending(s => s.NodeId == context.Node.Id))
        {
            var api = code.Server(context.Endpoints.Of(product, server));
            var before = await api.CountAsync(s_call, cancel);
            if (!before.Try(out var first))
            {
                complaint = before.Complaint;
                continue;
            }

            Answer<long> saved;
            await using (var to = new FileStream(part.Path!, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
            {
                saved = await api.SaveSnapshotAsync(to, s_save, cancel);
            }

            if (!saved.Try(out var bytes))
            {
                complaint = saved.Complaint;
                continue;
            }

            if (bytes == 0) throw new ProblemException(SnapshotProblems.Empty(product));
            var facts = Read(code, part.Path!);
            if (facts.Index < first.Index) throw new ProblemException(SnapshotProblems.Older(product, facts.Index, first.Index));
            // What moved meanwhile cannot be compared.
            var same = (await api.CountAsync(s_call, cancel)).Try(out var after) ? first.Counts.Where(c => after.Counts.GetValueOrDefault(c.Key, -1) == c.Value).ToDictionary() : [];
            var version = await api.VersionAsync(cancel) ?? throw new ProblemException(SnapshotProblems.NotSaved(product, "the server does not say its version"));
            return new(product.Name, version, engineOf(product), facts.Index, facts.Term, part.Sum(), same);
        }

        throw new ProblemException(SnapshotProblems.NotSaved(product, complaint));
    }

    private static SnapshotFacts Read(IProduct code, string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            return code.ReadSnapshot(file);
        }
        catch (InvalidDataException e)
        {
            throw new ProblemException(SnapshotProblems.Unreadable(code.Row, e.Message), e);
        }
    }

    /// <summary>What makes the cluster besides the products' states.</summary>
    public static IEnumerable<ArchivePart> ClusterFiles(NodeContext context)
    {
        // A secret that this node cannot open yet is not in it.
        var secrets = context.Trust.Secrets.Names.Select(n => (Name: n, Value: context.Trust.Secrets.Open(n))).Where(s => s.Value is not null).ToDictionary(s => s.Name, s => s.Value!);
        yield return new(ArchiveNames.Membership, File.ReadAllBytes(context.Paths.ClusterFile));
        yield return new(ArchiveNames.Secrets, JsonSerializer.SerializeToUtf8Bytes(secrets, ArchiveJson.Default.DictionaryStringByteArray));
        foreach (var (name, path) in ((string, string)[])[(ArchiveNames.CaCertificate, PkiFiles.CaCertificate(context.Paths)), (ArchiveNames.CaKey, PkiFiles.CaKey(context.Paths))])
        {
            if (File.Exists(path)) yield return new(name, File.ReadAllBytes(path));
        }
    }
}
