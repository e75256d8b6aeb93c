// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.HashiCorp.RaftData;

/// <summary>Every form that a bbolt file may have.</summary>
public sealed class BoltLogTests : IDisposable
{
    private const int Entries = 300;
    private readonly RaftFolderOnDisk _raft = new();

    public void Dispose() => _raft.Dispose();

    [Theory]
    [InlineData(4096, int.MaxValue)]
    [InlineData(4096, 2)]
    [InlineData(4096, 3)]
    [InlineData(1024, int.MaxValue)]
    [InlineData(16384, 5)]
    [InlineData(65536, int.MaxValue)]
    public void ALogOfAnyShapeIsRead(int pageSize, int fanOut)
    {
        _raft.Write("raft.db", Log(new(pageSize, fanOut)).Build());

        ShouldBeTheLog();
    }

    [Theory]
    [InlineData(4096, 0)]
    [InlineData(4096, 1)]
    [InlineData(16384, 0)]
    [InlineData(65536, 0)]
    [InlineData(65536, 1)]
    public void OfTwoMetaPagesAPowerCutMayTearTheOneThatIsWritten(int pageSize, int torn)
    {
        // The newest commit is in the other page: an even one in the first, an odd one in the second.
        var file = Log(new(pageSize) { Transaction = torn == 0 ? 7UL : 8UL }).Build();
        file.AsSpan(torn * pageSize, 512).Clear();
        _raft.Write("raft.db", file);

        ShouldBeTheLog();
    }

    [Fact]
    public void WithoutAnyMetaPageItIsNoSuchFile()
    {
        var file = Log(new()).Build();
        file.AsSpan(0, 2 * 4096).Clear();
        _raft.Write("raft.db", file);

        _raft.Read().Why.ShouldNotBeNull().ShouldContain("raft.db is damaged");
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(2, 3)]
    [InlineData(3, 10)]
    public void APageThatLostItsFirstKeysIsPassedOver(int lost, int fanOut)
    {
        // Entries that a restore has burnt; the page above still leads there.
        _raft.Write("raft.db", Log(new(4096, fanOut) { LostFirstKeys = lost }).Build());

        var found = _raft.Read();

        (found.State, found.LastIndex, found.PeersIndex).ShouldBe((RaftDataState.Present, Entries, 1));
    }

    [Fact]
    public void ABucketMayStandWithinItsValue()
    {
        var bolt = new BoltBuilder().Bucket("conf", RaftRecords.Term(4)).Bucket("logs", Configuration(1, 2), RaftRecords.Entry(2, 3));
        bolt.Inline.UnionWith(["conf", "logs"]);
        _raft.Write("raft.db", bolt.Build());

        var found = _raft.Read();

        (found.Term, found.LastTerm, found.LastIndex, found.PeersIndex).ShouldBe((4, 3, 2, 1));
    }

    [Theory]
    [InlineData(5_000)]
    [InlineData(1_000_000)]
    public void AnEntryMayBeLargerThanAPage(int size)
    {
        _raft.WriteLog(Configuration(1, 1), RaftRecords.Entry(2, 1, data: new byte[size]), RaftRecords.Entry(3, 1), RaftRecords.Entry(4, 2, data: new byte[size]));

        (_raft.Read().LastIndex, _raft.Read().LastTerm, _raft.Read().PeersIndex).ShouldBe((4, 2, 1));
    }

    [Theory]
    [InlineData(1, RaftDataState.Blank)]
    [InlineData(2, RaftDataState.Unreadable)]
    public void ADatabaseWithoutItsBucketsIsNewOrAnothers(int transaction, object state)
    {
        _raft.Write("raft.db", new BoltBuilder { Transaction = (ulong)transaction }.Build());

        _raft.Read().State.ShouldBe((RaftDataState)state);
    }

    [Fact]
    public void AnEntryUnderTheIndexOfAnotherIsDamage()
    {
        _raft.WriteLog(RaftRecords.Entry(1, 1), (BoltBuilder.Key(2), RaftRecords.Entry(5, 1).Value));

        _raft.Read().Why.ShouldNotBeNull().ShouldContain("entry 2");
    }

    private static (byte[] Key, byte[] Value) Configuration(long index, int servers) => RaftRecords.Entry(index, 1, RaftRecords.Configuration, RaftRecords.ConfigurationOf(RaftRecords.Peers(servers)));

    /// <summary>Its only configuration is its first entry, so all of it is read.</summary>
    private static BoltBuilder Log(BoltBuilder bolt) => bolt.Bucket("conf", RaftRecords.Term(6))
        .Bucket("logs", [Configuration(1, 3), .. Enumerable.Range(2, Entries - 1).Select(i => RaftRecords.Entry(i, 1 + i / 100, modern: i % 2 == 0))]);

    private void ShouldBeTheLog()
    {
        var found = _raft.Read();
        found.Why.ShouldBeNull();
        (found.State, found.Term, found.LastTerm, found.LastIndex, found.PeersIndex).ShouldBe((RaftDataState.Present, 6, 4, Entries, 1));
        found.Peers.ShouldBe(RaftRecords.Peers(3));
    }
}
