// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.State;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Scheduling;

public sealed class EvalBrokerTests
{
    private readonly EvalBroker _broker;
    private DateTimeOffset _now = Specimens.Start;
    private int _tokens;

    public EvalBrokerTests() => _broker = new EvalBroker(() => $"token{++_tokens}");

    [Fact]
    public void GivesTheMostImportantFirstThenTheOldest()
    {
        Enqueue("a", priority: 50, index: 1);
        Enqueue("b", priority: 90, index: 3);
        Enqueue("c", priority: 90, index: 2);
        Enqueue("d", priority: 50, index: 0, type: JobType.System);

        Enumerable.Range(0, 4).Select(_ => Dequeue()!.Evaluation.ID).ShouldBe(["c", "b", "d", "a"]);
        Dequeue().ShouldBeNull();
    }

    [Fact]
    public void GivesOnlyWhatTheWorkerCanProcess()
    {
        Enqueue("a", type: JobType.System);

        _broker.Dequeue([JobType.Service, JobType.Batch], _now).ShouldBeNull();
        _broker.Dequeue([JobType.System], _now)!.Evaluation.ID.ShouldBe("a");
    }

    [Fact]
    public void WorksOnAJobOneEvaluationAtATime()
    {
        Enqueue("a", job: "web");
        Enqueue("b", job: "web", priority: 90);
        Enqueue("c", job: "other");
        var first = Dequeue()!;

        (first.Evaluation.ID, Dequeue()!.Evaluation.ID, Dequeue()).ShouldBe(("a", "c", null));
        _broker.BehindCount.ShouldBe(1);
        _broker.Ack("a", first.Token, _now).ShouldBeTrue();

        Dequeue()!.Evaluation.ID.ShouldBe("b");
    }

    [Fact]
    public void TakesAnEvaluationOnce()
    {
        Enqueue("a");
        Enqueue("a");

        Dequeue().ShouldNotBeNull();
        Enqueue("a");
        Dequeue().ShouldBeNull();
    }

    [Fact]
    public void BelievesOnlyTheTokenOfTheLastDelivery()
    {
        Enqueue("a");
        var first = Dequeue()!;

        _broker.Ack("a", "forged", _now).ShouldBeFalse();
        _broker.Nack("a", "forged", _now).ShouldBeFalse();
        _broker.Extend("a", "forged", _now).ShouldBeFalse();
        _broker.Ack("a", first.Token, _now).ShouldBeTrue();
        _broker.Ack("a", first.Token, _now).ShouldBeFalse();
    }

    [Fact]
    public void GivesToAnotherWhatNobodyAnswersForInTime()
    {
        Enqueue("a");
        var first = Dequeue()!;
        _broker.NextDue.ShouldBe(_now + EvalBroker.NackTimeout);
        Pass(50);
        _broker.Extend("a", first.Token, _now).ShouldBeTrue();
        Pass(59);
        Dequeue().ShouldBeNull();
        Pass(1);
        Dequeue().ShouldBeNull();
        Pass(1);

        var second = Dequeue()!;
        second.Token.ShouldNotBe(first.Token);
        _broker.Ack("a", first.Token, _now).ShouldBeFalse();
        _broker.Ack("a", second.Token, _now).ShouldBeTrue();
    }

    [Fact]
    public void ComesBackLaterEachTimeAndIsGivenUpAfterTheThird()
    {
        Enqueue("a");
        _broker.Nack("a", Dequeue()!.Token, _now);
        Dequeue().ShouldBeNull();
        Pass(1);
        _broker.Nack("a", Dequeue()!.Token, _now);
        Pass(19);
        Dequeue().ShouldBeNull();
        Pass(1);
        _broker.Nack("a", Dequeue()!.Token, _now);

        Dequeue().ShouldBeNull();
        var givenUp = _broker.DequeueFailed(_now)!;
        givenUp.Evaluation.ID.ShouldBe("a");
        _broker.Ack("a", givenUp.Token, _now).ShouldBeTrue();
        (_broker.ReadyCount, _broker.OutstandingCount, _broker.WaitingCount, _broker.NextDue).ShouldBe((0, 0, 0, null));
    }

    [Fact]
    public void WaitsUntilItsTime()
    {
        _broker.Enqueue(Evaluation("a") with { WaitUntil = _now.AddSeconds(30) }, _now);
        _broker.Enqueue(Evaluation("b", job: "other") with { Wait = TimeSpan.FromSeconds(10) }, _now);

        _broker.NextDue.ShouldBe(_now.AddSeconds(10));
        Pass(10);
        Dequeue()!.Evaluation.ID.ShouldBe("b");
        Pass(19);
        Dequeue().ShouldBeNull();
        Pass(1);
        Dequeue()!.Evaluation.ID.ShouldBe("a");
    }

    [Fact]
    public void TakesANewFormFromTheWorkerThatHoldsItAndQueuesItAfterwards()
    {
        Enqueue("a");
        var held = Dequeue()!;
        _broker.Enqueue(Evaluation("a") with { StatusDescription = "again" }, _now, held.Token);
        Dequeue().ShouldBeNull();

        _broker.Ack("a", held.Token, _now);
        Dequeue()!.Evaluation.StatusDescription.ShouldBe("again");
    }

    private void Pass(double seconds)
    {
        _now = _now.AddSeconds(seconds);
        _broker.Advance(_now);
    }

    private Delivery? Dequeue() => _broker.Dequeue(JobType.All, _now);

    private void Enqueue(string id, string? job = null, int priority = 50, long index = 0, string type = JobType.Service) => _broker.Enqueue(Evaluation(id, job, priority, index, type), _now);

    private static Evaluation Evaluation(string id, string? job = null, int priority = 50, long index = 0, string type = JobType.Service) =>
        new() { ID = id, JobID = job ?? "job-" + id, Priority = priority, CreateIndex = index, Type = type, Status = EvalStatus.Pending };
}
