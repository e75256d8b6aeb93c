// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Archives;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Snapshots;
using Nomadstack.Snapshots.Targets;
using Nomadstack.Tests.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Snapshots;

/// <summary>Copies of snapshots in places outside the cluster: a folder, and a bucket that may be away, slow or lying.</summary>
public sealed class SnapshotExportTests : IAsyncLifetime, IDisposable
{
    private const string Keys = "[default]\naws_access_key_id = ID\naws_secret_access_key = SECRET\n";

    private readonly FakeBucket _bucket = new();
    private readonly Clock _clock = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-target-").FullName;
    private TestNode _node = null!;
    private NodeContext _context = null!;
    private SnapshotStore _store = null!;
    private SnapshotExport _export = null!;
    private bool _leads = true;

    private string Bucket => $"s3://backups/of/nomad?endpoint={_bucket.Url}";

    public async Task InitializeAsync()
    {
        _node = await TestNode.FirstAsync(time: _clock);
        _context = new(_node.File, _node.Paths, _node.Membership, ProductTable.Known, _clock, NullLoggerFactory.Instance);
        _store = new(_node.Paths);
        _export = new(_context, _store, _ => Task.FromResult(_leads));
    }

    public async Task DisposeAsync()
    {
        await _node.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    public void Dispose() => _bucket.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task TheNewestProvedOneIsCopiedOnce(bool bucket)
    {
        await UseAsync(bucket);
        await TakeAsync(verified: true);
        _clock.Pass(TimeSpan.FromMinutes(15));
        var newest = await TakeAsync(verified: true);
        _clock.Pass(TimeSpan.FromMinutes(15));
        await TakeAsync(verified: false);

        await _export.RoundAsync(default);

        There(bucket).ShouldBe([newest.Name]);
        Read(bucket, newest.Name).ShouldBe(await File.ReadAllBytesAsync(_store.PathOf(newest.Name)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task WhatIsOldIsDeletedThereAndWhatIsNotOursIsLeft(bool bucket)
    {
        await UseAsync(bucket);
        string[] foreign = ["20200101T000000Z-ffffffff.tar.gpg", "notes.txt"];
        foreach (var file in foreign)
        {
            if (bucket) _bucket["of/nomad/" + file] = [1];
            else await File.WriteAllBytesAsync(Path.Combine(_folder, file), [1]);
        }

        List<string> taken = [];
        for (var day = 0; day < 12; day++)
        {
            taken.Add((await TakeAsync(verified: true)).Name);
            await _export.RoundAsync(default);
            _clock.Pass(TimeSpan.FromDays(1));
        }

        // The newest, and one of each of the seven days that end with it.
        There(bucket).ShouldBe(taken[^8..]);
        foreign.ShouldBeSubsetOf(bucket ? _bucket.Keys.Select(k => k["of/nomad/".Length..]) : Directory.GetFiles(_folder).Select(f => Path.GetFileName(f)));
    }

    [Fact]
    public async Task OnlyTheNodeWithTheLeaderCopies()
    {
        await UseAsync(bucket: true);
        await TakeAsync(verified: true);
        _leads = false;

        (await _export.RoundAsync(default)).ShouldBeNull();

        _bucket.Keys.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(nameof(FakeBucket.Nature.Forgets), "snapshot/copy-differs")]
    [InlineData(nameof(FakeBucket.Nature.Shortens), "snapshot/copy-differs")]
    [InlineData(nameof(FakeBucket.Nature.Changes), "snapshot/copy-differs")]
    [InlineData(nameof(FakeBucket.Nature.Refuses), "snapshot/target")]
    public async Task ABucketThatLiesOrRefusesIsNamedHasNothingAndIsTriedAgain(string nature, string code)
    {
        await UseAsync(bucket: true);
        var taken = await TakeAsync(verified: true);
        _bucket.Is = Enum.Parse<FakeBucket.Nature>(nature);

        (await _export.RoundAsync(default))!.Value.Why!.Code.ShouldBe(code);

        _bucket.Keys.ShouldBeEmpty();
        _export.InWords().ShouldBeEmpty("one failure is no reason to wake anybody");
        _clock.Pass(TimeSpan.FromHours(25));
        _export.InWords().ShouldContain("25 hours");
        _bucket.Is = FakeBucket.Nature.Honest;
        (await _export.RoundAsync(default))!.Value.Why.ShouldBeNull();
        There(bucket: true).ShouldBe([taken.Name]);
        _export.InWords().ShouldBeEmpty();
    }

    [Fact]
    public async Task OneThatDoesNotAnswerIsNotWaitedForForEver()
    {
        _bucket.Is = FakeBucket.Nature.NeverAnswers;
        using var target = new S3Target((TargetAddress.Bucket)TargetAddress.Parse(Bucket), BucketKeys.Parse(Keys), TimeSpan.FromMilliseconds(300));

        (await Should.ThrowAsync<ProblemException>(() => target.ListAsync(default))).Problem.Why.ShouldContain("did not answer");
    }

    [Fact]
    public async Task OneThatIsAwayIsNamed()
    {
        var address = Bucket;
        _bucket.Dispose();

        (await Should.ThrowAsync<ProblemException>(() => _export.TryAsync(address, Keys, default))).Problem.What.ShouldContain(_bucket.Url);

        _context.Trust.Open(SecretNames.SnapshotCredentials).ShouldBeNull("nothing is remembered of what failed");
    }

    [Fact]
    public async Task AShareThatIsNotMountedIsNotMadeHere()
    {
        await UseAsync(bucket: false);
        await TakeAsync(verified: true);
        Directory.Delete(_folder, recursive: true);

        (await _export.RoundAsync(default))!.Value.Why!.Why.ShouldContain("no such folder");

        Directory.Exists(_folder).ShouldBeFalse();
        Directory.CreateDirectory(_folder);
    }

    [Theory]
    [InlineData("folder:/mnt/backup", null)]
    [InlineData("s3://backups", null)]
    [InlineData("s3://backups/a/b?region=eu-central-1", null)]
    [InlineData("s3://backups?endpoint=https://s3.example.org:9000&region=garage", null)]
    [InlineData("s3://backups?endpoint=s3.example.org", "endpoint")]
    [InlineData("s3://backups?endpoint=https://s3.example.org/backups", "endpoint")]
    [InlineData("s3://backups?profile=me", "profile")]
    [InlineData("s3://id:secret@backups", "neither")]
    [InlineData("folder:relative", "neither")]
    [InlineData("/mnt/backup", "neither")]
    [InlineData("s3:///backups", "neither")]
    [InlineData("", "no place")]
    public void AnAddressIsReadOrRefusedWithAReason(string text, string? why)
    {
        if (why is null) TargetAddress.Parse(text).ShouldNotBeNull();
        else Should.Throw<ProblemException>(() => TargetAddress.Parse(text)).Problem.Why.ShouldContain(why, Case.Insensitive);
    }

    [Theory]
    [InlineData(Keys, "ID", null)]
    [InlineData("aws_access_key_id=ID\r\naws_secret_access_key=S=\r\naws_session_token=T\r\n", "ID", "T")]
    [InlineData("[other]\naws_access_key_id = NO\naws_secret_access_key = NO\n# mine\n[default]\naws_access_key_id = ID\naws_secret_access_key = S\n", "ID", null)]
    [InlineData("[other]\naws_access_key_id = NO\naws_secret_access_key = NO\n", null, null)]
    [InlineData("ID SECRET", null, null)]
    public void CredentialsAreReadAsOtherToolsReadThem(string text, string? id, string? token)
    {
        if (id is null) Should.Throw<ProblemException>(() => BucketKeys.Parse(text)).Problem.Code.ShouldBe("snapshot/bad-credentials");
        else (BucketKeys.Parse(text).Id, BucketKeys.Parse(text).Token).ShouldBe((id, token));
        if (id is not null) BucketKeys.Parse(text).ToString().ShouldBe(id, "a secret is not printed");
    }

    private async Task UseAsync(bool bucket)
    {
        var target = bucket ? Bucket : "folder:" + _folder;
        await _export.TryAsync(target, bucket ? Keys : null, default);
        _node.Membership.Set(SettingNames.SnapshotTarget, target);
    }

    private async Task<SnapshotRecord> TakeAsync(bool verified)
    {
        var (now, cluster) = (_clock.GetUtcNow(), _node.Membership.Current!.ClusterId);
        var name = SnapshotStore.NameOf(cluster, now);
        var content = RandomNumberGenerator.GetBytes(100_000);
        await _store.WriteAsync(name, async file =>
        {
            await file.WriteAsync(content);
            return true;
        });
        var record = new SnapshotRecord
        {
            Name = name,
            Manifest = new ArchiveManifest { Release = "0.1.0", ClusterId = cluster, TakenAt = now, Node = "n1" },
            Size = content.Length,
            Sha256 = Convert.ToHexStringLower(SHA256.HashData(content)),
            KeyId = "0",
            VerifiedAt = verified ? now : null,
        };
        _store.Keep(record);
        return record;
    }

    private List<string> There(bool bucket)
    {
        var suffix = "-" + _node.Membership.Current!.ClusterId[..8] + SnapshotStore.Extension;
        return [.. (bucket ? _bucket.Keys : Directory.GetFiles(_folder)).Select(k => Path.GetFileName(k)).Where(k => k.EndsWith(suffix, StringComparison.Ordinal)).Select(k => k[..^SnapshotStore.Extension.Length]).Order(StringComparer.Ordinal)];
    }

    private byte[] Read(bool bucket, string name) => bucket ? _bucket["of/nomad/" + name + SnapshotStore.Extension] : File.ReadAllBytes(Path.Combine(_folder, name + SnapshotStore.Extension));

    private sealed class Clock : TimeProvider
    {
        /// <summary>Of whole seconds, as in a snapshot's name.</summary>
        private DateTimeOffset _now = DateTimeOffset.FromUnixTimeSeconds(DateTimeOffset.UtcNow.ToUnixTimeSeconds());

        public void Pass(TimeSpan time) => _now += time;

        public override DateTimeOffset GetUtcNow() => _now;
    }
}
