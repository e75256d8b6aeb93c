// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Clients;
using Nomadstack.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Clients;

public sealed class ServerListDecisionTests
{
    private const string Old = "10.0.0.1:4647", New = "10.0.0.2:4647";

    [Fact]
    public void AClientIsToldOfANewServerBeforeTheOldOneLeaves()
    {
        var first = ServerListDecision.Next([Old], [Leads(Old, 90), Follows(New, 3)], floor: null);
        first.Tell.ShouldBeNull("it may still be replaying its log");
        first.Complete.ShouldBeFalse();

        var second = ServerListDecision.Next([Old], [Leads(Old, 95), Follows(New, 90)], first.Floor);
        second.Tell.ShouldBe([Old, New]);
        second.Complete.ShouldBeTrue();
        second.Floor.ShouldBe(95);
    }

    [Fact]
    public void AClientThatKnowsOnlyServersThatAreGoneIsToldOfTheLeaderAtOnce()
    {
        var decision = ServerListDecision.Next([Old], [Leads(New, 40)], floor: null);

        decision.Tell.ShouldBe([New]);
        decision.Complete.ShouldBeTrue();
    }

    [Fact]
    public void AClientIsStrandedOnlyWhenNoneOfItsServersAnswersAndOthersHaveALeader()
    {
        ServerListDecision.IsStranded([Old], [Leads(New, 40)]).ShouldBeTrue();
        ServerListDecision.IsStranded([Old], [new(Old, true, null), Leads(New, 40)]).ShouldBeTrue();
        ServerListDecision.IsStranded([Old, New], [new(Old, true, null), Leads(New, 40)]).ShouldBeFalse();
        ServerListDecision.IsStranded([Old], [Leads(Old, 40), Follows(New, 40)]).ShouldBeFalse();
        ServerListDecision.IsStranded([Old], [new(Old, true, null), new(New, true, null)]).ShouldBeFalse("a restart would find nobody");
        ServerListDecision.IsStranded(null, [Leads(New, 40)]).ShouldBeFalse("it does not answer itself");
    }

    [Fact]
    public void AServerThatIsDownIsNeitherToldNorTakenFromAClientThatKnowsIt()
    {
        var unknown = ServerListDecision.Next([Old], [Leads(Old, 40), new(New, true, null)], floor: 40);
        unknown.Tell.ShouldBeNull();
        unknown.Complete.ShouldBeFalse();

        var known = ServerListDecision.Next([Old, New], [Leads(Old, 40), new(New, true, null)], floor: 40);
        known.Tell.ShouldBeNull();
        known.Complete.ShouldBeTrue();
    }

    [Fact]
    public void AServerThatOnlyTheClientKnowsAndThatIsSilentStaysInTheListThatReplacesItsOwn()
    {
        const string third = "10.0.0.3:4647";

        var decision = ServerListDecision.Next([Old, New], [Leads(Old, 40), new(New, true, null), Follows(third, 40)], floor: 40);

        decision.Tell.ShouldBe([Old, third, New]);
        decision.Complete.ShouldBeTrue();
    }

    [Fact]
    public void NothingIsToldWithoutALeaderOrToAClientThatDoesNotAnswer()
    {
        ServerListDecision.Next([Old], [Follows(New, 40)], floor: 7).ShouldBe(new(null, Complete: false, 7));
        ServerListDecision.Next(null, [Leads(New, 40)], floor: 7).ShouldBe(new(null, Complete: false, 7));
    }

    [Fact]
    public void AServerThatLingersIsTakenForTheLeaderItIsAndNotWaitedFor()
    {
        ServerListDecision.Next([Old], [Leads(Old, 40) with { Stays = false }, Follows(New, 40)], floor: 40).Tell.ShouldBe([Old, New]);
        ServerListDecision.Next([New], [new(Old, false, null), Leads(New, 40)], floor: 40).ShouldBe(new(null, Complete: true, 40));
    }

    [Fact]
    public void AServerThatHasLostItsLeaderIsNotTold() =>
        ServerListDecision.Next([Old], [Leads(Old, 40), new(New, true, new RaftStanding(null, Leads: false, 40, 40))], floor: 40).Tell.ShouldBeNull();

    private static ServerSeen Leads(string rpc, long applied) => new(rpc, true, new RaftStanding(rpc, Leads: true, applied, applied));

    private static ServerSeen Follows(string rpc, long applied) => new(rpc, true, new RaftStanding("10.0.0.9:4647", Leads: false, applied, applied));
}
