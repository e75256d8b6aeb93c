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

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void OnlyANodeThatHoldsServersIsBoundToItsAddress(bool holdsServers)
    {
        Known("n1", "127.0.0.1");
        var changed = () => Read("n1", "127.0.0.2", holdsServers);

        if (holdsServers) Should.Throw<ProblemException>(() => changed()).Problem.Code.ShouldBe("node/address-changed");
        else changed().Address.ShouldBe("127.0.0.2");
    }

    [Fact]
    public void UnlessAnAddressIsGivenUpTakesThisMachineAlone()
    {
        NodeIdentity.ReadOrMint(_paths, Options(null, null), holdsServers: false, alone: true).Address.ShouldBe("127.0.0.1");
        NodeIdentity.ReadOrMint(_paths, Options(null, "127.0.0.2"), holdsServers: false, alone: true).Address.ShouldBe("127.0.0.2");
    }

    [Fact]
    public void AnotherSpellingOfTheAddressIsNoOtherAddress()
    {
        var node = Read("n1", "127.0.0.1") with { Address = "0:0:0:0:0:0:0:1" };
        NodeFile.At(_paths).Write(node);

        Read("n1", "::1", holdsServers: true).ShouldBe(node);
    }

    public void Dispose() => Directory.Delete(_paths.Data, recursive: true);

    private NodeFile Known(string name, string address)
    {
        var node = Read(name, address);
        NodeFile.At(_paths).Write(node);
        return node;
    }

    private NodeFile Read(string? name, string? address, bool holdsServers = false) =>
        NodeIdentity.ReadOrMint(_paths, Options(name, address), holdsServers, alone: false);

    private AgentOptions Options(string? name, string? address) => new(_paths.Data, address, name, 3, "auto", [], null, null, new Dictionary<string, string>(), new Dictionary<string, int>());
}
