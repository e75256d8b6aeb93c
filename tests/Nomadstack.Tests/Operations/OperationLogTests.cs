// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Operations;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Operations;

public sealed class OperationLogTests : IDisposable
{
    private readonly ManualTime _time = new();
    private readonly NodePaths _paths = new(Directory.CreateTempSubdirectory("nomadstack-operations-").FullName);

    [Fact]
    public void AKilledAgentFindsTheUnfinishedOne()
    {
        var begun = Log().Begin("bootstrap", new Dictionary<string, string> { ["servers"] = "3" });
        begun.Step("mint");
        _time.Pass(2);
        begun.Step("start");

        var found = Log().Unfinished("bootstrap").ShouldNotBeNull();

        found.Current.Id.ShouldBe(begun.Current.Id);
        found.Current.Step.ShouldBe("start");
        found.Current.Done.ShouldBe([new StepDone("mint", 2)]);
        found.Current.StepStartedAt.ShouldBe(_time.GetUtcNow());
        found.Request.ShouldBe([new("servers", "3")]);
        found.Undoing.ShouldBeFalse();
    }

    [Fact]
    public void TheIntentIsOnDiskAsSoonAsItHasBegun() => Log().Begin("join").Current.ShouldSatisfyAllConditions(
        o => OnDisk(o).Operation.Id.ShouldBe(o.Id),
        o => OnDisk(o).Operation.State.ShouldBe(Operation.Running));

    [Fact]
    public void TheIntentToUndoSurvivesTheAgent()
    {
        Log().Begin("bootstrap").IntendUndo();

        Log().Unfinished("bootstrap").ShouldNotBeNull().Undoing.ShouldBeTrue();
    }

    [Fact]
    public void OnlyTheKindThatIsAskedForIsFound()
    {
        var log = Log();
        log.Begin("hand-over");

        log.Unfinished("bootstrap").ShouldBeNull();
    }

    [Theory]
    [InlineData(Operation.Finished)]
    [InlineData(Operation.Failed)]
    [InlineData(Operation.Refused)]
    public void AnEndedOneIsNotContinued(string state)
    {
        var log = Log();
        End(log.Begin("bootstrap"), state);

        log.Unfinished("bootstrap").ShouldBeNull();
        Log().Unfinished("bootstrap").ShouldBeNull();
        Log().All.ShouldHaveSingleItem().State.ShouldBe(state);
    }

    [Fact]
    public void EachStepKnowsHowLongItTook()
    {
        var run = Log().Begin("bootstrap");
        run.Step("one");
        _time.Pass(1.25);
        run.Step("two");
        _time.Pass(0.5);
        run.Step("two");
        _time.Pass(0.5);
        run.Finish();

        run.Current.Done.ShouldBe([new StepDone("one", 1.2), new StepDone("two", 1)]);
        run.Current.EndedAt.ShouldBe(_time.GetUtcNow());
        run.Current.Reason.ShouldBeEmpty();
    }

    [Fact]
    public void AStepThatFailedIsNotCountedAsDone()
    {
        var run = Log().Begin("bootstrap");
        run.Step("one");
        run.Step("two");
        run.Fail(new("x/y", "It broke.", "Why.", "Fix."));

        run.Current.Done.Select(s => s.Step).ShouldBe(["one"]);
        run.Current.Step.ShouldBe("two");
    }

    [Fact]
    public void ANewStepWaitsForNothingYet()
    {
        var run = Log().Begin("bootstrap");
        run.Step("one");
        run.WaitFor("a leader");
        run.Current.Reason.ShouldBe("a leader");
        run.Step("two");

        run.Current.Reason.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(true, Operation.Refused)]
    [InlineData(false, Operation.Failed)]
    public void WhatIsUnsafeIsRefusedAndTheRestFailed(bool isUnsafe, string state)
    {
        var run = Log().Begin("drain");
        var problem = new Problem("drain/last", "This node holds the last server.", "Why.", "Fix.") { Unsafe = isUnsafe };
        run.Fail(problem);

        OnDisk(run.Current).Operation.ShouldSatisfyAllConditions(o => o.State.ShouldBe(state), o => o.Problem.ShouldBe(problem), o => o.Reason.ShouldBe(problem.What));
    }

    [Fact]
    public void TheFileIsWholeAfterEachCall()
    {
        var run = Log().Begin("bootstrap");
        foreach (var act in (Action[])[() => run.Step("one"), () => run.Step("two"), run.IntendUndo, () => run.Step("undo"), () => run.Fail(new("x/y", "What.", "Why.", "Fix."))])
        {
            act();

            var read = OnDisk(run.Current);
            (read.Operation.Step, read.Operation.State, read.Undoing).ShouldBe((run.Current.Step, run.Current.State, run.Undoing));
            read.Operation.Done.ShouldBe(run.Current.Done);
        }
    }

    [Fact]
    public void AllAreListedNewestFirst()
    {
        var log = Log();
        List<string> ids = [];
        foreach (var kind in (string[])["bootstrap", "join", "drain"])
        {
            ids.Insert(0, log.Begin(kind).Current.Id);
            _time.Pass(1);
        }

        log.All.Select(o => o.Id).ShouldBe(ids);
        Log().All.Select(o => o.Id).ShouldBe(ids);
        log.Find(ids[1]).ShouldNotBeNull().Current.Kind.ShouldBe("join");
        log.Find("nobody").ShouldBeNull();
    }

    [Fact]
    public void AtTheNextStartOnlyTheNewestTwentyFinishedAreKeptAndEveryRunningOne()
    {
        var log = Log();
        var running = log.Begin("bootstrap").Current.Id;
        List<string> finished = [];
        for (var i = 0; i < 23; i++)
        {
            _time.Pass(1);
            var run = log.Begin("hand-over");
            run.Step("hand over");
            run.Finish();
            finished.Add(run.Current.Id);
        }

        Log().All.Select(o => o.Id).ShouldBe([.. finished.Skip(3).Reverse(), running]);
        Directory.GetFiles(_paths.Operations).Select(f => Path.GetFileName(f).Split(".json")[0]).Distinct().ShouldBe([.. finished.Skip(3), running], ignoreOrder: true);
    }

    [Fact]
    public void ADamagedFileIsNotPassedOver()
    {
        Log().Begin("bootstrap");
        File.WriteAllText(Directory.GetFiles(_paths.Operations, "*.json").Single(), "{");

        Should.Throw<ProblemException>(Log).Problem.Code.ShouldBe("storage/torn");
    }

    public void Dispose() => Directory.Delete(_paths.Data, recursive: true);

    private OperationLog Log()
    {
        var log = new OperationLog(_paths, _time);
        log.Load();
        return log;
    }

    private OperationFile OnDisk(Operation operation) =>
        new DurableFile<OperationFile>(Path.Combine(_paths.Operations, operation.Id + ".json"), OperationFile.CurrentSchema, OperationsJson.Default.OperationFile).Read().ShouldNotBeNull();

    private static void End(OperationRun run, string state)
    {
        if (state == Operation.Finished) run.Finish();
        else run.Fail(new Problem("x/y", "What.", "Why.", "Fix.") { Unsafe = state == Operation.Refused });
    }
}
