// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Cluster;
using Nomadstack.Programs;
using Nomadstack.Storage;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Programs;

public sealed class ProgramProbeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("nomad", "Nomad v1.1.2 (abc)", "1.1.2")]
    [InlineData("nomad", "Nomad v1.6.10\nBuildDate 2024-04-16T19:02:43Z\nRevision abc\n", "1.6.10")]
    [InlineData("nomad", "Nomad v1.10.5+ent\nBuildDate 2025-09-09T14:36:45Z\n", "1.10.5+ent")]
    [InlineData("nomad", "Nomad v2.0.0-beta.1\n", "2.0.0-beta.1")]
    [InlineData("consul", "Consul v1.8.7\nRevision 1\nProtocol 2 spoken by default", "1.8.7")]
    public void ReadsTheVersionsThatThereAre(string kind, string output, string version) =>
        ProgramProbe.Judge(Role.Row(kind), kind, "/x", output).ShouldBeOfType<ProgramFinding.Found>().Program.Version.ToString().ShouldBe(version);

    [Theory]
    [InlineData("nomad", "", "engine/not-nomad")]
    [InlineData("nomad", "Consul v1.8.7", "engine/not-nomad")]
    [InlineData("consul", "Nomad v1.8.7", "engine/not-consul")]
    [InlineData("nomad", "Nomad version unknown", "engine/not-nomad")]
    [InlineData("nomad", "Nomad v1.0.18 (x)", "engine/nomad-too-old")]
    [InlineData("nomad", "Nomad v0.12.9", "engine/nomad-too-old")]
    [InlineData("consul", "Consul v1.7.14", "engine/consul-too-old")]
    public void RefusesWhatItCannotUse(string kind, string output, string code) =>
        ProgramProbe.Judge(Role.Row(kind), kind, "/x", output).ShouldBeOfType<ProgramFinding.Unusable>().Problem.Code.ShouldBe(code);

    [Fact]
    public async Task AProgramIsAskedOnceAndAgainWhenItsFileChanged()
    {
        var asked = Path.Combine(_folder.Path, "asked");
        var program = Path.Combine(_folder.Path, "nomad");
        await WriteAsync("Nomad v1.6.0");
        var (first, second) = (await RememberingProbe(), await RememberingProbe());
        var askedTwice = (await File.ReadAllLinesAsync(asked)).Length;
        await WriteAsync("Nomad v1.6.10");
        var third = await RememberingProbe();

        second.ShouldBe(first);
        askedTwice.ShouldBe(1);
        third.Version.ToString().ShouldBe("1.6.10");

        async Task WriteAsync(string says)
        {
            await File.WriteAllTextAsync(program, $"#!/bin/sh\necho x >> {asked}\necho '{says}'\n");
            File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        // A new memory each time, as after a restart of the agent.
        async Task<(string Path, SemVer Version)> RememberingProbe() =>
            await new ProgramProbe(TimeProvider.System, new KnownPrograms(new NodePaths(_folder.Path))).ProbeAsync(Role.Row(Role.Nomad), program, null, null, default) is ProgramFinding.Found { Program: var found }
                ? (found.Path, found.Version)
                : throw new InvalidOperationException("not found");
    }

    [Fact]
    public async Task AProgramThatIsNowhereIsMissing() =>
        (await Probe("nomad", null, _folder.Path)).ShouldBeOfType<ProgramFinding.Missing>().Problem.Code.ShouldBe("engine/nomad-missing");

    [Fact]
    public async Task ANamedProgramThatIsNotThereIsMissing() =>
        (await Probe("nomad", Path.Combine(_folder.Path, "nomad"), null)).ShouldBeOfType<ProgramFinding.Missing>().Problem.What.ShouldContain(_folder.Path);

    [Fact]
    public async Task AFileWithoutPermissionIsNotRun() =>
        (await Probe("nomad", Script("nomad", "echo Nomad v1.1.2", executable: false), null)).ShouldBeOfType<ProgramFinding.Unusable>().Problem.Code.ShouldBe("engine/nomad-not-executable");

    [Fact]
    public async Task AFileOfAnotherMachineIsNotExecutable()
    {
        var file = Script("nomad", "", executable: true);
        await File.WriteAllBytesAsync(file, [0x7f, (byte)'E', (byte)'L', (byte)'F', 9, 9, 9, 9]);

        (await Probe("nomad", file, null)).ShouldBeOfType<ProgramFinding.Unusable>().Problem.Code.ShouldBe("engine/nomad-not-executable");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AMissingLoaderIsNamed(bool wide)
    {
        var file = Script("nomad", "", executable: true);
        await File.WriteAllBytesAsync(file, Elf(wide, "/lib/ld-not-here.so.9"));

        var problem = (await Probe("nomad", file, null)).ShouldBeOfType<ProgramFinding.Unusable>().Problem;

        problem.Code.ShouldBe("engine/nomad-loader-missing");
        problem.Why.ShouldContain("/lib/ld-not-here.so.9");
    }

    [Fact]
    public async Task AMissingInterpreterOfAScriptIsNamed()
    {
        var file = Script("nomad", "", executable: true);
        await File.WriteAllTextAsync(file, "#!/opt/no-such-shell -e\n");

        (await Probe("nomad", file, null)).ShouldBeOfType<ProgramFinding.Unusable>().Problem.Why.ShouldContain("/opt/no-such-shell");
    }

    /// <summary>The least that the kernel looks at: a header and one PT_INTERP (elf(5)).</summary>
    private static byte[] Elf(bool wide, string loader)
    {
        var (header, entry) = wide ? (64, 56) : (52, 32);
        var path = System.Text.Encoding.UTF8.GetBytes(loader + "\0");
        var file = new byte[Math.Max(4096, header + entry + path.Length)];
        using var writer = new BinaryWriter(new MemoryStream(file));
        writer.Write([0x7f, (byte)'E', (byte)'L', (byte)'F', (byte)(wide ? 2 : 1), 1, 1]);
        // The class of this machine runs; the other one may, and then fails for its loader as well.
        At(16, (ushort)2, (ushort)(wide ? System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? 183 : 62 : 3));
        writer.Write(1u);
        At(wide ? 52 : 40, (ushort)header, (ushort)entry);
        writer.Write((ushort)1);
        if (wide) AtLong(32, (ulong)header);
        else AtInt(28, (uint)header);
        AtInt(header, 3u);
        if (wide)
        {
            AtLong(header + 8, (ulong)(header + entry));
            AtLong(header + 32, (ulong)path.Length);
        }
        else
        {
            AtInt(header + 4, (uint)(header + entry));
            AtInt(header + 16, (uint)path.Length);
        }

        path.CopyTo(file, header + entry);
        return file;

        void At(int offset, ushort a, ushort b)
        {
            writer.Seek(offset, SeekOrigin.Begin);
            writer.Write(a);
            writer.Write(b);
        }

        void AtInt(int offset, uint value)
        {
            writer.Seek(offset, SeekOrigin.Begin);
            writer.Write(value);
        }

        void AtLong(int offset, ulong value)
        {
            writer.Seek(offset, SeekOrigin.Begin);
            writer.Write(value);
        }
    }

    [Fact]
    public async Task AnotherProgramIsNotTaken() =>
        (await Probe("nomad", "/bin/true", null)).ShouldBeOfType<ProgramFinding.Unusable>().Problem.Why.ShouldContain("printed nothing");

    [Fact]
    public async Task AProgramThatHangsIsLeftInTime()
    {
        var clock = Stopwatch.StartNew();

        var finding = await Probe("nomad", Script("nomad", "sleep 60 & wait", executable: true), null, TimeSpan.FromMilliseconds(300));

        finding.ShouldBeOfType<ProgramFinding.Unusable>().Problem.Code.ShouldBe("engine/nomad-hangs");
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task AProgramThatPrintsWithoutEndIsLeftInTime() =>
        (await Probe("nomad", Script("nomad", "exec yes", executable: true), null, TimeSpan.FromMilliseconds(500))).ShouldBeOfType<ProgramFinding.Unusable>().Problem.Code.ShouldBe("engine/nomad-hangs");

    [Fact]
    public async Task PassesOverAFileThatCannotBeRunForOneThatCan()
    {
        Script("a/nomad", "", executable: false);
        var right = Script("b/nomad", "echo Nomad v1.6.10", executable: true);

        var found = (await Probe("nomad", null, $"relative:{_folder.Path}/a:{_folder.Path}/b")).ShouldBeOfType<ProgramFinding.Found>();

        found.Program.Path.ShouldBe(right);
        found.Program.LeadingArguments.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("1.1.2", "1.10.0")]
    [InlineData("1.9.9", "2.0.0-beta.1")]
    [InlineData("2.0.0-beta.1", "2.0.0-beta.2")]
    [InlineData("2.0.0-beta.9", "2.0.0-beta.10")]
    [InlineData("2.0.0-rc.1", "2.0.0")]
    public void OrdersVersions(string older, string newer)
    {
        (SemVer.Parse(older)! < SemVer.Parse(newer)!).ShouldBeTrue();
        (SemVer.Parse(newer)! > SemVer.Parse(older)!).ShouldBeTrue();
    }

    [Theory]
    [InlineData("1")]
    [InlineData("1.x.2")]
    [InlineData("")]
    [InlineData("1.2.3.4")]
    public void WhatIsNoVersionIsNull(string text) => SemVer.Parse(text).ShouldBeNull();

    private static Task<ProgramFinding> Probe(string kind, string? path, string? searchPath, TimeSpan? deadline = null) =>
        new ProgramProbe(TimeProvider.System).ProbeAsync(Role.Row(kind), path, searchPath, deadline, default);

    private string Script(string name, string body, bool executable)
    {
        var file = Path.Combine(_folder.Path, name);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, "#!/bin/sh\n" + body + "\n");
        File.SetUnixFileMode(file, executable ? UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute : UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }
}
