// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Storage;

public sealed class DurableFileTests : IDisposable
{
    private readonly NodePaths _paths = new(Directory.CreateTempSubdirectory("nomadstack-storage-").FullName);
    private readonly DurableFile<NodeFile> _file;

    public DurableFileTests() => _file = NodeFile.At(_paths);

    [Fact]
    public void WhatWasNeverWrittenIsNull()
    {
        _file.Read().ShouldBeNull();
        _file.Exists.ShouldBeFalse();
        NodeFile.At(new NodePaths(Path.Combine(_paths.Data, "no", "such"))).Read().ShouldBeNull();
    }

    [Fact]
    public void WhatWasWrittenIsRead()
    {
        _file.Write(Node("n1"));

        NodeFile.At(_paths).Read().ShouldBe(Node("n1"));
        File.GetUnixFileMode(_file.Path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public void TheVersionBeforeIsKept()
    {
        foreach (var name in (string[])["n1", "n2", "n3"]) _file.Write(Node(name));
        File.Copy(_file.Path + ".previous", _file.Path, overwrite: true);

        _file.Read()!.Name.ShouldBe("n2");
    }

    [Fact]
    public void AFileTornAtAnyByteIsRefusedAndLeftAlone()
    {
        _file.Write(Node("n1"));
        var whole = File.ReadAllBytes(_file.Path);
        whole[^1].ShouldBe((byte)'\n');
        for (var length = 0; length < whole.Length - 1; length++)
        {
            File.WriteAllBytes(_file.Path, whole[..length]);

            Refusal().Code.ShouldBe("storage/torn", $"{length} of {whole.Length} bytes");
            File.ReadAllBytes(_file.Path).ShouldBe(whole[..length]);
        }
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("{}")]
    [InlineData("{\"schema\":1}")]
    [InlineData("{\"schema\":\"one\"}")]
    [InlineData("\u0000\u0000\u0000\u0000")]
    [InlineData("<html></html>")]
    public void AForeignFileIsRefused(string content)
    {
        Put(content);

        Refusal().ShouldSatisfyAllConditions(p => p.Code.ShouldBe("storage/torn"), p => p.What.ShouldContain(_file.Path));
    }

    [Theory]
    [InlineData("\"not-a-uuid\"", "\"n1\"", "\"10.0.0.1\"", "UUID")]
    [InlineData("\"5a8f1c1e-3d53-4a3b-9d0e-1f0f6a1b2c3d\"", "\"\"", "\"10.0.0.1\"", "name")]
    [InlineData("\"5a8f1c1e-3d53-4a3b-9d0e-1f0f6a1b2c3d\"", "\"n1\"", "\"somewhere\"", "somewhere")]
    public void AHandEditedValueThatMakesNoSenseIsNamed(string id, string name, string address, string word)
    {
        Put($$"""{"schema":1,"ports":{"peers":4640},"id":{{id}},"name":{{name}},"address":{{address}} }""");

        Refusal().ShouldSatisfyAllConditions(p => p.Code.ShouldBe("storage/torn"), p => p.Why.ShouldContain(word));
    }

    [Fact]
    public void ABrokenEditIsPointedAt()
    {
        Put("{\n  \"schema\": 1,\n  \"id\": oops\n}");

        Refusal().Why.ShouldContain("line 3");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void ASchemaThatNeverWasIsRefused(int schema)
    {
        _file.Write(Node("n1") with { Schema = schema });

        Refusal().Code.ShouldBe("storage/torn");
    }

    [Fact]
    public void AFileOfANewerVersionIsRefusedAndLeftAlone()
    {
        _file.Write(Node("n1") with { Schema = NodeFile.CurrentSchema + 1 });
        var before = File.ReadAllText(_file.Path);

        Refusal().ShouldSatisfyAllConditions(p => p.Code.ShouldBe("storage/newer"), p => p.What.ShouldContain(_file.Path), p => p.Why.ShouldContain("2"));
        File.ReadAllText(_file.Path).ShouldBe(before);
    }

    [Fact]
    public void ADamagedFileWithAVersionBeforeItNamesThatVersion()
    {
        _file.Write(Node("n1"));
        _file.Write(Node("n2"));
        Put("{");

        Refusal().Fix.ShouldContain(_file.Path + ".previous");
    }

    [Fact]
    public void ADamagedFileWithoutAVersionBeforeItPromisesNone()
    {
        _file.Write(Node("n1"));
        Put("{");

        Refusal().Fix.ShouldNotContain(".previous");
    }

    [Fact]
    public void WhatAWriterLeftWhenItDiedIsIgnored()
    {
        _file.Write(Node("n1"));
        File.WriteAllText(_file.Path + ".tmp", "{\"schema\":1,\"na");

        _file.Read().ShouldBe(Node("n1"));
        _file.Write(Node("n2"));
        _file.Read().ShouldBe(Node("n2"));
        File.Exists(_file.Path + ".tmp").ShouldBeFalse();
    }

    [Theory]
    [InlineData(".tmp")]
    [InlineData(".previous")]
    public void WhenItCannotBeWrittenTheOldContentStays(string obstacle)
    {
        _file.Write(Node("n1"));
        // A folder in the way stops even root, whom a mode does not.
        Directory.CreateDirectory(Path.Combine(_file.Path + obstacle, "full"));

        var problem = Should.Throw<ProblemException>(() => _file.Write(Node("n2"))).Problem;

        problem.ShouldSatisfyAllConditions(p => p.Code.ShouldBe("storage/unwritable"), p => p.What.ShouldContain(_file.Path));
        _file.Read().ShouldBe(Node("n1"));
    }

    [Fact]
    public void AFileThatCannotBeReadIsNoMissingFile()
    {
        Directory.CreateDirectory(_file.Path);

        Refusal().Code.ShouldBe("storage/unreadable");
    }

    [Fact]
    public void ADeletedFileIsGoneWithTheVersionBefore()
    {
        _file.Write(Node("n1"));
        _file.Write(Node("n2"));
        _file.Delete();
        _file.Delete();

        Directory.GetFiles(_paths.Data).ShouldBeEmpty();
        _file.Read().ShouldBeNull();
    }

    public void Dispose() => Directory.Delete(_paths.Data, recursive: true);

    private static NodeFile Node(string name) => new() { Id = "5a8f1c1e-3d53-4a3b-9d0e-1f0f6a1b2c3d", Name = name, Address = "10.0.0.1" };

    private Problem Refusal()
    {
        var problem = Should.Throw<ProblemException>(() => _file.Read()).Problem;
        problem.Why.ShouldNotBeEmpty();
        problem.Fix.ShouldNotBeEmpty();
        return problem;
    }

    private void Put(string content) => File.WriteAllText(_file.Path, content);
}
