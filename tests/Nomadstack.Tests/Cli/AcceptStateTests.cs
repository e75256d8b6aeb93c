// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Api;
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

/// <summary><c>recover --accept-state</c>: a person goes on with an older state, and sees first what that stops.</summary>
public sealed class AcceptStateTests
{
    private static readonly AcceptPlan s_plan = new("a server as new as this node: the leader on n1 was rolled back", [new("b1e2", "web.front[0]"), new("c3d4", "")]);

    [Fact]
    public async Task WhatIsStoppedIsNamedAndWhereNobodySitsAtATerminalTheCommandIsTheDecision()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Acceptable = s_plan;
        var typed = new Typed();

        (await typed.RunAsync("--data-dir", host.Paths.Data, "recover", "--accept-state")).ShouldBe(0);

        var told = typed.Error.ToString();
        told.ShouldContain("waits for a server as new as this node");
        told.ShouldContain("b1e2  web.front[0]");
        told.ShouldContain("c3d4  (name unknown)");
        host.Agent.Accepted.ShouldBeTrue();
    }

    [Fact]
    public async Task ThePlanAloneChangesNothing()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Acceptable = s_plan;
        var typed = new Typed();

        (await typed.RunAsync("--data-dir", host.Paths.Data, "recover", "--accept-state", "--plan", "--json")).ShouldBe(0);

        JsonDocument.Parse(typed.Out.ToString()).RootElement.GetProperty("stopped")[0].GetProperty("name").GetString().ShouldBe("web.front[0]");
        host.Agent.Accepted.ShouldBeFalse();
    }

    [Theory]
    [InlineData("n\n", 4, false)]
    [InlineData("", 4, false)]
    [InlineData("y\n", 0, true)]
    public async Task APersonAtATerminalIsAsked(string answer, int exit, bool accepted)
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Acceptable = s_plan;
        var typed = new Typed { Input = answer, AtATerminal = true };

        (await typed.RunAsync("--data-dir", host.Paths.Data, "recover", "--accept-state")).ShouldBe(exit);

        typed.Error.ToString().ShouldContain("Start this node's client with the older state? [y/N]");
        host.Agent.Accepted.ShouldBe(accepted);
    }

    [Fact]
    public async Task WhoSaysYesIsNotAsked()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Acceptable = s_plan with { Stopped = [] };
        var typed = new Typed { AtATerminal = true };

        (await typed.RunAsync("--data-dir", host.Paths.Data, "recover", "--accept-state", "--yes")).ShouldBe(0);

        typed.Error.ToString().ShouldContain("The servers know every allocation that this node remembers.");
        host.Agent.Accepted.ShouldBeTrue();
    }
}
