// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

public sealed class SettingsTests : IDisposable
{
    private readonly Members _cluster = new();

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public void WhatTheClusterWasMadeWithIsTheFirstValue()
    {
        var document = new ClusterDocument { ClusterId = Guid.NewGuid().ToString(), CreatedAt = default, CaPin = new string('a', 64), FirstMaxServers = 5, FirstWhole = false, FirstEngine = "embedded" };

        (document.MaxServers, document.Engine, document.Settings.Version(SettingNames.MaxServers)).ShouldBe((5, "embedded", 0));
        document.Products.ShouldBe(["nomad"]);
    }

    [Fact]
    public async Task AWritingSpreadsAndSurvivesARestartAndTellsWhoWrote()
    {
        var a = _cluster.First();
        var b = _cluster.Joined(a);
        var changes = 0;
        a.Membership.Changed += () => changes++;

        a.Membership.Set(SettingNames.Products, ["nomad", "consul", "openbao"]);
        a.Membership.Set(SettingNames.Products, ["nomad", "consul", "openbao"]).Version.ShouldBe(1, "it says so already");
        changes.ShouldBe(1);
        await b.MeetAsync(a);

        b.Now.Products.ShouldBe(["nomad", "consul", "openbao"]);
        b.Now.Registers[SettingNames.Products].Writer.ShouldBe(a.Id);
        var again = new Membership(b.Paths, b.File, TimeProvider.System);
        again.Load();
        new[] { again.Current!, a.Now, b.Now }.Select(d => Digests.Of(d).Whole).Distinct().Count().ShouldBe(1);
    }

    [Fact]
    public void ACompareAndSetIsRefusedWhenAnotherWasFaster()
    {
        var a = _cluster.First();
        var seen = a.Membership.Settings!.Version("target.nomad");
        a.Membership.Set("target.nomad", "1.10.5", seen);

        Should.Throw<ProblemException>(() => a.Membership.Set("target.nomad", "2.0.5", seen)).Problem.Code.ShouldBe("settings/changed");
        a.Membership.Settings.Text("target.nomad").ShouldBe("1.10.5");
    }

    [Fact]
    public async Task TwoWritingsOfOneVersionEndTheSameEverywhere()
    {
        var a = _cluster.First();
        var b = _cluster.Joined(a);
        await b.MeetAsync(a);
        a.Membership.Set("test.phase", "tls");
        b.Membership.Set("test.phase", "acl");

        await a.MeetAsync(b);
        await b.MeetAsync(a);

        a.Now.Registers["test.phase"].Writer.ShouldBe(b.Now.Registers["test.phase"].Writer);
    }

    [Theory]
    [InlineData("servers.max", "2")]
    [InlineData("servers.max", "\"3\"")]
    [InlineData("products", "\"nomad\"")]
    [InlineData("Big", "1")]
    [InlineData("", "1")]
    public void WhatMakesNoSenseIsNotWritten(string name, string json) =>
        Should.Throw<ProblemException>(() => _cluster.First().Membership.Set(name, JsonDocument.Parse(json).RootElement)).Problem.Code.ShouldBe("settings/bad-value");

    [Fact]
    public void NumberAndSizeAreBounded()
    {
        var a = _cluster.First();
        Should.Throw<ProblemException>(() => a.Membership.Set("x", new string('a', MembershipRules.MaxValueBytes))).Problem.Code.ShouldBe("settings/bad-value");
        for (var i = 0; i < MembershipRules.MaxSettings; i++) a.Membership.Set("x" + i, i);

        Should.Throw<ProblemException>(() => a.Membership.Set("one-more", 1)).Problem.Code.ShouldBe("settings/too-many");
        a.Membership.Set("x0", 77);
        a.Membership.Settings!.Number("x0").ShouldBe(77);
    }

    [Fact]
    public void AClientNodeWritesNone()
    {
        var a = _cluster.First();
        var client = _cluster.Joined(a, NodeKind.Client);

        Should.Throw<ProblemException>(() => client.Membership.Set("x", 1)).Problem.Code.ShouldBe("settings/not-a-server-node");
    }

    [Fact]
    public async Task AFieldOfTheDocumentThatNobodyKnowsIsKeptAndPassedOn()
    {
        var a = _cluster.First();
        var b = _cluster.Joined(a);
        var text = JsonSerializer.Serialize(a.Now, PeersJson.Default.ClusterDocument);
        var newer = JsonSerializer.Deserialize(text[..^1] + ""","federation":{"b":1,"a":[true]}}""", PeersJson.Default.ClusterDocument)!;
        a.Membership.Merge(newer).ShouldBeTrue();

        await b.MeetAsync(a);

        b.Now.Unknown["federation"].ShouldBe("""{"a":[true],"b":1}""");
        File.ReadAllText(b.Paths.ClusterFile).ShouldContain("federation");
        b.Membership.Merge(a.Now).ShouldBeFalse();
    }
}
