// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Node;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Node;

public sealed class FoldersTests : IDisposable
{
    private readonly string _above = Directory.CreateTempSubdirectory("nomadstack-folders-").FullName;

    private NodePaths Paths => new(Path.Combine(_above, "data"));

    public void Dispose() => Directory.Delete(_above, recursive: true);

    /// <summary>A task with a user of its own reaches its allocation, and nobody reaches anything else.</summary>
    [Fact]
    public void OnlyTheWayDownToTheTasksCanBePassedByOthers()
    {
        Folders.Create(Paths, ProductTable.Known);

        foreach (var folder in Directory.EnumerateDirectories(Paths.Data, "*", SearchOption.AllDirectories).Append(Paths.Data))
        {
            var way = Path.Combine(Paths.Client("nomad"), "data").StartsWith(folder, StringComparison.Ordinal);
            Octal(folder).ShouldBe(way ? "711" : "700", folder);
        }
    }

    [Fact]
    public void AFolderOfAnEarlierReleaseIsOpenedAsFarAsTasksNeedIt()
    {
        Directory.CreateDirectory(Path.Combine(Paths.Data, "pki"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        File.SetUnixFileMode(Paths.Data, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        Folders.Create(Paths, ProductTable.Known);

        Octal(Paths.Data).ShouldBe("711");
        Octal(Paths.Pki).ShouldBe("700");
    }

    private static string Octal(string folder) => Convert.ToString((int)File.GetUnixFileMode(folder), 8);
}
