// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Storage;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Storage;

public sealed class DurableFoldersTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheNameOfEachNewFolderIsSafeBeforeAnythingIsInIt()
    {
        var last = Path.Combine(_folder.Path, "a", "b", "c");

        DurableFolders.Create(last, DurableFolders.OwnerOnly).ShouldBe([Path.Combine(_folder.Path, "a", "b"), Path.Combine(_folder.Path, "a"), _folder.Path]);

        Directory.Exists(last).ShouldBeTrue();
        foreach (var made in new[] { last, Path.Combine(_folder.Path, "a", "b"), Path.Combine(_folder.Path, "a") }) File.GetUnixFileMode(made).ShouldBe(DurableFolders.OwnerOnly, made);
    }

    [Fact]
    public void WhatIsAboveADataFolderCanBePassed()
    {
        DurableFolders.CreateOwn(Path.Combine(_folder.Path, "mine", "data"));

        File.GetUnixFileMode(Path.Combine(_folder.Path, "mine")).HasFlag(UnixFileMode.OtherExecute).ShouldBeTrue();
        File.GetUnixFileMode(Path.Combine(_folder.Path, "mine", "data")).ShouldBe(DurableFolders.OwnerOnly);
    }

    [Fact]
    public void WhatIsThereIsLeftAsItIs()
    {
        DurableFolders.Create(_folder.Path, UnixFileMode.UserRead).ShouldBeEmpty();

        File.GetUnixFileMode(_folder.Path).ShouldNotBe(UnixFileMode.UserRead);
    }

    [Fact]
    public void NoFolderThatLastsIsMadeAnyOtherWay()
    {
        // Whose folders are gone after a reboot, or hold what can be made anew; and the one that syncs by itself.
        string[] passing = ["Storage/DurableFolders.cs", "Storage/RunFolder.cs", "Driver/DriverServer.cs", "Driver/Lifelines.cs", "Processes/ProcessSpawner.cs", "Bundle/BundleStore.cs", "Bundle/Bundler.cs", "Fetch/ReleaseArchive.cs", "Fetch/Fetcher.cs"];

        Docs.Repository.Files().Where(f => f.Text.Contains("Directory.CreateDirectory(", StringComparison.Ordinal)).Select(f => f.Path).Except(passing).ShouldBeEmpty();
    }
}
