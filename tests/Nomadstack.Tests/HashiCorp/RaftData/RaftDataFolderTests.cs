// SPDX-License-Identifier: MPL-2.0
using System.Formats.Tar;
using System.IO.Compression;
using System.Runtime.CompilerServices;
using Nomadstack.Ground.Kernel;
using Nomadstack.HashiCorp.RaftData;
using Nomadstack.Products;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.HashiCorp.RaftData;

/// <summary>What a raft folder says, whatever is in it.</summary>
public sealed class RaftDataFolderTests : IDisposable
{
    private readonly RaftFolderOnDisk _raft = new();

    public void Dispose() => _raft.Dispose();

    /// <summary>What the programs said themselves before they were stopped.</summary>
    [Theory]
    [InlineData("nomad-1.1.2-raft.tar.gz", 2, 346, "b75680f0-0470-4c68-465d-7fa449804909 127.0.0.1:41783")]
    [InlineData("consul-1.8.7-raft.tar.gz", 2, 107, "b8e72605-63fa-d035-4344-7e6d1ae33d25 127.0.0.1:36607")]
    public void WhatRealServersHaveWrittenIsRead(string fixture, long term, long last, string peer)
    {
        using var folder = new TemporaryFolder();
        using (var packed = new GZipStream(File.OpenRead(Fixture(fixture)), CompressionMode.Decompress)) TarFile.ExtractToDirectory(packed, folder.Path, overwriteFiles: false);

        var found = RaftDataFolder.Read(Path.Combine(folder.Path, "raft"), default);

        (found.State, found.Term, found.LastTerm, found.LastIndex, found.PeersIndex, found.Why).ShouldBe((RaftDataState.Present, term, term, last, 1, null));
        found.Peers.ShouldBe([new(peer.Split(' ')[0], peer.Split(' ')[1], true)]);
    }

    [Fact]
    public void AFolderThatIsNotThereIsBlank() => RaftDataFolder.Read(_raft.File("no/such/folder"), default).ShouldBe(RaftOnDisk.Blank);

    [Fact]
    public void AFolderWithoutLogAndSnapshotIsBlank()
    {
        _raft.Write("peers.info", []);
        _raft.Write("version", [.. "3"u8]);
        _raft.Write("raft.db", []);

        _raft.Read().ShouldBe(RaftOnDisk.Blank);
    }

    [Fact]
    public void AServerThatVotedAndHasNoEntryIsBlankInItsTerm()
    {
        _raft.WriteLog();

        _raft.Read().ShouldBe(RaftOnDisk.Blank with { Term = 9 });
    }

    [Fact]
    public void TheNewestConfigurationAndTheLastEntryCount()
    {
        var (three, two) = (RaftRecords.Peers(3), RaftRecords.Peers(2));
        _raft.WriteLog(Entry(1, 1, three), RaftRecords.Entry(2, 1), Entry(3, 2, two), RaftRecords.Entry(4, 5, modern: true));

        var found = _raft.Read();

        (found.State, found.Term, found.LastTerm, found.LastIndex, found.PeersIndex).ShouldBe((RaftDataState.Present, 9, 5, 4, 3));
        found.Peers.ShouldBe(two);
        found.Voters.Count().ShouldBe(2);
    }

    [Fact]
    public void ALogWithAGapIsWhole()
    {
        _raft.WriteLog(Entry(1, 1, RaftRecords.Peers(1)), RaftRecords.Entry(2, 1), RaftRecords.Entry(9, 3));

        (_raft.Read().LastIndex, _raft.Read().PeersIndex).ShouldBe((9, 1));
    }

    [Fact]
    public void BehindASnapshotTheLogSaysWhatIsNew()
    {
        _raft.WriteSnapshot(2, 50, 1, RaftRecords.Peers(1));
        _raft.WriteLog(Entry(49, 2, RaftRecords.Peers(2)), RaftRecords.Entry(50, 2), RaftRecords.Entry(51, 3));

        // As after a recovery by peers.json: the snapshot has a configuration with index 1, and entries that it covers count no more (raft, api.go, RecoverCluster).
        var recovered = _raft.Read();
        (recovered.LastIndex, recovered.PeersIndex).ShouldBe((51, 1));
        recovered.Peers.ShouldBe(RaftRecords.Peers(1));

        _raft.WriteLog(RaftRecords.Entry(50, 2), Entry(51, 3, RaftRecords.Peers(3)), RaftRecords.Entry(52, 3));
        (_raft.Read().LastIndex, _raft.Read().PeersIndex).ShouldBe((52, 51));
    }

    [Fact]
    public void ALogThatASnapshotOfTheLeaderHasOvertakenDoesNotCount()
    {
        _raft.WriteSnapshot(4, 100, 90, RaftRecords.Peers(3));
        _raft.WriteLog(Entry(1, 7, RaftRecords.Peers(1)), RaftRecords.Entry(2, 7));

        var found = _raft.Read();

        (found.LastTerm, found.LastIndex, found.PeersIndex).ShouldBe((4, 100, 90));
    }

    [Fact]
    public void TheNewestSnapshotIsTheOneOfTheHighestTermAndThenIndex()
    {
        _raft.WriteSnapshot(2, 90, 1, RaftRecords.Peers(1));
        _raft.WriteSnapshot(3, 20, 2, RaftRecords.Peers(2));
        _raft.WriteSnapshot(3, 30, 3, RaftRecords.Peers(3));
        _raft.WriteSnapshot(9, 99, 4, RaftRecords.Peers(1), ".tmp");

        var found = _raft.Read();

        (found.State, found.LastTerm, found.LastIndex, found.Term).ShouldBe((RaftDataState.Present, 3, 30, 3));
        found.Peers.ShouldBe(RaftRecords.Peers(3));
    }

    [Theory]
    [InlineData("meta.json")]
    [InlineData("state.bin")]
    public void ADamagedSnapshotIsPassedOverForAnOlderOne(string damaged)
    {
        _raft.WriteSnapshot(2, 20, 1, RaftRecords.Peers(1));
        var newer = _raft.WriteSnapshot(2, 40, 1, RaftRecords.Peers(1));
        _raft.Write($"snapshots/{newer}/{damaged}", [.. "123456780"u8]);

        _raft.Read().LastIndex.ShouldBe(20);

        // Without the entries between the two, the older one is of no use.
        _raft.WriteLog(RaftRecords.Entry(30, 2), RaftRecords.Entry(41, 2));
        Unreadable("begins with entry 30").ShouldContain($"{newer}/{damaged}");
    }

    [Fact]
    public void WithoutOneWholeSnapshotNothingIsTold()
    {
        var name = _raft.WriteSnapshot(2, 20, 1, RaftRecords.Peers(1));
        File.Delete(_raft.File($"snapshots/{name}/state.bin"));
        _raft.WriteLog(RaftRecords.Entry(21, 2));

        Unreadable("None of its snapshots can be used").ShouldContain("state.bin");
    }

    [Fact]
    public void ALogWhoseBeginningIsGoneIsNotWhole()
    {
        _raft.WriteLog(RaftRecords.Entry(8193, 2), RaftRecords.Entry(8194, 2));

        Unreadable("begins with entry 8193, and there is no snapshot");
    }

    [Fact]
    public void AnInterruptedMigrationIsNotGuessedAbout()
    {
        _raft.WriteLog(RaftRecords.Entry(1, 1));
        _raft.Write("wal/wal-meta.db", new BoltBuilder().Bucket("stable").Bucket("wal-meta").Build());

        Unreadable("migration");
    }

    [Theory]
    [InlineData("raft.db.migrated.1700000000")]
    [InlineData("log-0000000001")]
    public void ALogThatIsNotOursIsNotBlank(string file)
    {
        _raft.Write(file, [1]);

        Unreadable(file);
    }

    [Fact]
    public void AFolderOrAPipeInPlaceOfTheLogIsTold()
    {
        Libc.MkFifo(_raft.File("raft.db"), 0b110_000_000).ShouldBe(0);
        Unreadable("raft.db");
        File.Delete(_raft.File("raft.db"));

        Directory.CreateDirectory(_raft.File("wal/wal-meta.db"));
        _raft.Write("wal/00000000000000000001-0000000000000000.wal", [1]);
        Unreadable("wal");
    }

    [Fact]
    public void NothingIsWrittenOrLocked()
    {
        _raft.WriteSnapshot(2, 2, 1, RaftRecords.Peers(1));
        _raft.WriteLog(Entry(1, 1, RaftRecords.Peers(1)), RaftRecords.Entry(2, 2));
        var before = Content();
        using var server = File.OpenHandle(_raft.File("raft.db"), FileMode.Open, FileAccess.ReadWrite, FileShare.None);

        _raft.Read().State.ShouldBe(RaftDataState.Present);

        Content().ShouldBe(before);

        string Content() => string.Join('\n', Directory.GetFiles(_raft.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(f => $"{f} {new FileInfo(f).Length} {File.GetLastWriteTimeUtc(f):O}"));
    }

    [Fact]
    public void ItStopsWhenItIsAskedTo()
    {
        _raft.WriteLog(RaftRecords.Entry(1, 1));
        using var cancel = new CancellationTokenSource();
        cancel.Cancel();

        Should.Throw<OperationCanceledException>(() => RaftDataFolder.Read(_raft.Path, cancel.Token));
    }

    private static (byte[], byte[]) Entry(long index, long term, IReadOnlyList<RaftPeer> peers) => RaftRecords.Entry(index, term, RaftRecords.Configuration, RaftRecords.ConfigurationOf(peers));

    private string Unreadable(string because)
    {
        var found = _raft.Read();
        found.State.ShouldBe(RaftDataState.Unreadable);
        found.Why.ShouldNotBeNull().ShouldContain(because);
        return found.Why;
    }

    private static string Fixture(string name, [CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "Fixtures", name);
}
