// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Programs;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Programs;

public sealed class NodeProgramsTests
{
    private static readonly ProductProgram s_nomad = new(Role.Nomad, "/usr/bin/nomad", [], new(1, 10, 0));
    private static readonly ProductProgram s_embedded = new(EngineKind.Embedded, "/usr/bin/nomadstack", ["engine"], new(1, 6, 0, "nomadstack-embedded"));

    [Fact]
    public void BeforeThereIsAClusterTheFirstChoiceServes() => Of(null, s_nomad, s_embedded).For(Role.Row(Role.Nomad), null).ShouldBe(s_nomad);

    [Fact]
    public void AClusterKeepsItsEngine() => Of(EngineKind.Embedded, s_nomad, s_embedded).For(Role.Row(Role.Nomad), null).Arguments("agent").ShouldBe(["engine", "agent"]);

    [Theory]
    [InlineData(EngineKind.Embedded, Role.Nomad)]
    [InlineData(Role.Nomad, EngineKind.Embedded)]
    public void AnotherEngineThanTheClustersIsRefused(string clusters, string told)
    {
        var programs = Of(clusters, told == Role.Nomad ? s_nomad : s_embedded);

        Should.Throw<ProblemException>(programs.RequireClusters).Problem.Code.ShouldBe("engine/other");
        programs.Find(Role.Row(Role.Nomad)).ShouldBeNull();
    }

    private static NodePrograms Of(string? cluster, params ProductProgram[] nomad) => new(new NodePaths("/var/lib/x"), ProductTable.Known, new Dictionary<string, IReadOnlyList<ProductProgram>> { [Role.Nomad] = nomad }, () => cluster);
}
