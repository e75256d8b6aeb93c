// SPDX-License-Identifier: MPL-2.0
using System.Xml.Linq;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Docs;

public sealed class ArrowsTests
{
    private const string Product = "Nomadstack", Engine = "Nomadstack.Engine";

    private static readonly Arrows s_product = new(Product, Arrows.ProductRows, Repository.Files());
    private static readonly Arrows s_engine = new(Engine, Arrows.EngineRows, Repository.Files(Engine));

    [Fact]
    public void NoFolderUsesOneThatIsNotAboveIt() =>
        Repository.Files().SelectMany(f => s_product.Broken(f.Path, f.Text)).ShouldBeEmpty();

    [Fact]
    public void NoFolderOfTheEngineUsesOneThatIsNotAboveIt() =>
        Repository.Files(Engine).SelectMany(f => s_engine.Broken(f.Path, f.Text)).ShouldBeEmpty();

    [Fact]
    public void EveryFolderHasItsRow()
    {
        Arrows.ProductRows.SelectMany(row => row).Order(StringComparer.Ordinal).ShouldBe(Repository.Folders);
        Arrows.EngineRows.SelectMany(row => row).Order(StringComparer.Ordinal).ShouldBe(Repository.FoldersOf(Engine));
    }

    [Fact]
    public void EveryExceptionIsNeeded() =>
        Repository.Files().Where(f => f.Path.StartsWith("Cli/", StringComparison.Ordinal) && s_product.Uses(f.Text).Contains("Node")).Select(f => f.Path)
            .ShouldBe(Arrows.MayBecomeTheDaemon, ignoreOrder: true);

    /// <summary>The compiler holds these arrows as long as no project refers to more than it should.</summary>
    [Theory]
    [InlineData("Nomadstack.Ground", new string[0])]
    [InlineData("Nomadstack.Engine", new[] { "Nomadstack.Ground" })]
    [InlineData("Nomadstack", new[] { "Nomadstack.Engine", "Nomadstack.Ground" })]
    public void AProjectStandsOnThoseBelowItAlone(string project, string[] below) =>
        XDocument.Parse(Repository.Read("src", project, project + ".csproj")).Descendants("ProjectReference").Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value)).ShouldBe(below, ignoreOrder: true);

    [Fact]
    public void TheEngineIsKnownToTheEntryPointAlone() =>
        Repository.Files().Where(f => f.Path != "Program.cs" && (f.Text.Contains("Nomadstack.Engine.", StringComparison.Ordinal) || f.Text.Contains("using Nomadstack.Engine;", StringComparison.Ordinal))).Select(f => f.Path).ShouldBeEmpty();

    [Theory]
    [InlineData("using Nomadstack.Servers;")]
    [InlineData("using static Nomadstack.Servers.DesiredServers;")]
    [InlineData("using Linger = Nomadstack.Servers.LingerDecision;")]
    [InlineData("var next = Servers.LingerDecision.Next(facts);")]
    [InlineData("    private Nomadstack.Servers.ServerHost? _host;")]
    public void AForbiddenUseIsCaughtHoweverItIsWritten(string line)
    {
        var text = $"// SPDX-License-Identifier: MPL-2.0\nnamespace Nomadstack.Peers;\n{line}\n";

        s_product.Broken("Peers/Example.cs", text).ShouldBe(["Peers/Example.cs -> Servers"]);
    }

    [Theory]
    [InlineData("using Nomadstack.Engine.Server;", "Server")]
    [InlineData("using Nomadstack.Engine.Client.Drivers;", "Client")]
    [InlineData("var after = Server.MemberTable.FailsAfter;", "Server")]
    [InlineData("var after = Engine.Server.MemberTable.FailsAfter;", "Server")]
    [InlineData("    private Nomadstack.Engine.Server.Autopilot? _autopilot;", "Server")]
    [InlineData("var poller = Client.Drivers.Poller.Start();", "Client")]
    [InlineData("var log = new AgentLog(level, time);", Arrows.TheRoot)]
    public void InTheEngineToo(string line, string used)
    {
        var text = $"// SPDX-License-Identifier: MPL-2.0\nnamespace Nomadstack.Engine.State;\n{line}\n";

        s_engine.Broken("State/Example.cs", text).ShouldBe([$"State/Example.cs -> {used}"]);
    }

    [Theory]
    [InlineData("using Nomadstack.Storage;")]
    [InlineData("var n = self.Servers.Count + Servers.Count;")]
    [InlineData("/// <see cref=\"Servers.ServerHost\"/> is what reads this.")]
    public void WhatIsAllowedIsNotCaught(string line) =>
        s_product.Broken("Peers/Example.cs", $"namespace Nomadstack.Peers;\n{line}\n").ShouldBeEmpty();

    [Fact]
    public void SiblingsDoNotSeeEachOther()
    {
        s_product.May("Nomad/Example.cs", "Consul").ShouldBeFalse();
        s_engine.May("Client/Example.cs", "Server").ShouldBeFalse();
    }

    [Fact]
    public void ACommandSeesOnlyWhatAnyProgramCould()
    {
        s_product.May("Cli/StatusCommand.cs", "Api").ShouldBeTrue();
        s_product.May("Cli/StatusCommand.cs", "Servers").ShouldBeFalse();
        s_product.May("Cli/StatusCommand.cs", "Node").ShouldBeFalse();
    }
}
