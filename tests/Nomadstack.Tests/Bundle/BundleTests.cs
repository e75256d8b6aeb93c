// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Security.Cryptography;
using Nomadstack.Bundle;
using Nomadstack.Cluster;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Bundle;

public sealed class BundleTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-bundle-").FullName;
    private readonly string _self, _nomad, _consul, _out;

    public BundleTests()
    {
        (_self, _nomad, _consul, _out) = (In("nomadstack"), In("nomad-1"), In("consul-1"), In("out"));
        Elf(_self, 62);
        Elf(_nomad, 62);
        Elf(_consul, 62);
    }

    private NodePaths Paths => new(In("data"));

    private BundleStore Store => new(Paths, TimeProvider.System);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task WhatIsPackedIsUnpackedAsItWas()
    {
        var bundled = await PackAsync(_out);

        var folder = (await Store.UnpackAsync(_out, default))!;

        File.ReadAllBytes(Path.Combine(folder, "nomad")).ShouldBe(File.ReadAllBytes(_nomad));
        File.ReadAllBytes(Path.Combine(folder, "consul")).ShouldBe(File.ReadAllBytes(_consul));
        (File.GetUnixFileMode(Path.Combine(folder, "nomad")) & UnixFileMode.UserExecute).ShouldNotBe(UnixFileMode.None);
        bundled.Index.Programs.Select(p => (p.Name, p.Version)).ShouldBe([("consul", "1.20.0"), ("nomad", "1.9.5")]);
        bundled.Sha256.ShouldBe(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(_out))));
        (File.GetUnixFileMode(_out) & UnixFileMode.OtherExecute).ShouldNotBe(UnixFileMode.None);
    }

    [Fact]
    public async Task TheSameInputsGiveTheSameBytes()
    {
        var first = await PackAsync(_out);
        File.SetLastWriteTimeUtc(_nomad, new DateTime(2001, 1, 1, 0, 0, 0, DateTimeKind.Utc));

        (await PackAsync(In("other"), reversed: true)).Sha256.ShouldBe(first.Sha256);
    }

    [Fact]
    public async Task ABundleOfABundleIsTheSameBundle()
    {
        var first = await PackAsync(_out);

        (await PackAsync(In("other"), self: _out)).Sha256.ShouldBe(first.Sha256);
    }

    [Fact]
    public async Task APlainBinaryCarriesNothing()
    {
        Trailer.Read(_self).ShouldBeNull();
        (await Store.UnpackAsync(_self, default)).ShouldBeNull();
        Directory.Exists(Paths.Data).ShouldBeFalse();
    }

    [Fact]
    public async Task WhatIsThereIsNotUnpackedAgain()
    {
        await PackAsync(_out);
        var folder = (await Store.UnpackAsync(_out, default))!;
        var before = new FileInfo(Path.Combine(folder, "nomad")).LastWriteTimeUtc;
        // A binary whose programs could not be unpacked any more.
        Spoil(_out, new FileInfo(_self).Length + 20);

        (await Store.UnpackAsync(_out, default)).ShouldBe(folder);

        new FileInfo(Path.Combine(folder, "nomad")).LastWriteTimeUtc.ShouldBe(before);
        Store.Unpacked(_out).ShouldBe(folder);
    }

    [Theory]
    [InlineData("content")]
    [InlineData("length")]
    [InlineData("mode")]
    [InlineData("gone")]
    [InlineData("folder")]
    [InlineData("note")]
    public async Task WhatWasChangedOnDiskIsMadeRightAgain(string what)
    {
        await PackAsync(_out);
        var folder = (await Store.UnpackAsync(_out, default))!;
        var file = Path.Combine(folder, "nomad");
        if (what == "content") Spoil(file, 100);
        if (what == "length") File.AppendAllText(file, "x");
        if (what == "mode") File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        if (what == "gone") File.Delete(file);
        if (what == "note") File.WriteAllText(Path.Combine(folder, "bundle.json"), "{");
        if (what == "folder") Directory.Delete(folder, recursive: true);

        Store.Unpacked(_out).ShouldBeNull();
        (await Store.UnpackAsync(_out, default)).ShouldBe(folder);

        File.ReadAllBytes(file).ShouldBe(File.ReadAllBytes(_nomad));
        (File.GetUnixFileMode(file) & UnixFileMode.UserExecute).ShouldNotBe(UnixFileMode.None);
        Store.Unpacked(_out).ShouldBe(folder);
    }

    [Fact]
    public async Task TheOneBeforeIsKeptAndOlderOnesGo()
    {
        List<string> folders = [];
        for (var i = 0; i < 3; i++)
        {
            Elf(_nomad, 62);
            await PackAsync(In("out" + i));
            folders.Add((await Store.UnpackAsync(In("out" + i), default))!);
        }

        folders.Select(Directory.Exists).ShouldBe([false, true, true]);
        // The way back: the older binary is run again.
        (await Store.UnpackAsync(In("out1"), default)).ShouldBe(folders[1]);
        folders.Select(Directory.Exists).ShouldBe([false, true, true]);
    }

    [Fact]
    public async Task ManyAtOnceUnpackItOnce()
    {
        await PackAsync(_out);

        var folders = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => Store.UnpackAsync(_out, default)))).WaitAsync(TimeSpan.FromSeconds(30));

        folders.Distinct().ShouldHaveSingleItem();
        Directory.GetDirectories(Path.Combine(Paths.Data, "bundle")).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task WhatAKilledUnpackingLeftIsCleared()
    {
        await PackAsync(_out);
        var folder = (await Store.UnpackAsync(_out, default))!;
        var half = Path.Combine(Path.GetDirectoryName(folder)!, "." + Path.GetFileName(folder));
        Directory.Move(folder, half);
        File.Delete(Path.Combine(half, "nomad"));

        (await Store.UnpackAsync(_out, default)).ShouldBe(folder);

        Directory.Exists(half).ShouldBeFalse();
    }

    [Theory]
    [InlineData("program")]
    [InlineData("index")]
    [InlineData("lengths")]
    public async Task ADamagedBundleIsRefusedAndLeavesNothing(string where)
    {
        await PackAsync(_out);
        var length = new FileInfo(_out).Length;
        Spoil(_out, where switch { "program" => new FileInfo(_self).Length + 3000, "index" => length - Trailer.Length - 10, _ => length - Trailer.Length + 22 });

        (await Should.ThrowAsync<ProblemException>(Store.UnpackAsync(_out, default))).Problem.Code.ShouldBe("bundle/damaged");

        Directory.Exists(Path.Combine(Paths.Data, "bundle")).ShouldBe(where == "program");
        if (where == "program") Directory.GetDirectories(Path.Combine(Paths.Data, "bundle")).ShouldBeEmpty();
    }

    [Fact]
    public async Task AnotherProcessorsProgramIsRefused()
    {
        Elf(_consul, 183);

        var problem = (await Should.ThrowAsync<ProblemException>(PackAsync(_out))).Problem;

        problem.Code.ShouldBe("bundle/other-machine");
        problem.What.ShouldContain("arm64");
        File.Exists(_out).ShouldBeFalse();
    }

    [Fact]
    public async Task AScriptIsRefused()
    {
        File.WriteAllText(_nomad, "#!/bin/sh\nexec /opt/nomad \"$@\"\n");

        (await Should.ThrowAsync<ProblemException>(PackAsync(_out))).Problem.Code.ShouldBe("bundle/not-a-program");
    }

    [SkippableFact]
    public async Task AFileSystemThatRunsNoProgramsIsExplained()
    {
        Directory.CreateDirectory(Paths.Data);
        Skip.IfNot(Run("mount", "-t", "tmpfs", "-o", "noexec,size=1m", "tmpfs", Paths.Data) == 0, "a disk can be mounted by root alone");
        try
        {
            await PackAsync(_out);

            var problem = (await Should.ThrowAsync<ProblemException>(Store.UnpackAsync(_out, default))).Problem;

            problem.Code.ShouldBe("bundle/noexec");
            problem.Why.ShouldContain(Paths.Data);
        }
        finally
        {
            Run("umount", Paths.Data);
        }
    }

    private static int Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode;
    }

    private Task<Bundled> PackAsync(string output, string? self = null, bool reversed = false)
    {
        List<(string, string, string)> programs = [("nomad", "1.9.5", _nomad), ("consul", "1.20.0", _consul)];
        if (reversed) programs.Reverse();
        return Bundler.WriteAsync(self ?? _self, programs, output, _ => { }, default);
    }

    private string In(string name) => Path.Combine(_folder, name);

    /// <summary>The head of a program for that processor, and something that does not compress.</summary>
    private static void Elf(string file, byte machine)
    {
        byte[] head = [0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, machine, 0];
        File.WriteAllBytes(file, [.. head, .. RandomNumberGenerator.GetBytes(10_000)]);
    }

    private static void Spoil(string file, long at)
    {
        using var stream = new FileStream(file, FileMode.Open);
        stream.Position = at;
        var was = stream.ReadByte();
        stream.Position = at;
        stream.WriteByte((byte)(was ^ 0xff));
    }
}
