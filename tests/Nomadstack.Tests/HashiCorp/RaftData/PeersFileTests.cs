// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.HashiCorp.RaftData;
using Nomadstack.Products;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.HashiCorp.RaftData;

/// <summary>The file by which a server replaces its raft configuration.</summary>
public sealed class PeersFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Raft => Path.Combine(_folder.Path, "server", "raft");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ItIsWrittenForItsOwnerWithTheFileThatMakesItCount()
    {
        for (var time = 0; time < 2; time++) PeersFile.Write(Role.Row(Role.Nomad), Raft, [new("a", "10.0.0.1:4647", true), new("b", "10.0.0.2:4647", false)]);

        File.ReadAllText(Path.Combine(Raft, "peers.json")).Trim().ShouldBe("""[{"id":"a","address":"10.0.0.1:4647","non_voter":false},{"id":"b","address":"10.0.0.2:4647","non_voter":true}]""");
        File.GetUnixFileMode(Path.Combine(Raft, "peers.json")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.ReadAllText(Path.Combine(Raft, "peers.info")).ShouldContain("peers.json");
    }

    [Fact]
    public void AServersOwnPeersInfoStays()
    {
        Directory.CreateDirectory(Raft);
        File.WriteAllText(Path.Combine(Raft, "peers.info"), "the server's own");

        PeersFile.Write(Role.Row(Role.Nomad), Raft, [new("a", "10.0.0.1:4647", true)]);

        File.ReadAllText(Path.Combine(Raft, "peers.info")).ShouldBe("the server's own");
    }

    [Theory]
    [InlineData("", "None of the servers has a vote.")]
    [InlineData("a 1 nonvoter", "None of the servers has a vote.")]
    [InlineData(" 1 voter", "A server has no id.")]
    [InlineData("a  voter", "The server a has no address.")]
    [InlineData("a 1 voter, a 2 voter", "The id a is there twice.")]
    [InlineData("a 1 voter, b 1 nonvoter", "The address 1 is there twice.")]
    public void WhatNoServerWouldStartWithIsRefused(string peers, string because)
    {
        IReadOnlyList<RaftPeer> list = [.. peers.Split(", ", StringSplitOptions.RemoveEmptyEntries).Select(p => p.Split(' ')).Select(p => new RaftPeer(p[0], p[1], p[2] == "voter"))];

        var problem = Should.Throw<ProblemException>(() => PeersFile.Write(Role.Row(Role.Nomad), Raft, list)).Problem;

        (problem.Code, problem.Unsafe).ShouldBe(("raft/peers", true));
        problem.Why.ShouldStartWith(because);
        File.Exists(Path.Combine(Raft, "peers.json")).ShouldBeFalse();
    }
}
