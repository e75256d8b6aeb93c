// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Storage;

public sealed class DurableTextTests : IDisposable
{
    private static readonly DateTime s_past = new(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-text-").FullName;

    private string Target => Path.Combine(_folder, "conf", "client.hcl");

    [Fact]
    public void TheFolderIsMadeAndTheModeIsTheOneAskedFor()
    {
        DurableText.Write(Target, "région = \"global\"\n", UnixFileMode.UserRead);

        File.ReadAllText(Target).ShouldBe("région = \"global\"\n");
        File.GetUnixFileMode(Target).ShouldBe(UnixFileMode.UserRead);
        Directory.GetFiles(Path.GetDirectoryName(Target)!).ShouldBe([Target]);
    }

    [Fact]
    public void ContentThatStaysTheSameIsNotWrittenAgain()
    {
        DurableText.Write(Target, "a");
        File.SetLastWriteTimeUtc(Target, s_past);
        DurableText.Write(Target, "a");

        File.GetLastWriteTimeUtc(Target).ShouldBe(s_past);
    }

    [Fact]
    public void ContentThatChangesIsReplacedWhole()
    {
        DurableText.Write(Target, "a longer text");
        using var reader = new StreamReader(Target);
        DurableText.Write(Target, "b");

        File.ReadAllText(Target).ShouldBe("b");
        reader.ReadToEnd().ShouldBe("a longer text", "who has the old file open keeps it");
    }

    [Fact]
    public void WhenItCannotBeWrittenTheOldContentStays()
    {
        DurableText.Write(Target, "a");
        Directory.CreateDirectory(Target + ".tmp");

        Should.Throw<ProblemException>(() => DurableText.Write(Target, "b")).Problem.Code.ShouldBe("storage/unwritable");
        File.ReadAllText(Target).ShouldBe("a");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
