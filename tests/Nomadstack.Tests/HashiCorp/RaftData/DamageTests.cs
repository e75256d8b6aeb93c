// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.HashiCorp.RaftData;

/// <summary>Files that a disk has damaged anywhere: each is told or read, in no time and with no memory to speak of.</summary>
public sealed class DamageTests : IDisposable
{
    private const long MostBytes = 64 * 1024 * 1024;
    private const int Seed = 20240611;
    private static readonly TimeSpan s_most = TimeSpan.FromSeconds(1);

    private readonly RaftFolderOnDisk _raft = new();
    private readonly Random _random = new(Seed);
    private readonly Dictionary<RaftDataState, int> _seen = [];

    public void Dispose() => _raft.Dispose();

    [Fact]
    public void AnyByteOfALogMayBeWrong()
    {
        var file = Log();
        // Of the zeros, most of which nobody reads, every seventh.
        foreach (var at in Enumerable.Range(0, file.Length).Where(at => file[at] != 0 || at % 7 == 0)) Damaged("raft.db", file, at);

        // Blank would be a lie.
        _seen.Keys.ShouldBe([RaftDataState.Present, RaftDataState.Unreadable], ignoreOrder: true);
    }

    [Fact]
    public void AMetaPageMayBeWholeAndWrong()
    {
        var file = Log();
        for (var round = 0; round < 8; round++)
        {
            for (var at = 0; at < 56; at++)
            {
                var damaged = file.ToArray();
                foreach (var page in new[] { 0, 1024 })
                {
                    var meta = damaged.AsSpan(page + 16, 64);
                    meta[at] = (byte)_random.Next(256);
                    BoltBuilder.Seal(meta);
                }

                Read("raft.db", damaged, $"meta {at}");
            }
        }

        _seen.ShouldContainKey(RaftDataState.Unreadable);
    }

    [Fact]
    public void ALogMayEndAnywhere()
    {
        var file = Log();
        for (var length = 1; length < file.Length; length += 37) Read("raft.db", file[..length], $"{length} bytes");

        _seen.ShouldContainKey(RaftDataState.Unreadable);
    }

    [Fact]
    public void BlocksOfAFileMayBeOthersOfTheSame()
    {
        var file = Log();
        for (var round = 0; round < 500; round++)
        {
            var damaged = file.ToArray();
            var (from, to) = (_random.Next(2, file.Length / 1024), _random.Next(2, file.Length / 1024));
            file.AsSpan(from * 1024, 1024).CopyTo(damaged.AsSpan(to * 1024));
            // The page says that it is the one that is looked for, so that its content is believed.
            BitConverter.GetBytes((ulong)to).CopyTo(damaged, to * 1024);
            Read("raft.db", damaged, $"{from} over {to}");
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AnyByteOfASegmentMayBeWrong(bool isSealed)
    {
        var segment = new WalBuilder(1, 1);
        for (var index = 1; index <= 30; index++)
        {
            if (index % 10 == 1) segment.Entry(index, 1, RaftRecords.Configuration, RaftRecords.ConfigurationOf(RaftRecords.Peers(3)));
            else segment.Entry(index, 2);
            if (index % 5 == 0) segment.Commit();
        }

        if (isSealed) segment.Seal();
        _raft.Write("wal/wal-meta.db", WalBuilder.Meta(2, isSealed ? segment.Info(1, 30) : segment.Info(1, 0)));
        var file = segment.File(64);
        for (var at = 0; at < file.Length; at++) Damaged(segment.Name, file, at);
        for (var length = 0; length < file.Length; length += 5) Read(segment.Name, file[..length], $"{length} bytes");

        _seen.ShouldContainKey(RaftDataState.Present);
        _seen.ShouldContainKey(RaftDataState.Unreadable);
    }

    [Fact]
    public void AnyByteOfASnapshotsMetaMayBeWrong()
    {
        var name = _raft.WriteSnapshot(2, 20, 1, RaftRecords.Peers(3));
        var meta = $"snapshots/{name}/meta.json";
        var file = File.ReadAllBytes(_raft.File(meta));
        for (var at = 0; at < file.Length; at++) Damaged(meta, file, at);

        _seen.Keys.ShouldBe([RaftDataState.Present, RaftDataState.Unreadable], ignoreOrder: true);
    }

    /// <summary>Small pages, three levels, buckets of both kinds, an entry that is larger than a page.</summary>
    private static byte[] Log()
    {
        var bolt = new BoltBuilder(1024, 4).Bucket("conf", RaftRecords.Term(3)).Bucket("logs",
            [RaftRecords.Entry(1, 1, RaftRecords.Configuration, RaftRecords.ConfigurationOf(RaftRecords.Peers(3))), .. Enumerable.Range(2, 19).Select(i => RaftRecords.Entry(i, 2, data: i == 9 ? new byte[1500] : null, modern: i % 2 == 0))]);
        bolt.Inline.Add("conf");
        return bolt.Build();
    }

    private void Damaged(string name, byte[] file, int at)
    {
        var damaged = file.ToArray();
        damaged[at] ^= (byte)_random.Next(1, 256);
        Read(name, damaged, $"byte {at}");
    }

    private void Read(string name, byte[] content, string what)
    {
        _raft.Write(name, content);
        var (clock, before) = (Stopwatch.StartNew(), GC.GetAllocatedBytesForCurrentThread());
        var found = Should.NotThrow(_raft.Read, what);
        clock.Elapsed.ShouldBeLessThan(s_most, what);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(MostBytes, what);
        if (found.State == RaftDataState.Unreadable) found.Why.ShouldNotBeNullOrEmpty(what);
        _seen[found.State] = _seen.GetValueOrDefault(found.State) + 1;
    }
}
