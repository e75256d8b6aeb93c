// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.HashiCorp.RaftData;

/// <summary>The log of newer servers. Nobody here runs one: the files are made by the layout of raft-wal v0.4.2.</summary>
public sealed class WalLogTests : IDisposable
{
    private readonly RaftFolderOnDisk _raft = new();

    public void Dispose() => _raft.Dispose();

    [Fact]
    public void AnEmptyLogIsBlankInItsTerm()
    {
        _raft.Write("wal/wal-meta.db", WalBuilder.Meta(3));

        _raft.Read().ShouldBe(RaftOnDisk.Blank with { Term = 3 });
    }

    [Fact]
    public void TheTailIsReadToItsLastCommit()
    {
        var tail = Tail().Entry(4, 3);

        Write(tail, 5, tail.Info(1, 0));

        ShouldBe(term: 5, lastTerm: 2, last: 3, peersIndex: 2, peers: 2);
    }

    [Fact]
    public void ACommitWithoutItsChecksumIsHalfOfAWrite()
    {
        var tail = Tail().Entry(4, 3, RaftRecords.Configuration, [0xff]).Commit(wrong: true);

        Write(tail, 5, tail.Info(1, 0));

        ShouldBe(term: 5, lastTerm: 2, last: 3, peersIndex: 2, peers: 2);
    }

    [Fact]
    public void BehindACommitThatWasContinuedNoChecksumIsNeeded()
    {
        // Somebody was told of that commit, or nothing would have been written behind it (recoverTail).
        var tail = Tail().Entry(4, 3).Commit(wrong: true).Entry(5, 3);

        Write(tail, 5, tail.Info(1, 0));

        ShouldBe(term: 5, lastTerm: 3, last: 4, peersIndex: 2, peers: 2);
    }

    [Fact]
    public void ATailThatWasSealedAndIsNotListedAsSoIsReadAllTheSame()
    {
        var tail = Tail().Seal();

        Write(tail, 5, tail.Info(1, 0));

        ShouldBe(term: 5, lastTerm: 2, last: 3, peersIndex: 2, peers: 2);
    }

    [Fact]
    public void SealedSegmentsHoldWhatTheTailDoesNot()
    {
        var (first, second) = (Tail().Seal(), new WalBuilder(4, 2).Entry(4, 2).Entry(5, 3).Commit());
        _raft.Write(first.Name, first.File());

        Write(second, 5, first.Info(1, 3), second.Info(4, 0));

        ShouldBe(term: 5, lastTerm: 3, last: 5, peersIndex: 2, peers: 2);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AnEmptyTailAndOneThatIsNotThereYetAreTheSame(bool isThere)
    {
        var (first, second) = (Tail().Seal(), new WalBuilder(4, 2));
        _raft.Write(first.Name, first.File());
        _raft.Write("wal/wal-meta.db", WalBuilder.Meta(5, first.Info(1, 3), second.Info(4, 0)));
        if (isThere) _raft.Write(second.Name, new byte[64]);

        ShouldBe(term: 5, lastTerm: 2, last: 3, peersIndex: 2, peers: 2);
    }

    [Fact]
    public void EntriesThatWereTakenBackDoNotCount()
    {
        // A new leader replaced entry 2 and 3: the segment was sealed at 1, and goes on in the next.
        var (first, second) = (Tail().Seal(), new WalBuilder(2, 2).Entry(2, 4).Commit());
        _raft.Write(first.Name, first.File());

        Write(second, 5, first.Info(1, 1), second.Info(2, 0));

        ShouldBe(term: 5, lastTerm: 4, last: 2, peersIndex: 1, peers: 1);
    }

    [Fact]
    public void EntriesThatASnapshotCoversMayBeGone()
    {
        _raft.WriteSnapshot(2, 2, 2, RaftRecords.Peers(2));
        var tail = Tail();

        Write(tail, 2, tail.Info(3, 0));

        ShouldBe(term: 2, lastTerm: 2, last: 3, peersIndex: 2, peers: 2);
    }

    [Theory]
    [InlineData(0, "does not begin as a segment")]
    [InlineData(9, "another segment")]
    [InlineData(24, "encoded as")]
    public void ASegmentOfAnotherKindIsRefused(int at, string because)
    {
        var tail = Tail();
        var file = tail.File();
        file[at] ^= 0x40;
        _raft.Write("wal/wal-meta.db", WalBuilder.Meta(5, tail.Info(1, 0)));
        _raft.Write(tail.Name, file);

        _raft.Read().Why.ShouldNotBeNull().ShouldContain(because);
    }

    [Fact]
    public void ASealedSegmentThatIsMissingIsTold()
    {
        var (first, second) = (Tail().Seal(), new WalBuilder(4, 2).Entry(4, 2).Commit());

        Write(second, 5, first.Info(1, 3), second.Info(4, 0));

        _raft.Read().Why.ShouldNotBeNull().ShouldContain(Path.GetFileName(first.Name));
    }

    [Theory]
    [InlineData("{\"Segments\":7}")]
    [InlineData("[]")]
    [InlineData("{\"Segments\":[{}]}")]
    [InlineData("{\"Segm")]
    public void AListOfSegmentsThatIsNoneIsTold(string list)
    {
        _raft.Write("wal/wal-meta.db", new BoltBuilder().Bucket("stable").Bucket("wal-meta", ([(byte)'m'], System.Text.Encoding.UTF8.GetBytes(list))).Build());

        _raft.Read().Why.ShouldNotBeNull().ShouldContain("list of segments");
    }

    [Fact]
    public void SegmentsThatNoListNamesAreNotBlank()
    {
        var tail = Tail();

        Write(tail, 5);

        _raft.Read().Why.ShouldNotBeNull().ShouldContain("names no segment");
    }

    /// <summary>Three entries in two commits, the first two of them configurations.</summary>
    private static WalBuilder Tail() => new WalBuilder(1, 1)
        .Entry(1, 1, RaftRecords.Configuration, RaftRecords.ConfigurationOf(RaftRecords.Peers(1)))
        .Entry(2, 1, RaftRecords.Configuration, RaftRecords.ConfigurationOf(RaftRecords.Peers(2))).Commit()
        .Entry(3, 2).Commit();

    private void Write(WalBuilder tail, long term, params string[] segments)
    {
        _raft.Write("wal/wal-meta.db", WalBuilder.Meta(term, segments));
        _raft.Write(tail.Name, tail.File());
    }

    private void ShouldBe(long term, long lastTerm, long last, long peersIndex, int peers)
    {
        var found = _raft.Read();
        found.Why.ShouldBeNull();
        (found.Term, found.LastTerm, found.LastIndex, found.PeersIndex).ShouldBe((term, lastTerm, last, peersIndex));
        found.Peers.ShouldBe(RaftRecords.Peers(peers));
    }
}
