// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

public sealed class IdentityGuardTests
{
    [Fact]
    public async Task ACopyIsRefusedWhileTheOriginalLives()
    {
        await using var original = await TestNode.FirstAsync();
        await using var copy = Copy(original, "127.0.0.3");

        var problem = await Expect.RefusalAsync(() => copy.Peering!.CheckIdentityAsync(CancellationToken.None));

        problem.Code.ShouldBe("agent/cloned");
        problem.Why.ShouldContain(original.File.Address);
    }

    [Fact]
    public async Task TheOriginalLearnsFromItsPeersOfACopyThatTookItsPlace()
    {
        await using var a = await TestNode.FirstAsync();
        await using var original = new TestNode("n2", "127.0.0.2");
        await original.EnterAsync(a);
        await original.Peering!.DisposeAsync();
        await using var copy = Copy(original, "127.0.0.3");
        await copy.Peering!.CheckIdentityAsync(CancellationToken.None);
        await copy.Peering.StartAsync(CancellationToken.None);
        copy.Membership.UpdateSelf(e => e with { Address = copy.File.Address, Ports = copy.File.Ports });
        await copy.Peering.Sync.ExchangeAsync(a.File.Id, CancellationToken.None);

        original.WirePeering();
        (await Expect.RefusalAsync(() => original.Peering!.CheckIdentityAsync(CancellationToken.None))).Code.ShouldBe("agent/cloned");
    }

    [Fact]
    public async Task ALoneRestartIsNoClone()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await b.EnterAsync(a);

        await b.Peering!.CheckIdentityAsync(CancellationToken.None);
        await a.Peering!.DisposeAsync();
        await b.Peering.CheckIdentityAsync(CancellationToken.None);
    }

    private static TestNode Copy(TestNode original, string address)
    {
        var folder = Directory.CreateTempSubdirectory("nomadstack-peers-").FullName;
        Directory.CreateDirectory(Path.Combine(folder, "pki"));
        File.Copy(original.Paths.ClusterFile, Path.Combine(folder, "cluster.json"));
        foreach (var file in Directory.GetFiles(original.Paths.Pki)) File.Copy(file, Path.Combine(folder, "pki", Path.GetFileName(file)));
        var copy = new TestNode(original.File.Name, folder: folder, file: original.File with { Address = address, Ports = new PortPlan { Peers = TestNode.FreePort(address) } });
        copy.Membership.Load();
        copy.WirePeering();
        return copy;
    }
}
