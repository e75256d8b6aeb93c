// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Storage;

public sealed class RetirementTests : IDisposable
{
    private static readonly DateTimeOffset s_now = new(2030, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly NodePaths _paths = new(Directory.CreateTempSubdirectory("nomadstack-retired-").FullName);

    [Fact]
    public void AFolderIsMovedWithItsContentAndTimeAndMayBeMovedTwice()
    {
        Retire("nomad-server-12345678", s_now);
        Retire("nomad-server-12345678", s_now);
        Retirement.Retire(_paths, Path.Combine(_paths.Data, "gone"), "gone", s_now);

        Names.ShouldBe(["nomad-server-12345678-20300101T120000Z", "nomad-server-12345678-2-20300101T120000Z"], ignoreOrder: true);
        File.ReadAllText(Path.Combine(_paths.Retired, "nomad-server-12345678-20300101T120000Z", "raft.db")).ShouldBe("data");
    }

    [Fact]
    public void OnlyWhatIsOldAndOursIsRemoved()
    {
        var old = s_now - Retirement.Kept - TimeSpan.FromHours(1);
        Retire("nomad-server-00000001", old);
        Retire("nomad-server-00000002", s_now - Retirement.Kept + TimeSpan.FromHours(1));
        Retire("nomad-server-00000003", s_now);
        Directory.CreateDirectory(Path.Combine(_paths.Retired, "kept-by-an-operator"));

        Retirement.RemoveOld(_paths, s_now).ShouldHaveSingleItem().ShouldContain("00000001");

        Names.Length.ShouldBe(3);
    }

    [Fact]
    public void AClockThatJumpsAheadDoesNotTakeTheNewestOfAnyKind()
    {
        foreach (var id in Enumerable.Range(1, 3)) Retire($"nomad-server-0000000{id}", s_now + TimeSpan.FromMinutes(id));
        Retire("consul-server-00000009", s_now);

        Retirement.RemoveOld(_paths, s_now.AddYears(10)).ShouldHaveSingleItem().ShouldContain("00000001");
    }

    [Fact]
    public void AFolderOnAnotherFileSystemIsCopiedWithModesAndLinksAndGoes()
    {
        var elsewhere = Directory.CreateDirectory(Path.Combine("/dev/shm", "nomadstack-retired-" + Guid.NewGuid().ToString()[..8])).FullName;
        try
        {
            var folder = Path.Combine(elsewhere, "nomad");
            Directory.CreateDirectory(Path.Combine(folder, "data", "raft"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            File.WriteAllText(Path.Combine(folder, "record.json"), "{}");
            File.WriteAllText(Path.Combine(folder, "data", "raft", "raft.db"), "data");
            File.SetUnixFileMode(Path.Combine(folder, "data", "raft", "raft.db"), UnixFileMode.UserRead);
            File.CreateSymbolicLink(Path.Combine(folder, "data", "newest"), "raft/raft.db");
            System.Diagnostics.Process.Start("mkfifo", [Path.Combine(folder, "data", "pipe")]).WaitForExit();

            Retirement.Retire(_paths, folder, "nomad-server-12345678", s_now);

            Directory.Exists(folder).ShouldBeFalse();
            var copy = Path.Combine(_paths.Retired, "nomad-server-12345678-20300101T120000Z");
            File.ReadAllText(Path.Combine(copy, "data", "newest")).ShouldBe("data");
            File.GetUnixFileMode(Path.Combine(copy, "data", "raft", "raft.db")).ShouldBe(UnixFileMode.UserRead);
            File.Exists(Path.Combine(copy, "record.json")).ShouldBeTrue();
            File.Exists(Path.Combine(copy, "data", "pipe")).ShouldBeFalse();
            Names.ShouldHaveSingleItem();
        }
        finally
        {
            Directory.Delete(elsewhere, recursive: true);
        }
    }

    [Fact]
    public void WithNothingRetiredThereIsNothingToRemove() => Retirement.RemoveOld(_paths, s_now).ShouldBeEmpty();

    private string[] Names => [.. Directory.GetDirectories(_paths.Retired).Select(folder => Path.GetFileName(folder))];

    private void Retire(string label, DateTimeOffset at)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_paths.Data, "servers", "nomad")).FullName;
        File.WriteAllText(Path.Combine(folder, "raft.db"), "data");
        Retirement.Retire(_paths, folder, label, at);
    }

    public void Dispose() => Directory.Delete(_paths.Data, recursive: true);
}
