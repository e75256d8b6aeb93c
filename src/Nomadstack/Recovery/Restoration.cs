// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Json;
using Nomadstack.Archives;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Servers;
using Nomadstack.Storage;

namespace Nomadstack.Recovery;

/// <summary>
/// Makes a cluster from an archive on a blank machine: the same identity, authorities, secrets and state. The nodes of the archive are removed, and all raft data that they may still have is
/// of an older epoch: whoever of them returns is not listened to. Part of a bootstrap; every act may be repeated.
/// </summary>
/// <param name="archive">Path of the archive.</param>
/// <param name="keyFile">Path of the recovery key, for as long as this is under way.</param>
internal sealed class Restoration(NodeContext context, NodePrograms programs, string archive, string keyFile)
{
    /// <summary>Names in an operation's request.</summary>
    public const string ArchiveKey = "archive", KeyFileKey = "key";

    /// <summary>
    /// How far a restored cluster goes ahead of its archive in what only rises: epochs and versions of settings. Nobody gave up a majority, or wrote a setting, as often between the
    /// archive and the end of the cluster that it was made of.
    /// </summary>
    private const int Stride = 1 << 20;

    private static readonly TimeSpan s_call = TimeSpan.FromSeconds(5), s_restore = TimeSpan.FromMinutes(10);

    private ArchiveReader? _opened;

    /// <summary>Null for a request that restores nothing.</summary>
    public static Restoration? Of(IReadOnlyDictionary<string, string> request, NodeContext context, NodePrograms programs) =>
        request.TryGetValue(ArchiveKey, out var archive) && request.TryGetValue(KeyFileKey, out var key) ? new(context, programs, archive, key) : null;

    /// <summary>Where the recovery key is kept meanwhile.</summary>
    public static string KeyFileOf(NodePaths paths) => Path.Combine(paths.Data, "restore.key");

    /// <summary>Opens the archive, reads all of it, and refuses what this machine cannot go on with.</summary>
    /// <exception cref="ProblemException"><c>archive/*</c>, <c>restore/*</c>.</exception>
    public async Task<ClusterDocument> CheckAsync(CancellationToken cancel)
    {
        var reader = await OpenAsync(cancel);
        if (reader.Manifest.Kind != ArchiveManifest.Snapshot) throw new ProblemException(RestoreProblems.NotASnapshot(archive, reader.Manifest.Kind));
        var cluster = Read(reader);
        reader.RequireVersions(name => context.Table.Find(name) is { } product ? programs.Find(product)?.Version.ToString() : null);
        var engine = programs.For(context.Table.Scheduler, null).Kind;
        if (engine != cluster.Engine) throw new ProblemException(RestoreProblems.OtherEngine(archive, cluster.Engine, engine));
        return cluster;
    }

    /// <summary>Writes authorities, membership and secrets.</summary>
    /// <param name="self">This node's entry for a membership, made when its certificate is there.</param>
    public async Task SeedAsync(Func<Pki, NodeEntry> self, CancellationToken cancel)
    {
        var reader = await OpenAsync(cancel);
        if (context.Membership.Current is null)
        {
            if (PkiFiles.Read(PkiFiles.CaCertificate(context.Paths)) is null)
            {
                PkiFiles.Write(PkiFiles.CaKey(context.Paths), Encoding.UTF8.GetString(reader.Small(ArchiveNames.CaKey)));
                PkiFiles.Write(PkiFiles.CaCertificate(context.Paths), Encoding.UTF8.GetString(reader.Small(ArchiveNames.CaCertificate)));
            }

            using var pki = Pki.Mint(context.Paths, reader.Manifest.ClusterId, context.Node, context.Time);
            context.Membership.CreateRestored(Read(reader), self(pki), Stride, [.. context.Table.Stack.Select(p => p.Name)]);
        }

        foreach (var (name, value) in reader.Secrets) KeepSecret(name, value);
    }

    /// <summary>Whether everything that <see cref="SeedAsync"/> writes is there.</summary>
    public async Task<bool> IsSeededAsync(CancellationToken cancel) => context.Membership.Current is not null && (await OpenAsync(cancel)).Secrets.Keys.All(name => context.Trust.Secrets.Version(name) > 0);

    public bool IsRestored(Product product) => context.Membership.Settings?.Text(SettingNames.RestoredFrom(product.Name)) is { } mark && mark == Mark(_opened?.Manifest);

    /// <summary>Keys that are in no snapshot must be there before the server's first start.</summary>
    public async Task WriteKeysAsync(IProduct product, ServerSite site, CancellationToken cancel)
    {
        var reader = await OpenAsync(cancel);
        var folder = ArchiveNames.Keys(product.Row.Name);
        foreach (var name in reader.Names.Where(n => n.StartsWith(folder, StringComparison.Ordinal))) product.WriteKeyFile(site, Path.GetFileName(name), reader.Small(name));
    }

    /// <summary>Replaces the state of a product by the archive's, and forgets the nodes that it speaks of: their allocations are placed anew.</summary>
    /// <param name="say">Told what is waited for.</param>
    public async Task RestoreAsync(ServerInstance server, Action<string> say, CancellationToken cancel)
    {
        var product = server.Product;
        var reader = await OpenAsync(cancel);
        say($"{product.Row.Title} to take over the state of {reader.Manifest.TakenAt:u}");
        var api = server.Api;
        await using (var state = await reader.OpenSnapshotAsync(product.Row.Name, cancel))
        {
            var answer = await api.RestoreSnapshotAsync(state, s_restore, cancel);
            // With the first state's tokens gone, a repeated act is refused although the state is there; what was restored knows our old ones.
            if (answer is Answer<Done>.Refused { Status: 403 or 404 }) KeepTokens(reader, product.Row);
            if (!answer.IsOk)
            {
                say($"{product.Row.Title} to take over the state: {answer.Complaint}");
                return;
            }
        }

        KeepTokens(reader, product.Row);
        if (await server.Api.BarrierAsync(s_call, cancel) is { IsOk: false } leaderless)
        {
            say($"{product.Row.Title} to have a leader with the restored state: {leaderless.Complaint}");
            return;
        }

        if (product is ISchedulerProduct scheduler && !await ForgetNodesAsync(scheduler.Scheduler(server.Endpoint), say, cancel)) return;
        context.Membership.Set(SettingNames.RestoredFrom(product.Row.Name), Mark(reader.Manifest));
    }

    private static async Task<bool> ForgetNodesAsync(IScheduler scheduler, Action<string> say, CancellationToken cancel)
    {
        var nodes = await scheduler.NodesAsync(s_call, cancel);
        if (!nodes.Try(out var all))
        {
            say($"the restored list of nodes: {nodes.Complaint}");
            return false;
        }

        foreach (var node in all)
        {
            say($"node {node.Name} to be forgotten; its allocations are placed anew");
            if (await scheduler.PurgeNodeAsync(node.ID, s_call, cancel) is { IsOk: false, IsNotFound: false }) return false;
        }

        return true;
    }

    private void KeepTokens(ArchiveReader reader, Product product)
    {
        foreach (var (name, value) in reader.Secrets.Where(s => s.Key.StartsWith(SecretNames.Token(product.Name, ""), StringComparison.Ordinal))) KeepSecret(name, value);
    }

    private void KeepSecret(string name, byte[] value)
    {
        if (context.Trust.Secrets.Open(name)?.AsSpan().SequenceEqual(value) != true) context.Trust.Secrets.Put(name, value);
    }

    private static string Mark(ArchiveManifest? manifest) => manifest is null ? "" : $"{manifest.ClusterId} {manifest.TakenAt.UtcDateTime:O}";

    private ClusterDocument Read(ArchiveReader reader)
    {
        try
        {
            var document = JsonSerializer.Deserialize(reader.Membership, ReadablePeersJson.ClusterDocument);
            if (document is not null && MembershipRules.Complaint(document) is null && document.ClusterId == reader.Manifest.ClusterId) return document;
        }
        catch (JsonException e)
        {
            throw new ProblemException(RestoreProblems.BadMembership(archive, e.Message), e);
        }

        throw new ProblemException(RestoreProblems.BadMembership(archive, "It is not that of the cluster that the archive names."));
    }

    private async Task<ArchiveReader> OpenAsync(CancellationToken cancel)
    {
        if (_opened is not null) return _opened;
        try
        {
            return _opened = await ArchiveReader.OpenAsync(archive, (await File.ReadAllTextAsync(keyFile, cancel)).Trim(), cancel);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(RestoreProblems.NoKey(keyFile, e.Message), e);
        }
    }
}
