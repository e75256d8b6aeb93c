// SPDX-License-Identifier: MPL-2.0
using System.Xml.Linq;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Docs;

public sealed class ArrowsTests
{
    private readonly Arrows _arrows = new(Repository.Files());

    [Fact]
    public void NoFolderUsesOneThatIsNotAboveIt() =>
        Repository.Files().SelectMany(f => _arrows.Broken(f.Path, f.Text)).ShouldBeEmpty();

    [Fact]
    public void EveryFolderHasItsRow() =>
        Arrows.Rows.SelectMany(row => row).Order(StringComparer.Ordinal).ShouldBe(Repository.Folders);

    [Fact]
    public void EveryExceptionIsNeeded() =>
        Repository.Files().Where(f => f.Path.StartsWith("Cli/", StringComparison.Ordinal) && _arrows.Uses(f.Text).Contains("Node")).Select(f => f.Path)
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
        Repository.Files().Where(f => f.Text.Contains("Nomadstack.Engine.", StringComparison.Ordinal) || f.Text.Contains("using Nomadstack.Engine;", StringComparison.Ordinal)).Select(f => f.Path).ShouldBeEmpty();

    [Theory]
    [InlineData("using Nomadstack.Servers;")]
    [InlineData("using static Nomadstack.Servers.DesiredServers;")]
    [InlineData("using View = Nomadstack.Servers.RaftView;")]
    [InlineData("var view = await Servers.RaftView.AskAsync(api, cancel);")]
    [InlineData("    private Nomadstack.Servers.RaftView? _view;")]
    public void AForbiddenUseIsCaughtHoweverItIsWritten(string line)
    {
        var text = $"// SPDX-License-Identifier: MPL-2.0\nnamespace Nomadstack.Peers;\n{line}\n";

        _arrows.Broken("Peers/Example.cs", text).ShouldBe(["Peers/Example.cs -> Servers"]);
    }

    [Theory]
    [InlineData("using Nomadstack.Storage;")]
    [InlineData("var n = self.Servers.Count + Servers.Count;")]
    [InlineData("/// <see cref=\"Servers.RaftView\"/> is what reads this.")]
    public void WhatIsAllowedIsNotCaught(string line) =>
        _arrows.Broken("Peers/Example.cs", $"namespace Nomadstack.Peers;\n{line}\n").ShouldBeEmpty();

    [Fact]
    public void SiblingsDoNotSeeEachOther() => Arrows.May("Nomad/Example.cs", "Consul").ShouldBeFalse();

    [Fact]
    public void ACommandSeesOnlyWhatAnyProgramCould()
    {
        Arrows.May("Cli/StatusCommand.cs", "Api").ShouldBeTrue();
        Arrows.May("Cli/StatusCommand.cs", "Servers").ShouldBeFalse();
        Arrows.May("Cli/StatusCommand.cs", "Node").ShouldBeFalse();
    }
}
