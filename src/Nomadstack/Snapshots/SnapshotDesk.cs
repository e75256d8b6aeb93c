// SPDX-License-Identifier: MPL-2.0
using System.Text;
using Nomadstack.Api;
using Nomadstack.Archives;
using Nomadstack.Cluster;
using Nomadstack.Operations;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Snapshots.Targets;

namespace Nomadstack.Snapshots;

/// <summary>What people ask of snapshots, through the local API.</summary>
internal sealed class SnapshotDesk(NodeContext context, SnapshotStore store, SnapshotTaker taker, SnapshotProof proof, SnapshotKey keys, SnapshotKeeper keeper, SnapshotExport export, RestoreOperation restore, string release)
{
    public const string SaveKind = "snapshot-save", VerifyKind = "snapshot-verify", NameKey = "name";

    public RestoreOperation Restore => restore;

    public IReadOnlyList<SnapshotInfo> List() => [.. store.All.Select(Describe)];

    /// <summary>Takes or proves one, as what <paramref name="run"/> asks for.</summary>
    public async Task FollowAsync(OperationRun run, CancellationToken cancel)
    {
        try
        {
            var record = run.Current.Kind == SaveKind ? await taker.TakeAsync(run.Step, cancel) : await VerifyAsync(run, cancel);
            if (record.VerifiedAt is null) run.Fail(new("snapshot/unverified", $"Snapshot {record.Name} could not be proved.", record.Unverified, "It is kept. `nomadstack snapshot verify` proves it again."));
            else run.Finish(record.Name);
        }
        catch (Exception e) when (Trouble.IsOfTheMachine(e))
        {
            run.Fail(Trouble.Of(e));
        }
    }

    /// <summary>What an archive holds, after all of it was read and checked.</summary>
    /// <param name="of">A name in <see cref="List"/>, or the absolute path of a file.</param>
    /// <exception cref="ProblemException"><c>snapshot/unknown</c>, <c>archive/*</c>.</exception>
    public async Task<SnapshotInfo> InspectAsync(string of, CancellationToken cancel)
    {
        var path = PathOf(of);
        var archive = await ArchiveReader.OpenAsync(path, Key(), cancel);
        return store.Find(of) is { } kept ? Describe(kept) : Describe(archive.Manifest, Path.GetFileName(path), path, new FileInfo(path).Length);
    }

    /// <exception cref="ProblemException"><c>archive/*</c>, <c>snapshot/*</c>.</exception>
    public async Task<RestorePlan> PlanAsync(string of, CancellationToken cancel)
    {
        var (archive, stopped, ghosts) = await restore.PlanAsync(PathOf(of), cancel);
        return new(of, archive.Manifest.TakenAt, [.. stopped.Select(j => j.ToString())], stopped.Sum(j => j.Running), [.. ghosts.Select(j => j.ToString())]);
    }

    public IReadOnlyList<string> Prune(bool dryRun) => keeper.Prune(dryRun);

    /// <summary>The recovery key.</summary>
    /// <exception cref="ProblemException"><c>snapshot/no-key</c>.</exception>
    public string Key() => context.Membership.IsClientNode || context.Membership.Current is null ? throw new ProblemException(SnapshotProblems.NotHere()) : keys.Find() ?? throw new ProblemException(SnapshotProblems.NoKey());

    /// <summary>The path of a name or a file.</summary>
    /// <exception cref="ProblemException"><c>snapshot/unknown</c>.</exception>
    public string PathOf(string of) => store.Find(of) is { } kept ? store.PathOf(kept.Name) : Path.IsPathRooted(of) && File.Exists(of) ? of : throw new ProblemException(SnapshotProblems.NoSuch(of));

    /// <summary>Writes the settings that are given. A place for copies is tried first.</summary>
    /// <exception cref="ProblemException"><c>settings/*</c>, <c>snapshot/*</c>.</exception>
    public async Task<SnapshotPolicyStatus> PolicyAsync(SnapshotPolicyRequest request, CancellationToken cancel)
    {
        var place = request.Target ?? SnapshotPolicy.Of(context.Membership.Settings).Target ?? "";
        if (request.Credentials is not null || request.Target is { Length: > 0 }) await export.TryAsync(place, request.Credentials, cancel);
        if (request.EverySeconds is { } every) context.Membership.Set(SettingNames.SnapshotEvery, every);
        if (request.DenseSeconds is { } dense) context.Membership.Set(SettingNames.SnapshotDense, dense);
        if (request.ThinSeconds is { } thin) context.Membership.Set(SettingNames.SnapshotThin, thin);
        if (request.Target is { } target) context.Membership.Set(SettingNames.SnapshotTarget, target);
        var policy = SnapshotPolicy.Of(context.Membership.Settings);
        return new((int)policy.Every.TotalSeconds, (int)policy.Dense.TotalSeconds, (int)policy.Thin.TotalSeconds, policy.Target ?? "");
    }

    /// <summary>The kit: what a person needs when nothing runs, closed with a passphrase of his own.</summary>
    /// <exception cref="ProblemException"><c>snapshot/*</c>.</exception>
    public async Task<KitMade> MakeKitAsync(string passphrase, CancellationToken cancel)
    {
        var key = Key();
        var cluster = context.Membership.Current!;
        List<ArchivePart> parts =
        [
            new(ArchiveNames.HowTo, Encoding.UTF8.GetBytes(HowTo.Kit)),
            new("recovery-key.txt", Encoding.UTF8.GetBytes(key + "\n")),
            new("addresses.txt", Encoding.UTF8.GetBytes(Addresses(cluster))),
            .. SnapshotTaker.ClusterFiles(context),
        ];
        var manifest = new ArchiveManifest { Kind = ArchiveManifest.Kit, Release = release, ClusterId = cluster.ClusterId, TakenAt = context.Time.GetUtcNow(), Node = context.Node.Name };
        using var held = new MemoryStream();
        await ArchiveWriter.WriteAsync(held, passphrase, Stretch.OfAPerson, manifest, parts, [], cancel);
        return new(held.ToArray());
    }

    private static string Addresses(ClusterDocument cluster) =>
        string.Concat(cluster.Nodes.Values.Where(n => !n.Removed).OrderBy(n => n.Name, StringComparer.Ordinal)
            .Select(n => $"{n.Name} {HostPort.Join(n.Address, n.Ports.Peers)} {string.Join(' ', n.Servers.Select(s => $"{s.Role}={HostPort.Join(n.Address, s.Rpc)}"))}".TrimEnd() + "\n"));

    private async Task<SnapshotRecord> VerifyAsync(OperationRun run, CancellationToken cancel)
    {
        var of = run.Request.GetValueOrDefault(NameKey, "");
        if (store.Find(of) is { } kept)
        {
            var record = await proof.ProveAsync(kept, Key(), run.Step, cancel);
            store.Keep(record);
            return record;
        }

        var archive = await ArchiveReader.OpenAsync(PathOf(of), Key(), cancel);
        archive.RequireVersions(name => context.Table.Find(name) is null ? null : archive.Manifest.Products.First(p => p.Name == name).Version);
        await proof.ProveAsync(archive, run.Step, cancel);
        return new() { Name = Path.GetFileName(of), Manifest = archive.Manifest, Size = 0, Sha256 = "", KeyId = "", VerifiedAt = context.Time.GetUtcNow() };
    }

    private SnapshotInfo Describe(SnapshotRecord record) => Describe(record.Manifest, record.Name, store.PathOf(record.Name), record.Size) with { VerifiedAt = record.VerifiedAt, Unverified = record.Unverified };

    private static SnapshotInfo Describe(ArchiveManifest manifest, string name, string path, long size) =>
        new(name, manifest.TakenAt, manifest.Node, manifest.ClusterId, manifest.Release, size, path, [.. manifest.Products.Select(p => new SnapshotOfProduct(p.Name, p.Version, p.Index, p.Term, p.File.Size, p.Counts))]);
}
