// SPDX-License-Identifier: MPL-2.0
using System.Text;
using Nomadstack.Tests.Operations;
using Nomadstack.Timeline;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Timeline;

public sealed class JournalTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-timeline-").FullName;
    private readonly ManualTime _time = new();
    private readonly List<string> _said = [];

    private string File => Path.Combine(_folder, "timeline.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void WhatIsToldIsReadAgainWithTimeBootAndNumber()
    {
        var journal = Open(boot: "b1");
        journal.Tell(EventKinds.GateClosed, "The gate waits for quorum.", (EventFields.Reason, "quorum"));
        _time.Pass(1.5);
        journal.Tell(EventKinds.GateOpened, "The gate is open.");

        var (first, second) = All() switch { [var a, var b] => (a, b), var other => throw new InvalidOperationException($"{other.Count} events") };

        (first.At, first.Boot, first.Number, first.Node, first.Kind, first.Text, first.Field(EventFields.Reason)).ShouldBe((_time.GetUtcNow().AddSeconds(-1.5), "b1", 1, "n1", "gate.closed", "The gate waits for quorum.", "quorum"));
        (second.At, second.Number, second.Fields.Count).ShouldBe((_time.GetUtcNow(), 2, 0));
    }

    [Fact]
    public void NumbersGoOnOverRestartsAndANewBootIsSeen()
    {
        Open(boot: "b1").Tell(EventKinds.AgentStarted, "started");

        var next = Open(boot: "b2");
        next.Open();
        next.Last.ShouldNotBeNull().Boot.ShouldBe("b1");
        next.LastOfAgent.ShouldNotBeNull().Kind.ShouldBe(EventKinds.AgentStarted);
        next.Tell(EventKinds.ColdBoot, "cold");

        All().Select(e => (e.Number, e.Boot)).ShouldBe([(1, "b1"), (2, "b2")]);
    }

    [Theory]
    [InlineData("{\"at\":\"2030-01-01T00:00:00.000Z\",\"boot\":\"b1\",\"num")]
    [InlineData("\0\0\0\0\0\0\0\0")]
    [InlineData("not json at all")]
    [InlineData("{}\n")]
    [InlineData("[1,2]\n")]
    [InlineData("null\n")]
    public void ATornLineIsPassedOverAndTheNextOneCounts(string torn)
    {
        Open().Tell(EventKinds.AgentStarted, "before");
        System.IO.File.AppendAllText(File, torn);

        Open().Tell(EventKinds.AgentStarted, "after");

        All().Select(e => (e.Number, e.Text)).ShouldBe([(1, "before"), (2, "after")]);
    }

    [Fact]
    public void AFullFileBecomesTheOneBeforeAndTogetherTheyStayBounded()
    {
        var journal = Open(limit: 2000);
        for (var i = 0; i < 200; i++) journal.Tell(EventKinds.PeerBack, $"event {i}");

        var files = Directory.GetFiles(_folder);
        files.Select(Path.GetFileName).ShouldBe(["timeline.jsonl", "timeline.jsonl.1"], ignoreOrder: true);
        files.Sum(f => new FileInfo(f).Length).ShouldBeLessThanOrEqualTo(4000);
        var numbers = All().Select(e => e.Number).ToList();
        numbers[^1].ShouldBe(200);
        numbers.ShouldBe(Enumerable.Range((int)numbers[0], numbers.Count).Select(n => (long)n));
        Open(limit: 2000).Tell(EventKinds.PeerBack, "next");
        All()[^1].Number.ShouldBe(201);
    }

    [Fact]
    public void ManyWritersLoseNothingAndTearNothing()
    {
        var journal = Open();
        Parallel.For(0, 8, writer =>
        {
            for (var i = 0; i < 50; i++) journal.Tell(EventKinds.OperationStep, $"{writer}/{i}");
        });

        var all = All();
        all.Select(e => e.Number).ShouldBe(Enumerable.Range(1, 400).Select(n => (long)n));
        all.Select(e => e.Text).Distinct().Count().ShouldBe(400);
        System.IO.File.ReadAllLines(File).Length.ShouldBe(400);
    }

    [Fact]
    public void ADiskThatTakesNothingHurtsNobodyAndIsSaidOnce()
    {
        // As a full disk: every write to it fails with ENOSPC.
        System.IO.File.CreateSymbolicLink(File, "/dev/full");
        var journal = Open();
        for (var i = 0; i < 3; i++) journal.Tell(EventKinds.DiskShort, $"lost {i}");

        _said.Count.ShouldBe(1);
        _said[0].ShouldContain(File);
        System.IO.File.Delete(File);
        journal.Tell(EventKinds.DiskRoomy, "there is room again");

        All().Select(e => (e.Kind, e.Field(EventFields.Lost))).ShouldBe([(EventKinds.Gap, "3"), (EventKinds.DiskRoomy, "")]);
        System.IO.File.CreateSymbolicLink(File + ".full", "/dev/full");
        System.IO.File.Move(File + ".full", File, overwrite: true);
        journal.Tell(EventKinds.DiskShort, "lost again");
        _said.Count.ShouldBe(2, "it had worked in between");
    }

    [Fact]
    public void AFolderThatIsNotThereHurtsNobody()
    {
        var journal = new Journal(Path.Combine(_folder, "gone", "timeline.jsonl"), "n1", "b1", _time, _said.Add);

        journal.Open();
        journal.Tell(EventKinds.AgentStarted, "started");
        journal.Sync();

        _said.Count.ShouldBe(1);
    }

    [Fact]
    public void ForeignWordsAreBounded()
    {
        Open().Tell(EventKinds.GateClosed, new string('x', 10_000), (EventFields.Reason, string.Concat(Enumerable.Repeat("😀", 5_000))));

        new FileInfo(File).Length.ShouldBeLessThan(8_000);
        All().Single().Text.Length.ShouldBeLessThan(1_000);
    }

    [Fact]
    public void OnlyItsUserReadsIt()
    {
        Open().Tell(EventKinds.AgentStarted, "started");

        System.IO.File.GetUnixFileMode(File).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public void AnAnswerHasTheNewestThatWereAskedForAndSaysWhatItLeftOut()
    {
        var journal = Open();
        for (var i = 0; i < 10; i++)
        {
            journal.Tell(i % 2 == 0 ? EventKinds.GateClosed : EventKinds.PeerLost, $"event {i}");
            _time.Pass(60);
        }

        Read(new(Kind: "gate")).ShouldBe("event 0, event 2, event 4, event 6, event 8");
        Read(new(Kind: "gate") { Most = 2 }).ShouldBe("event 6, event 8 and older");
        Read(new(Since: _time.GetUtcNow().AddSeconds(-150))).ShouldBe("event 8, event 9");
        Read(new(Node: "n2")).ShouldBe("");
        Read(new() { Most = -1 }).ShouldBe("event 9 and older");
    }

    [Fact]
    public void AnAnswerIsNoLongerThanAMessage()
    {
        var journal = Open();
        for (var i = 0; i < 3000; i++) journal.Tell(EventKinds.GateClosed, new string('y', 590), (EventFields.Reason, new string('z', 290)));

        var part = JournalFile.Read(File, new TimelineQuery());

        part.Cut.ShouldBeTrue();
        Encoding.UTF8.GetByteCount(System.Text.Json.JsonSerializer.Serialize(part, TimelineJson.Default.TimelinePart)).ShouldBeLessThan(Nomadstack.Peers.SyncLimits.BodyBytes / 2);
    }

    [Fact]
    public void WhatIsNewIsFoundInAFileOfAnyLength()
    {
        var journal = Open();
        for (var i = 0; i < 2000; i++)
        {
            journal.Tell(EventKinds.GateClosed, new string('y', 300));
            _time.Pass(1);
        }

        foreach (var seconds in new[] { 1, 300, 1999, 5000 }) JournalFile.Read(File, new(Since: _time.GetUtcNow().AddSeconds(-seconds))).Events.Count.ShouldBe(Math.Min(seconds, 2000));
    }

    private string Read(TimelineQuery query)
    {
        var part = JournalFile.Read(File, query);
        return string.Join(", ", part.Events.Select(e => e.Text)) + (part.Cut ? " and older" : "");
    }

    private List<TimelineEvent> All() => [.. JournalFile.Events(File)];

    private Journal Open(string boot = "b1", long limit = Journal.DefaultLimit) => new(File, "n1", boot, _time, _said.Add, limit);
}
