// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Security;
using Nomadstack.Storage;
using Nomadstack.Tests.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Security;

/// <summary>What the files on a node's disk say, with the real files of a closed cluster.</summary>
public sealed class NodeCertificatesTests : IDisposable
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    private readonly Members _cluster = new();
    private readonly DateTimeOffset _now = TimeProvider.System.GetUtcNow();

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public void ANewClustersAreFineAndAllAreThere()
    {
        var paths = Closed().Paths;
        var seen = Read(paths);

        seen.Faults.ShouldBeEmpty();
        NodeCertificates.Ends(paths, ProductTable.Known, _now).ShouldBe(seen.All);
        seen.All.Select(c => (c.Product, c.Kind, c.State)).ShouldBe(
        [
            ("nomadstack", "ca", "fine"), ("nomadstack", "node", "fine"),
            ("consul", "ca", "fine"), ("consul", "node", "fine"),
            ("nomad", "ca", "fine"), ("nomad", "node", "fine"),
        ]);
        seen.All.Where(c => c is { Kind: "node", Product: not "nomadstack" }).ShouldAllBe(c => Math.Abs((c.Ends!.Value - _now.AddDays(30)).TotalMinutes) < 5);
    }

    [Fact]
    public void WhatTheAgentDidNotRenewIsOverdueAndItsAuthorityIsNot()
    {
        var seen = Read(Closed().Paths, _now.AddDays(22));

        seen.All.Where(c => c.State != "fine").Select(c => (c.Product, c.Kind, c.State)).ShouldBe([("consul", "node", "overdue"), ("nomad", "node", "overdue")]);
        seen.Faults.ShouldBeEmpty();
    }

    [Fact]
    public void AClockBeforeTheClusterIsSeen() => Read(Closed().Paths, _now.AddDays(-2)).All.ShouldAllBe(c => c.State == "not-yet-valid");

    /// <summary>Ended is no other authority's.</summary>
    [Fact]
    public void WhatHasEndedIsStillSignedByItsAuthority()
    {
        var seen = Read(Closed().Paths, _now.AddYears(20));

        seen.All.ShouldAllBe(c => c.State == "ended");
        seen.Faults.ShouldBeEmpty();
    }

    [Fact]
    public void ANodeWithoutAClusterHasNoneAndAnOpenClusterOnlyItsAgents()
    {
        Read(new NodePaths("/nonexistent")).All.ShouldBeEmpty();
        Read(_cluster.First().Paths).All.Select(c => c.Product).Distinct().ShouldBe(["nomadstack"]);
    }

    public static TheoryData<string, string> Faults => new()
    {
        { "another key", "certificate/other-key" },
        { "another authority", "certificate/other-authority" },
        { "another agents' authority", "certificate/other-authority" },
        { "a key for all to read", "certificate/open-key" },
        { "the agents' authority's key for all to read", "certificate/open-key" },
        { "a certificate of rubbish", "certificate/unreadable" },
        { "an authority of nothing", "certificate/unreadable" },
        { "a key of rubbish", "certificate/unreadable" },
        { "no key", "certificate/unreadable" },
        { "no certificate", "certificate/unreadable" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void EachFaultOfTheFilesIsSeenAlone(string fault, string code)
    {
        var (own, other) = (Closed().Paths, Closed().Paths);
        var (folder, others) = (Path.Combine(own.Pki, "nomad"), Path.Combine(other.Pki, "nomad"));
        switch (fault)
        {
            case "another key": Copy(others, folder, "node-key.pem"); break;
            case "another authority": Copy(others, folder, "ca.pem"); break;
            case "another agents' authority": Copy(other.Pki, own.Pki, "ca.crt"); break;
            case "a key for all to read": File.SetUnixFileMode(Path.Combine(folder, "node-key.pem"), Readable); break;
            case "the agents' authority's key for all to read": File.SetUnixFileMode(PkiFiles.CaKey(own), Readable); break;
            case "a certificate of rubbish": File.WriteAllText(Path.Combine(folder, "node.pem"), "rubbish"); break;
            case "an authority of nothing": File.WriteAllText(Path.Combine(folder, "ca.pem"), ""); break;
            case "a key of rubbish": File.WriteAllText(Path.Combine(folder, "node-key.pem"), "rubbish"); break;
            case "no key": File.Delete(Path.Combine(folder, "node-key.pem")); break;
            case "no certificate": File.Delete(Path.Combine(folder, "node.pem")); break;
            default: throw new ArgumentException(fault, nameof(fault));
        }

        var problem = Read(own).Faults.ShouldHaveSingleItem();

        problem.Code.ShouldBe(code);
        foreach (var part in new[] { problem.What, problem.Why, problem.Fix }) part.ShouldNotBeNullOrWhiteSpace();
    }

    [Fact]
    public void WhatCannotBeReadHasNoEnd()
    {
        var paths = Closed().Paths;
        File.WriteAllText(Path.Combine(paths.Pki, "nomad", "node.pem"), "rubbish");

        var unread = Read(paths).All.Single(c => c.Ends is null);

        (unread.Product, unread.Kind, unread.State).ShouldBe(("nomad", "node", CertificateStatus.Unreadable));
    }

    /// <summary>While an authority is changed, both count, and the node's certificate may be of either.</summary>
    [Fact]
    public void ACertificateOfAnyAuthorityThatCountsFits()
    {
        var (own, other) = (Closed().Paths, Closed().Paths);
        var file = Path.Combine(own.Pki, "nomad", "ca.pem");
        File.WriteAllText(file, File.ReadAllText(Path.Combine(other.Pki, "nomad", "ca.pem")) + "\n" + File.ReadAllText(file));

        Read(own).Faults.ShouldBeEmpty();
    }

    private NodeCertificates Read(NodePaths paths, DateTimeOffset? now = null) => NodeCertificates.Read(paths, ProductTable.Known, now ?? _now);

    private Member Closed()
    {
        var member = _cluster.First();
        var trust = new ClusterTrust(member.Membership, new SecretStore(member.Membership), ProductTable.Known, TimeProvider.System);
        trust.Mint(secure: true);
        trust.Lacks().ShouldBeNull();
        return member;
    }

    private static void Copy(string from, string to, string file) => File.Copy(Path.Combine(from, file), Path.Combine(to, file), overwrite: true);
}
