// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Server;
using Nomadstack.Engine.Tests.Client;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Server;

public sealed class MemberTableTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void WhoHasSpokenIsHeardAndWhoWasOnlySpokenOfIsNot()
    {
        var table = new MemberTable(Member("a"), _time);
        table.Hear(new MemberExchange(Member("b"), null, [Member("c")]));

        _time.Advance(TimeSpan.FromSeconds(1));
        table.Hear(new MemberExchange(Member("b"), null, []));

        table.HeardWithin(TimeSpan.FromSeconds(0.75)).ShouldBe(["b:4647"]);
        table.HeardWithin(TimeSpan.Zero).ShouldBeEmpty();
    }

    [Fact]
    public void WhoIsForcedToLeaveHasLeftAndIsForgottenOnlyWhereThatIsAskedFor()
    {
        var table = new MemberTable(Member("a"), _time);
        table.Hear(new MemberExchange(Member("b"), null, [Member("c")]));

        table.ForceLeave("b", prune: false);
        table.ForceLeave("c", prune: true);
        table.ForceLeave("nobody", prune: true);

        table.ToTell(null).Members.ShouldHaveSingleItem().ShouldBe(Member("b") with { Left = true, Incarnation = Member("b").Incarnation + 1 });
    }

    private static ServerMember Member(string name) => new() { Name = name, ID = "id-" + name, Rpc = name + ":4647", Serf = name + ":4648" };
}
