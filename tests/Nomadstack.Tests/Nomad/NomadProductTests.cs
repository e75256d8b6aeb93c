// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Nomad;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Nomad;

public sealed class NomadProductTests : IDisposable
{
    private static readonly HashSet<string> s_onDisk = ["0b1e", "7c2f"];

    private readonly string _data = Directory.CreateTempSubdirectory().FullName;

    [Fact]
    public void KeysThatAreOnDiskAloneAreKnownByTheirIdWhateverWrapsThem()
    {
        NomadProduct.KeysIn(_data).ShouldBeEmpty("a Nomad before 1.4 has no keystore");
        var keystore = Directory.CreateDirectory(Path.Combine(_data, "server", "keystore")).FullName;
        foreach (var file in new[] { "0b1e.nks.json", "7c2f.aead.nks.json", "7c2f.transit.nks.json", "half-written.tmp" }) File.WriteAllText(Path.Combine(keystore, file), "{}");

        NomadProduct.KeysIn(_data).ShouldBe(["0b1e", "7c2f"], ignoreOrder: true);
    }

    [Theory]
    [InlineData("1.6.10", "0b1e", "a key that the keyring no longer names stays on disk for good")]
    [InlineData("1.8.4", "0b1e", "a key that the keyring no longer names stays on disk for good")]
    [InlineData("1.9.7", "", "there all keys are in raft, and a successor writes no files")]
    [InlineData("2.0.5", "", "there all keys are in raft, and a successor writes no files")]
    public void NeededAreTheKeysThatTheKeyringNames(string version, string needed, string because) =>
        string.Join(',', NomadProduct.Needed(s_onDisk, SemVer.Parse(version), ["0b1e", "ffff"])).ShouldBe(needed, because);

    [Fact]
    public void WhatCannotBeToldIsNeeded() =>
        NomadProduct.Needed(s_onDisk, null, null).ShouldBe(s_onDisk);

    public void Dispose() => Directory.Delete(_data, recursive: true);
}
