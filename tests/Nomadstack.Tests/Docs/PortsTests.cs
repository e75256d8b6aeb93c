// SPDX-License-Identifier: MPL-2.0
using System.Text.RegularExpressions;
using Nomadstack.Cluster;
using Nomadstack.Node;
using Nomadstack.Preflight;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Docs;

public sealed partial class PortsTests
{
    [Fact]
    public void TheTableIsTheProgramsOwnPlan()
    {
        var documented = Row().Matches(Repository.Read("docs", "ports.md")).Select(m => $"{m.Groups[1].Value} {m.Groups[2].Value} {m.Groups[3].Value}");

        documented.ShouldBe(PortNames.All.Keys.Select(Planned));
    }

    /// <summary>The port of a name is the one that changes when another is asked for.</summary>
    private static string Planned(string name)
    {
        var plan = new PortPlan();
        var moved = PortNames.All[name](plan, 1);
        var before = PortUse.Of(plan, ProductTable.Known.Stack, bootstrap: true);
        var uses = before.Except(PortUse.Of(moved, ProductTable.Known.Stack, bootstrap: true)).ToList();
        var port = uses[0].Port;
        uses.ShouldNotBeEmpty();
        return $"{name} {port} {(uses.Any(use => use.Udp) ? "TCP and UDP" : "TCP")}";
    }

    [GeneratedRegex(@"^\| `([a-z-]+)` \| (\d+) \| ([^|]+) \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
