// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class SnapshotCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-snapshot-").FullName;

    [Fact]
    public async Task ARestoreTellsWhatItStopsAndBringsBackAndNeedsConsent()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Plan = new("", DateTimeOffset.UnixEpoch, ["new"], 3, ["purged"]);
        var typed = new Typed();

        (await typed.RunAsync("--data-dir", host.Paths.Data, "snapshot", "restore", "s1", "--plan")).ShouldBe(0);

        typed.Out.ToString().ShouldContain("Stopped, 3 running allocations, because these jobs are not in the snapshot or were stopped then: new");
        typed.Out.ToString().ShouldContain("stopped again because nothing of them runs: purged");
        host.Agent.SnapshotCalls.ShouldBeEmpty();
        await new Typed().RunAsync("--data-dir", host.Paths.Data, "snapshot", "restore", "s1");
        (await new Typed().RunAsync("--data-dir", host.Paths.Data, "snapshot", "restore", "s1", "--yes")).ShouldBe(0);
        host.Agent.SnapshotCalls.ShouldBe([("refused", "s1"), ("restore", "s1")]);
    }

    [Fact]
    public async Task ASavedSnapshotIsCopiedForItsOwnerAlone()
    {
        await using var host = await AgentHost.StartAsync();
        var (kept, copy) = (Path.Combine(_folder, "kept"), Path.Combine(_folder, "copy"));
        await File.WriteAllTextAsync(kept, "archive");
        host.Agent.Saved = [Snapshot("s1", kept)];

        (await new Typed().RunAsync("--data-dir", host.Paths.Data, "snapshot", "save", "-o", copy)).ShouldBe(0);

        (await File.ReadAllTextAsync(copy)).ShouldBe("archive");
        File.GetUnixFileMode(copy).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public async Task TheListSaysWhichAreVerified()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Saved = [Snapshot("s2", ""), Snapshot("s1", "") with { VerifiedAt = DateTimeOffset.UnixEpoch }];
        var typed = new Typed();

        await typed.RunAsync("--data-dir", host.Paths.Data, "snapshot", "list");

        var lines = typed.Out.ToString().Split('\n');
        lines[1].ShouldContain("not verified");
        lines[2].ShouldContain("verified 1970-01-01 00:00:00Z");
    }

    [Fact]
    public async Task AFileWithTheKeyOfNoClusterIsRefusedWithoutAnAgent()
    {
        var key = Path.Combine(_folder, "key");
        await File.WriteAllTextAsync(key, "not a key\n");
        var typed = new Typed();

        (await typed.RunAsync("snapshot", "inspect", "/no/such/file", "--key-file", key)).ShouldBe(1);

        typed.Error.ToString().ShouldContain("This is not a recovery key.");
    }

    [Fact]
    public async Task AKitIsClosedWithThePassphraseInTheFilesFirstLine()
    {
        await using var host = await AgentHost.StartAsync();
        var (secret, kit) = (Path.Combine(_folder, "secret"), Path.Combine(_folder, "kit"));
        await File.WriteAllTextAsync(secret, "correct horse\nand more\n");

        (await new Typed().RunAsync("--data-dir", host.Paths.Data, "kit", "export", "-o", kit, "--passphrase-file", secret)).ShouldBe(0);

        // The fake agent gives the passphrase back as the kit.
        (await File.ReadAllTextAsync(kit)).ShouldBe("correct horse");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static SnapshotInfo Snapshot(string name, string path) => new(name, DateTimeOffset.UnixEpoch, "n1", "c", "0.1.0", 7, path, []);
}
