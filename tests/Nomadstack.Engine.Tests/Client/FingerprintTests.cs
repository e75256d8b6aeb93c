// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Engine.Client;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Client;

public sealed class FingerprintTests : IDisposable
{
    private readonly TempFolder _folder = new();

    [Fact]
    public void A_machine_is_described_under_Nomads_names()
    {
        var node = new Fingerprint(TestClient.Options(_folder) with { AllocDir = _folder.Path }).Node("id", "secret");

        node.Name.ShouldBe("n1");
        node.Attributes["kernel.name"].ShouldBe("linux");
        node.Attributes["nomad.version"].ShouldBe("1.1.2");
        node.Attributes["cpu.arch"].ShouldBeOneOf("amd64", "arm64");
        node.Attributes["cpu.numcores"].ShouldBe(Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture));
        node.Attributes["unique.network.ip-address"].ShouldBe("127.0.0.1");
        node.NodeResources.Memory.MemoryMB.ShouldBeGreaterThan(0);
        node.NodeResources.Cpu.CpuShares.ShouldBeGreaterThan(0);
        node.NodeResources.NodeNetworks.ShouldHaveSingleItem().Addresses[0].Alias.ShouldBe("default");
    }

    [Fact]
    public void What_the_configuration_says_wins()
    {
        var node = new Fingerprint(TestClient.Options(_folder) with { AllocDir = _folder.Path, CpuTotalCompute = 4000, MemoryTotalMB = 2048, ReservedCpu = 500, ReservedPorts = "22" }).Node("id", "secret");

        node.NodeResources.Cpu.CpuShares.ShouldBe(4000);
        node.Attributes["cpu.totalcompute"].ShouldBe("4000");
        node.NodeResources.Memory.MemoryMB.ShouldBe(2048);
        node.ReservedResources.Cpu.CpuShares.ShouldBe(500);
        node.ReservedResources.Networks.ReservedHostPorts.ShouldBe("22");
    }

    public void Dispose() => _folder.Dispose();
}
