// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.HashiCorp;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.HashiCorp;

/// <summary>An agent that was away while the others changed their gossip key.</summary>
public sealed class KeyringFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-keyring-").FullName;

    private string Keyring => Path.Combine(_folder, "serf.keyring");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("old", "old", null, "old", false)]
    [InlineData("old", "new", null, "new", true)]
    [InlineData("old new", "new", null, "new", true)]
    [InlineData("new old", "new", null, "new", false)]
    // While keys are replaced, it may still need all of them.
    [InlineData("old", "old", "new", "old new", false)]
    [InlineData("old", "new", "new", "new old", false)]
    [InlineData("older", "old", "new", "old new older", false)]
    public void ItStartsWithTheKeyThatCounts(string has, string key, string? next, string starts, bool isOld)
    {
        File.WriteAllText(Keyring, JsonSerializer.Serialize(has.Split(' ')));

        KeyringFile.IsOld([Keyring], (key, next)).ShouldBe(isOld);
        KeyringFile.Update([Keyring], (key, next));

        JsonSerializer.Deserialize<string[]>(File.ReadAllText(Keyring)).ShouldBe(starts.Split(' '));
        KeyringFile.IsOld([Keyring], (key, next)).ShouldBeFalse();
    }

    [Fact]
    public void WithoutAFileTheKeyInTheConfigurationCounts()
    {
        KeyringFile.IsOld([Keyring], ("key", null)).ShouldBeFalse();
        KeyringFile.Update([Keyring], ("key", null));

        File.Exists(Keyring).ShouldBeFalse();
    }

    [Fact]
    public void OnANodeWithoutTheKeyTheFileStays()
    {
        File.WriteAllText(Keyring, """["old"]""");

        KeyringFile.Update([Keyring], (null, null));

        File.ReadAllText(Keyring).ShouldBe("""["old"]""");
        KeyringFile.IsOld([Keyring], (null, null)).ShouldBeFalse();
    }

    [Fact]
    public void ADamagedFileIsLeftForItsAgentToTell()
    {
        File.WriteAllText(Keyring, "[\"ol");

        KeyringFile.IsOld([Keyring], ("key", null)).ShouldBeFalse();
        KeyringFile.Update([Keyring], ("key", null));

        File.ReadAllText(Keyring).ShouldBe("[\"ol");
    }
}
