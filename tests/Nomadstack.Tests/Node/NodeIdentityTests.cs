// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Node;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Node;

public sealed class NodeIdentityTests : IDisposable
{
    private readonly NodePaths _paths = new(Directory.CreateTempSubdirectory("nomadstack-identity-").FullName);

    [Fact]
    public void ANewFolderMakesANewNodeAndTheSameFolderTheSameNode()
    {
        var node = Known("n1", "127.0.0.1");

        Read("n1", "127.0.0.1").ShouldBe(node);
        File.WriteAllText(_paths.ClusterFile, "{}");
        Read(null, null).ShouldBe(node);
    }

    [Fact]
    public void ANodeOfNoClusterMayBeCalledOtherwise()
    {
        var node = Known("n1", "127.0.0.1");

        Read("n2", "127.0.0.1").ShouldBe(node with { Name = "n2" });
        Read(null, "127.0.0.1").Name.ShouldBe(System.Net.Dns.GetHostName().Split('.')[0], "a name that was tried once does not stick");
    }

    [Fact]
    public void AMemberKeepsItsName()
    {
        Known("n1", "127.0.0.1");
        File.WriteAllText(_paths.ClusterFile, "{}");

        Should.Throw<ProblemException>(() => Read("n2", null)).Problem.Code.ShouldBe("node/renamed");
    }

    [Fact]
    public void AMemberMayGoByAnotherAddress()
    {
        var node = Known("n1", "127.0.0.1");
        File.WriteAllText(_paths.ClusterFile, "{}");

        Read("n1", "127.0.0.2").ShouldBe(node with { Address = "127.0.0.2" });
    }

    [Fact]
    public void UnlessAnAddressIsGivenUpTakesThisMachineAlone()
    {
        NodeIdentity.ReadOrMint(_paths, Options(null, null), alone: true).Address.ShouldBe("127.0.0.1");
        NodeIdentity.ReadOrMint(_paths, Options(null, "127.0.0.2"), alone: true).Address.ShouldBe("127.0.0.2");
    }

    [Fact]
    public void AnotherSpellingOfTheAddressIsNoOtherAddress()
    {
        var node = Read("n1", "127.0.0.1") with { Address = "0:0:0:0:0:0:0:1" };
        NodeFile.At(_paths).Write(node);

        Read("n1", "::1").ShouldBe(node);
    }

    public void Dispose() => Directory.Delete(_paths.Data, recursive: true);

    private NodeFile Known(string name, string address)
    {
        var node = Read(name, address);
        NodeFile.At(_paths).Write(node);
        return node;
    }

    private NodeFile Read(string? name, string? address) =>
        NodeIdentity.ReadOrMint(_paths, Options(name, address), alone: false);

    private AgentOptions Options(string? name, string? address) => new(_paths.Data, address, name, 3, "auto", [], null, null, new Dictionary<string, string>(), new Dictionary<string, int>());
}
