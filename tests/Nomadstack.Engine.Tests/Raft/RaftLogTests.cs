// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Raft;
using Nomadstack.Engine.Tests.Raft.Simulation;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Raft;

public sealed class RaftLogTests
{
    private const string First = "log-0000000001";
    private static readonly RaftOptions s_options = new();
    private static readonly RaftConfiguration s_members = new([new("s1", "s1:4647", Suffrage.Voter), new("s2", "s2:4647", Suffrage.Staging)]);
    private readonly SimDisk _disk = new(new Random(1));

    [Fact]
    public void WhatWasAppendedIsRead()
    {
        using (var log = Open(out _))
        {
            log.Append(new(new(3, "s2"), null, [Entry(1, 1), Entry(2, 3)], 0));
            log.Append(new(new(4, null), null, [Entry(3, 4)], 0));
        }

        using var again = Open(out var entries);
        again.HardState.ShouldBe(new(4, null));
        entries.Select(e => (e.Index, e.Term)).ShouldBe([(1, 1), (2, 3), (3, 4)]);
        entries[2].Payload.ToArray().ShouldBe(Entry(3, 4).Payload.ToArray());
    }

    [Fact]
    public void AnEntryReplacesTheOnesBehindIt()
    {
        using (var log = Open(out _))
        {
            log.Append(new(null, null, [Entry(1, 1), Entry(2, 1), Entry(3, 1)], 0));
            log.Append(new(null, null, [Entry(2, 2)], 0));
        }

        using var again = Open(out var entries);
        entries.Select(e => (e.Index, e.Term)).ShouldBe([(1, 1), (2, 2)]);
    }

    [Fact]
    public void ALogTornAtAnyByteKeepsWhatWasAcknowledged()
    {
        var (whole, acknowledged) = TwoBatches();
        for (var length = acknowledged; length < whole.Length; length++)
        {
            _disk.Overwrite(First, whole[..length]);
            _disk.Overwrite(Acknowledgements.FileName, _said);
            using (var log = Open(out var entries))
            {
                entries.Count.ShouldBe(2, $"{length} of {whole.Length} bytes");
                log.TornBytes.ShouldBe(length - acknowledged);
                log.HardState.ShouldBe(new(1, "s1"));
                log.Append(new(null, null, [Entry(3, 5)], 0));
            }

            using var again = Open(out var after);
            after.Select(e => e.Term).ShouldBe([1, 1, 5]);
        }
    }

    [Fact]
    public void ATornEndMayHoldZerosOrAnyWrongByte()
    {
        var (whole, acknowledged) = TwoBatches();
        for (var at = acknowledged; at < whole.Length; at++)
        {
            foreach (var torn in (byte[][])[[.. whole[..at], .. new byte[whole.Length - at]], Flipped(whole, at)])
            {
                _disk.Overwrite(First, torn);
                using var log = Open(out var entries);
                entries.Count.ShouldBe(2, $"byte {at} of {whole.Length}");
            }
        }
    }

    [Fact]
    public void AnAcknowledgedEndThatIsCutOffOrDamagedIsRefusedAndLeftAlone()
    {
        var (whole, acknowledged) = TwoBatches();
        _disk.Overwrite(Acknowledgements.FileName, _bothSaid);
        for (var at = acknowledged; at < whole.Length; at++)
        {
            foreach (var broken in (byte[][])[whole[..at], Flipped(whole, at)])
            {
                _disk.Overwrite(First, broken);
                var refusal = Should.Throw<RaftDamageException>(() => Open(out _), $"byte {at} of {whole.Length}").Message;
                refusal.ShouldContain($"{First} {(broken.Length > acknowledged ? "is damaged at" : "ends at")} byte {acknowledged}, and {whole.Length} bytes had been acknowledged");
                _disk.ContentOf(First).ShouldBe(broken);
            }
        }

        // What an operator does who gives the rest up.
        _disk.Delete(Acknowledgements.FileName);
        using var log = Open(out var entries);
        entries.Count.ShouldBe(2);
    }

    [Fact]
    public void ALastSegmentThatIsGoneIsRefused()
    {
        using (var log = Open(out _, segmentBytes: 100))
            for (var i = 1; i <= 10; i++) log.Append(new(null, null, [Entry(i, 1)], 0));
        var last = _disk.List().Where(n => n.StartsWith("log-", StringComparison.Ordinal)).Order().Last();
        _disk.Delete(last);

        Should.Throw<RaftDamageException>(() => Open(out _)).Message.ShouldContain($"{last} is missing");
    }

    [Fact]
    public void WhatSaysHowMuchWasAcknowledgedMayItselfBeDamaged()
    {
        var (whole, _) = TwoBatches();
        for (var at = 0; at < _bothSaid.Length; at++)
        {
            _disk.Overwrite(First, whole);
            _disk.Overwrite(Acknowledgements.FileName, Flipped(_bothSaid, at));
            using var log = Open(out var entries);
            entries.Count.ShouldBe(3, $"byte {at}");
        }
    }

    [Fact]
    public void DamageBeforeTheEndIsRefusedAndLeftAlone()
    {
        var (whole, acknowledged) = TwoBatches();
        for (var at = 0; at < acknowledged; at++)
        {
            var damaged = Flipped(whole, at);
            _disk.Overwrite(First, damaged);

            Should.Throw<RaftDamageException>(() => Open(out _), $"byte {at}").Message.ShouldContain(First);
            _disk.ContentOf(First).ShouldBe(damaged);
        }
    }

    [Fact]
    public void SegmentsAreRolledAndDeletedBehindASnapshotButTheVoteStays()
    {
        using (var log = Open(out _, segmentBytes: 100))
        {
            log.Append(new(new(7, "s3"), null, [Entry(1, 7)], 0));
            for (var i = 2; i <= 20; i++) log.Append(new(null, null, [Entry(i, 7)], 0));
            _disk.List().Count.ShouldBeGreaterThan(4);
            log.Append(new(null, null, [], CompactTo: 15));
        }

        _disk.List().ShouldNotContain(First);
        using var again = Open(out var entries);
        again.HardState.ShouldBe(new(7, "s3"));
        entries[0].Index.ShouldBeLessThanOrEqualTo(16);
        entries[^1].Index.ShouldBe(20);
    }

    [Fact]
    public void AMissingSegmentIsRefused()
    {
        using (var log = Open(out _, segmentBytes: 100))
            for (var i = 1; i <= 10; i++) log.Append(new(null, null, [Entry(i, 1)], 0));
        _disk.Delete("log-0000000002");

        Should.Throw<RaftDamageException>(() => Open(out _)).Message.ShouldContain("log-0000000002 is missing");
    }

    [Fact]
    public void AFailedWriteEndsTheLog()
    {
        using var log = Open(out _);
        log.Append(new(null, null, [Entry(1, 1)], 0));
        _disk.PointsUntilCrash = 1;
        Should.Throw<CrashException>(() => log.Append(new(null, null, [Entry(2, 1)], 0)));

        Should.Throw<IOException>(() => log.Append(new(null, null, [Entry(2, 1)], 0)));
    }

    /// <summary>A snapshot from the leader is durable, and power goes before the log follows.</summary>
    [Theory]
    [InlineData(2, 1, 3, "")] // ends before the snapshot
    [InlineData(5, 2, 3, "")] // holds another entry where the snapshot ends
    [InlineData(5, 1, 3, "4 5")] // leads to it
    public void ALogIsBroughtInLineWithTheSnapshot(int entries, int term, int snapshot, string left)
    {
        using (var storage = RaftStorage.Open(_disk, s_options, out _))
        {
            storage.Log.Append(new(new(9, null), null, [.. Enumerable.Range(1, entries).Select(i => Entry(i, term))], 0));
            storage.Snapshots.Save(new(new(snapshot, 1), s_members), new byte[] { 1, 2, 3 });
        }

        for (var time = 0; time < 2; time++)
        {
            using var storage = RaftStorage.Open(_disk, s_options, out var recovered);
            var log = new EntryLog(recovered.Base, recovered.Entries);
            string.Join(' ', Enumerable.Range(snapshot + 1, (int)(log.Last.Index - snapshot)).Select(i => log[i].Index)).ShouldBe(left);
            log.TermAt(snapshot).ShouldBe(1);
            recovered.Snapshot!.Configuration.ShouldBe(s_members);
            storage.Snapshots.Bytes(recovered.Snapshot).ShouldBe([1, 2, 3]);
        }
    }

    [Fact]
    public void ALogThatBeginsBehindTheSnapshotIsRefused()
    {
        using (var log = Open(out _)) log.Append(new(null, null, [Entry(5, 1)], 0));

        Should.Throw<RaftDamageException>(() => RaftStorage.Open(_disk, s_options, out _)).Message.ShouldContain("begins with entry 5");
    }

    [Fact]
    public void ADamagedSnapshotIsRefused()
    {
        var store = new SnapshotStore(_disk);
        store.Save(new(new(3, 1), s_members), new byte[10]);
        var name = _disk.List().ShouldHaveSingleItem();
        _disk.Overwrite(name, Flipped(_disk.ContentOf(name), 30));

        Should.Throw<RaftDamageException>(() => store.Open());
    }

    [Fact]
    public void ASnapshotTravelsInPieces()
    {
        var (from, to) = (new SnapshotStore(_disk), new SnapshotStore(new SimDisk(new Random(2))));
        var meta = new SnapshotMeta(new(3, 1), s_members);
        from.Save(meta, new byte[1000]);
        var piece = new SnapshotRequest("s1", "s2", 1, meta.Position, 0, default, false, 0);
        SnapshotMeta? arrived = null;
        while (arrived is null)
        {
            var filled = from.Fill(piece, 64)!;
            arrived = to.Receive(filled);
            piece = piece with { Offset = filled.Offset + filled.Bytes.Length };
        }

        to.Load(to.Open()!).Length.ShouldBe(1000);
        from.Save(new(new(4, 1), s_members), (byte[])[]);
        from.Fill(piece with { Offset = 0 }, 64).ShouldNotBeNull("the one before is kept for whoever is being sent it");
        from.Save(new(new(5, 1), s_members), (byte[])[]);
        from.Fill(piece with { Offset = 0 }, 64).ShouldBeNull();
    }

    /// <summary>Nor does reading it, checking it and sending it: what the process has is a few blocks.</summary>
    [Fact]
    public void ASnapshotTakesNoMemoryOfItsSize()
    {
        const int Megabytes = 64;
        var path = Directory.CreateTempSubdirectory("nomadstack-raft-").FullName;
        var store = new SnapshotStore(new RaftFolder(path));
        var meta = new SnapshotMeta(new(3, 1), s_members);
        var block = new byte[1 << 20];
        new Random(1).NextBytes(block);
        var before = GC.GetAllocatedBytesForCurrentThread();

        store.Save(meta, to =>
        {
            for (var i = 0; i < Megabytes; i++) to.Write(block);
        }).ShouldBe(Megabytes << 20);
        new SnapshotStore(new RaftFolder(path)).Open().ShouldNotBeNull();
        using (var state = store.Load(meta))
        {
            var read = new byte[1 << 20];
            for (var i = 0; i < Megabytes; i++)
            {
                state.ReadExactly(read);
                read.AsSpan().SequenceEqual(block).ShouldBeTrue();
            }

            state.ReadByte().ShouldBe(-1);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(8 << 20);
        Directory.GetFiles(path).ShouldHaveSingleItem();
        Directory.Delete(path, recursive: true);
    }

    /// <summary>In the layout of the release before: one frame around position, membership and state.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(65536)]
    [InlineData(65536 * 3 + 1)]
    public void ASnapshotIsOneFrameHoweverItWasWritten(int size)
    {
        var state = new byte[size];
        new Random(size).NextBytes(state);
        var meta = new SnapshotMeta(new(3, 1), s_members);
        var writer = new WireWriter();
        writer.Position(meta.Position);
        meta.Configuration.Write(writer);
        writer.Bytes(state);
        var store = new SnapshotStore(_disk);

        store.Save(meta, state);

        _disk.ContentOf(_disk.List().ShouldHaveSingleItem()).ShouldBe(Frame.Wrap(writer.Written, 0, 0));
        store.Bytes(store.Open()!).ShouldBe(state);
    }

    [Fact]
    public void ARealFolderHoldsTheSame()
    {
        var path = Directory.CreateTempSubdirectory("nomadstack-raft-").FullName;
        var folder = new RaftFolder(Path.Combine(path, "raft"));
        using (var storage = RaftStorage.Open(folder, s_options, out _))
        {
            storage.Log.Append(new(new(2, "s1"), null, [Entry(1, 1), Entry(2, 2)], 0));
            storage.Snapshots.Save(new(new(1, 1), s_members), new byte[] { 7 });
        }

        using (RaftStorage.Open(folder, s_options, out var recovered))
        {
            recovered.HardState.ShouldBe(new(2, "s1"));
            recovered.Base.ShouldBe(new(1, 1));
            recovered.Entries.ShouldHaveSingleItem().Term.ShouldBe(2);
            recovered.Snapshot!.Position.ShouldBe(new(1, 1));
        }

        Should.Throw<InvalidOperationException>(() => RaftStorage.Bootstrap(folder, s_members, s_options));
        Directory.Delete(path, recursive: true);
    }

    /// <summary>A log of two frames behind the segment's own, and where the second begins: until its fsync nobody was told of it.</summary>
    /// <summary>What the log says was acknowledged: of the first batch, and of both.</summary>
    private byte[] _said = [], _bothSaid = [];

    private (byte[] Whole, int Acknowledged) TwoBatches()
    {
        using var log = Open(out _);
        log.Append(new(new(1, "s1"), null, [Entry(1, 1), Entry(2, 1)], 0));
        var (acknowledged, said) = (_disk.ContentOf(First).Length, _disk.ContentOf(Acknowledgements.FileName));
        log.Append(new(new(2, "s2"), null, [Entry(3, 2)], 0));
        _bothSaid = _disk.ContentOf(Acknowledgements.FileName);
        // As after a power cut in the second.
        _disk.Overwrite(Acknowledgements.FileName, _said = said);
        return (_disk.ContentOf(First), acknowledged);
    }

    private static byte[] Flipped(byte[] bytes, int at)
    {
        byte[] flipped = [.. bytes];
        flipped[at] ^= 0x10;
        return flipped;
    }

    private RaftLog Open(out List<LogEntry> entries, long segmentBytes = 1 << 20) => RaftLog.Open(_disk, segmentBytes, out entries);

    private static LogEntry Entry(long index, long term) => new(index, term, EntryKind.Command, new byte[] { (byte)index, (byte)term, 0, 1, 2 });
}
