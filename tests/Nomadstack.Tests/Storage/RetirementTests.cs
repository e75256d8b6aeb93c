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
        Retire("old", s_now - Retirement.Kept - TimeSpan.FromHours(1));
        Retire("young", s_now - Retirement.Kept + TimeSpan.FromHours(1));
        Directory.CreateDirectory(Path.Combine(_paths.Retired, "kept-by-an-operator"));

        Retirement.RemoveOld(_paths, s_now).ShouldHaveSingleItem().ShouldContain("old-");

        Names.Select(name => name.Split('-')[0]).ShouldBe(["young", "kept"], ignoreOrder: true);
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
