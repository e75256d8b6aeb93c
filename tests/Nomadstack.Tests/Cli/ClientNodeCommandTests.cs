// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Node;
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

/// <summary>What is typed on a client node, and about one.</summary>
public sealed class ClientNodeCommandTests
{
    /// <summary>By name, before anything is asked of a product: never its own bare refusal.</summary>
    [Theory]
    [InlineData("env")]
    [InlineData("nomad", "job", "status")]
    [InlineData("consul", "members")]
    [InlineData("job", "status")]
    [InlineData("job", "run", "/dev/null")]
    public async Task ACommandThatNeedsMoreRightsNamesTheServerNodesOnWhichItRuns(params string[] command)
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Where = host.Agent.Where with { Client = NodeProblems.NeedsAServerNode("n4", "give a person or a tool its access", ["n1", "n2"]) };
        var typed = new Typed();

        (await typed.RunAsync(["--data-dir", host.Paths.Data, .. command])).ShouldBe(4);

        typed.Error.ToString().ShouldContain("n4 is a client node and cannot give a person or a tool its access");
        typed.Error.ToString().ShouldContain("Run the command on a server node: n1, n2.");
        typed.Became.ShouldBeNull();
    }

    [Fact]
    public async Task ACommandOfAnotherClusterRunsOnAClientNodeAsEverywhere()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Where = host.Agent.Where with { Client = NodeProblems.NeedsAServerNode("n4", "give a person or a tool its access", ["n1"]) };
        var typed = new Typed { ["NOMAD_ADDR"] = "https://elsewhere:4646" };

        (await typed.RunAsync("--data-dir", host.Paths.Data, "nomad", "status")).ShouldBe(42);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task TokenCreateAsksForTheKindThatIsTyped(bool client)
    {
        await using var host = await AgentHost.StartAsync();

        (await new Typed().RunAsync(["--data-dir", host.Paths.Data, "token", "create", .. client ? ["--client"] : Array.Empty<string>()])).ShouldBe(0);

        host.Agent.Asked.ShouldContain(new TokenRequest(Client: client));
    }

    [Fact]
    public async Task TokenListShowsTheKind()
    {
        await using var host = await AgentHost.StartAsync();
        var typed = new Typed();

        await typed.RunAsync("--data-dir", host.Paths.Data, "token", "list");

        typed.Out.ToString().Split('\n')[0].ShouldContain("KIND");
        typed.Out.ToString().ShouldContain("server");
    }

    [Theory]
    [InlineData("client", "Its tokens are deleted")]
    [InlineData("server", "It was a server node")]
    public async Task NodeRemoveSaysWhatTheNodeStillHas(string kind, string text)
    {
        await using var host = await AgentHost.StartAsync();
        var healthy = FakeAgentService.Healthy();
        host.Agent.Status = healthy with { Cluster = healthy.Cluster with { Security = "secure" }, Nodes = [.. healthy.Nodes.Select(n => n with { Kind = n.Name == "n3" ? kind : "server" })] };
        var typed = new Typed();

        (await typed.RunAsync("--data-dir", host.Paths.Data, "node", "remove", "n3")).ShouldBe(0);

        typed.Error.ToString().ShouldContain(text);
    }

    [Theory]
    [InlineData("client", false)]
    [InlineData("server", true)]
    public async Task ACompromisedNodeIsRemovedAndThenEverythingIsReplaced(string kind, bool warned)
    {
        await using var host = await AgentHost.StartAsync();
        var healthy = FakeAgentService.Healthy();
        host.Agent.Status = healthy with { Cluster = healthy.Cluster with { Security = "secure" }, Nodes = [.. healthy.Nodes.Select(n => n with { Kind = n.Name == "n3" ? kind : "server" })] };
        var typed = new Typed();

        (await typed.RunAsync("--data-dir", host.Paths.Data, "node", "remove", "n3", "--compromised")).ShouldBe(0);

        string.Join(", ", host.Agent.Asked.Select(a => a is RotateRequest rotate ? "rotate " + rotate.What : $"{a}")).ShouldBe("rotate all, n3, rotate all", "planned, so that a refusal comes first; then removed; then replaced");
        typed.Error.ToString().Contains("4640", StringComparison.Ordinal).ShouldBe(warned);
    }

    [Fact]
    public async Task NodeListShowsTheKind()
    {
        await using var host = await AgentHost.StartAsync();
        var healthy = FakeAgentService.Healthy();
        host.Agent.Status = healthy with { Nodes = [.. healthy.Nodes.Select(n => n with { Kind = n.Name == "n3" ? "client" : "server" })] };
        var (people, tools) = (new Typed(), new Typed());

        await people.RunAsync("--data-dir", host.Paths.Data, "node", "list");
        await tools.RunAsync("--data-dir", host.Paths.Data, "--json", "node", "list");

        people.Out.ToString().Split('\n').Single(l => l.StartsWith("n3", StringComparison.Ordinal)).ShouldContain("client");
        tools.Out.ToString().ShouldContain("\"kind\": \"client\"");
    }
}
