// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Timeline;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Timeline;

public sealed class MergeTests
{
    private static readonly DateTimeOffset s_start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void EventsOfAllNodesAreInTheOrderOfTimeThenNodeThenNumber()
    {
        var merged = Merge(("n2", [Event("n2", 7, 1), Event("n2", 8, 1), Event("n2", 9, 3)]), ("n1", [Event("n1", 1, 1), Event("n1", 2, 2)]));

        merged.Events.Select(e => (e.Node, e.Number)).ShouldBe([("n1", 1), ("n2", 7), ("n2", 8), ("n1", 2), ("n2", 9)]);
    }

    [Fact]
    public void WhoeverTellsItIsWhoeverGaveIt() =>
        Merge(("n2", [Event("n1", 1, 1)])).Events.Single().Node.ShouldBe("n2", "a node cannot tell what happened on another");

    [Fact]
    public void OneAnswerHasTheNewestAndSaysThatThereIsMore()
    {
        var merged = Merge(most: 2, ("n1", [Event("n1", 1, 1), Event("n1", 2, 4)]), ("n2", [Event("n2", 1, 3)]));

        merged.Events.Select(e => e.Node).ShouldBe(["n2", "n1"]);
        merged.Cut.ShouldBeTrue();
        Merge(most: 3, ("n1", [Event("n1", 1, 1)])).Cut.ShouldBeFalse();
    }

    [Fact]
    public void APartThatWasCutMakesTheWholeIncomplete() =>
        TimelineDocument.Merge([("n1", new TimelinePart([], true))], [], "", 10).Cut.ShouldBeTrue();

    private static TimelineDocument Merge(params (string Node, TimelineEvent[] Events)[] parts) => Merge(100, parts);

    private static TimelineDocument Merge(int most, params (string Node, TimelineEvent[] Events)[] parts) =>
        TimelineDocument.Merge(parts.Select(p => (p.Node, new TimelinePart(p.Events, false))), [], "", most);

    private static TimelineEvent Event(string node, long number, double seconds) => new(s_start.AddSeconds(seconds), "b", number, node, EventKinds.GateClosed, "text");
}
