// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Servers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Servers;

public sealed class NomadServersTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory().FullName;

    [Fact]
    public void KeysThatAreOnDiskAloneAreKnownByTheirIdWhateverWrapsThem()
    {
        NomadServers.KeysIn(_data).ShouldBeEmpty("a Nomad before 1.4 has no keystore");
        var keystore = Directory.CreateDirectory(Path.Combine(_data, "server", "keystore")).FullName;
        foreach (var file in new[] { "0b1e.nks.json", "7c2f.aead.nks.json", "7c2f.transit.nks.json", "half-written.tmp" }) File.WriteAllText(Path.Combine(keystore, file), "{}");

        NomadServers.KeysIn(_data).ShouldBe(["0b1e", "7c2f"], ignoreOrder: true);
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);
}
