// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cli;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class ShellAliasTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-alias-").FullName;

    [Fact]
    public void NoneIsNeededWhereThePathLeadsHere()
    {
        var (self, link) = (File("opt/nomadstack"), Path.Combine(_folder, "bin/nomadstack"));
        Directory.CreateDirectory(Path.GetDirectoryName(link)!);
        System.IO.File.CreateSymbolicLink(link, self);

        ShellAlias.For(self, $"/nowhere:{_folder}/bin").ShouldBeNull();
    }

    [Fact]
    public void ABuildFolderNeedsOneAndSoDoesAnotherProgramOfTheName()
    {
        var self = File("build/nomadstack");
        File("bin/nomadstack");

        ShellAlias.For(self, "/nowhere").ShouldBe($"alias nomadstack={self}");
        ShellAlias.For(self, $"{_folder}/bin").ShouldBe($"alias nomadstack={self}");
    }

    [Fact]
    public void APathThatAShellWouldTakeApartIsQuoted() => ShellAlias.For("/my files/nomadstack", "").ShouldBe("alias nomadstack='/my files/nomadstack'");

    [Fact]
    public void WhatIsCalledOtherwiseIsNotOurs() => ShellAlias.For("/usr/bin/dotnet", "").ShouldBeNull();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string File(string name)
    {
        var file = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        System.IO.File.WriteAllText(file, "");
        return file;
    }
}
