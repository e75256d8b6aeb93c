// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Servers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Servers;

public sealed class DesiredServersTests
{
    private static readonly (int Nodes, int Current, int Most)[] s_all =
        [.. from nodes in Enumerable.Range(0, 12)
            from current in new[] { 1, 3, 5 }
            from most in new[] { 1, 3, 5 }
            select (nodes, current, most)];

    [Fact]
    public void ItIsNeverAnEvenNumber() => s_all.ShouldAllBe(c => DesiredServers.For(c.Nodes, c.Current, c.Most) % 2 == 1);

    [Fact]
    public void ItNeverLowers() => s_all.ShouldAllBe(c => DesiredServers.For(c.Nodes, c.Current, c.Most) >= c.Current);

    [Fact]
    public void ItNeverRaisesAboveTheMaximum() => s_all.Where(c => c.Current <= c.Most).ShouldAllBe(c => DesiredServers.For(c.Nodes, c.Current, c.Most) <= c.Most);

    [Fact]
    public void ItNeverRaisesBeyondTheNodesThatCouldRunThem() =>
        s_all.Where(c => c.Current <= c.Nodes).ShouldAllBe(c => DesiredServers.For(c.Nodes, c.Current, c.Most) <= c.Nodes);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(3, 3)]
    [InlineData(4, 3)]
    [InlineData(5, 5)]
    [InlineData(9, 5)]
    public void ItGrowsWithTheNodes(int nodes, int servers) => DesiredServers.For(nodes, 1, 5).ShouldBe(servers);
}
