// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Engine.Raft;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Raft;

/// <summary>What a server's folder says to one who may only look.</summary>
public sealed class RaftSummaryTests : IDisposable
{
    private static readonly RaftConfiguration s_one = new([new("s1", "s1:4647", Suffrage.Voter)]);
    private static readonly RaftConfiguration s_two = new([new("s1", "s1:4647", Suffrage.Voter), new("s2", "s2:4647", Suffrage.Staging)]);

    private readonly string _temporary = Directory.CreateTempSubdirectory("nomadstack-raft-").FullName;

    private string Folder => Path.Combine(_temporary, "server", "raft");

    public void Dispose() => Directory.Delete(_temporary, recursive: true);

    [Fact]
    public void WhereNothingIsNothingIsMade()
    {
        var summary = RaftSummary.Read(Folder);

        (summary.Term, summary.Last, summary.Peers.Servers.Count).ShouldBe((0, default, 0));
        Directory.Exists(Path.Combine(_temporary, "server")).ShouldBeFalse();
    }

    [Fact]
    public void ItSaysTermLastEntryAndPeers()
    {
        Write(storage =>
        {
            storage.Log.Append(new(new(3, "s1"), null, [new(1, 1, EntryKind.Configuration, s_one.Encode()), Command(2, 1)], 0));
            storage.Log.Append(new(new(5, "s1"), null, [new(3, 4, EntryKind.Configuration, s_two.Encode()), Command(4, 4)], 0));
        });

        using var json = JsonDocument.Parse(RaftSummary.Read(Folder).ToJson());

        JsonSerializer.Serialize(json.RootElement).ShouldBe("""{"term":5,"lastTerm":4,"lastIndex":4,"peersIndex":3,"peers":[{"id":"s1","address":"s1:4647","voter":true},{"id":"s2","address":"s2:4647","voter":false}]}""");
    }

    [Fact]
    public void WhatTheLogNoLongerHasIsInTheSnapshot()
    {
        Write(storage =>
        {
            storage.Log.Append(new(new(2, null), null, [new(1, 1, EntryKind.Configuration, s_one.Encode()), Command(2, 2)], 0));
            storage.Snapshots.Save(new(new(9, 2), s_two), new byte[] { 7 });
        });

        var summary = RaftSummary.Read(Folder);

        (summary.Last, summary.PeersIndex, summary.Peers).ShouldBe((new LogPosition(9, 2), 9, s_two));
    }

    [Fact]
    public void AnUnfinishedWriteIsPassedOverAndStays()
    {
        Write(storage => storage.Log.Append(new(new(1, "s1"), null, [new(1, 1, EntryKind.Configuration, s_one.Encode()), Command(2, 1)], 0)));
        var log = Directory.GetFiles(Folder, "log-*").Single();
        File.AppendAllText(log, "half of a frame");
        File.WriteAllText(Path.Combine(Folder, "saving.tmp"), "half of a snapshot");
        var before = Content();

        RaftSummary.Read(Folder).Last.ShouldBe(new(2, 1));

        Content().ShouldBe(before);
    }

    [Fact]
    public void DamageIsToldAndLeftAlone()
    {
        Write(storage =>
        {
            storage.Log.Append(new(new(1, "s1"), null, [Command(1, 1)], 0));
            storage.Log.Append(new(null, null, [Command(2, 1)], 0));
        });
        var log = Directory.GetFiles(Folder, "log-*").Single();
        var bytes = File.ReadAllBytes(log);
        bytes[^1] ^= 1;
        File.WriteAllBytes(log, bytes);
        var before = Content();

        Should.Throw<RaftDamageException>(() => RaftSummary.Read(Folder)).Message.ShouldContain("damaged");

        Content().ShouldBe(before);
    }

    [Fact]
    public async Task ItIsReadWhileAServerWrites()
    {
        const int entries = 2000;
        var options = new RaftOptions { SegmentBytes = 2048 };
        using var storage = RaftStorage.Open(new RaftFolder(Folder), options, out _);
        storage.Log.Append(new(new(1, "s1"), null, [new(1, 1, EntryKind.Configuration, s_one.Encode())], 0));

        var writing = Task.Run(() =>
        {
            for (var index = 2L; index <= entries; index++)
            {
                storage.Log.Append(new(null, null, [Command(index, 1)], 0));
                if (index % 100 != 0) continue;
                storage.Snapshots.Save(new(new(index, 1), s_one), new byte[100]);
                storage.Log.Append(new(null, null, [], index - 50));
            }
        });
        var (last, read) = (0L, 0);
        while (!writing.IsCompleted)
        {
            var summary = RaftSummary.Read(Folder);
            summary.Last.Index.ShouldBeGreaterThanOrEqualTo(last);
            summary.Peers.ShouldBe(s_one);
            (last, read) = (summary.Last.Index, read + 1);
        }

        await writing;
        read.ShouldBeGreaterThan(1);
        RaftSummary.Read(Folder).Last.ShouldBe(new(entries, 1));
    }

    private static LogEntry Command(long index, long term) => new(index, term, EntryKind.Command, new byte[] { 1, 2, 3 });

    private void Write(Action<RaftStorage> write)
    {
        using var storage = RaftStorage.Open(new RaftFolder(Folder), new RaftOptions(), out _);
        write(storage);
    }

    private string Content() => string.Join('\n', Directory.GetFiles(Folder).Order(StringComparer.Ordinal).Select(f => $"{Path.GetFileName(f)} {Convert.ToHexString(File.ReadAllBytes(f))}"));
}
