// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;
using Nomadstack.Processes;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Processes;

public sealed class ProcessSpawnerTests : IDisposable
{
    private readonly ProcessFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheChildLeadsASessionOfItsOwnAndIsOurs()
    {
        var process = _folder.Spawner.Spawn(_folder.Sleep());

        var stat = ProcFs.Stat(process.Pid).ShouldNotBeNull();
        stat.Session.ShouldBe(process.Pid);
        stat.Parent.ShouldBe(Environment.ProcessId);
        stat.StartTicks.ShouldBe(process.StartTicks);
        ProcFs.IsAlive(process).ShouldBeTrue();
        ProcFs.CommandLine(process.Pid).ShouldBe(["/bin/sleep", "600"]);
    }

    [Fact]
    public async Task TheChildHasNoDescriptorOfOursEvenIfItWasLeftOpenForExec()
    {
        var leak = Libc.Open("/dev/zero", Libc.O_RDONLY, 0);

        var process = _folder.Spawner.Spawn(_folder.Sleep());
        _ = Libc.Close(leak);

        Dictionary<int, string?> Descriptors() => Directory.EnumerateFileSystemEntries($"/proc/{process.Pid}/fd").ToDictionary(f => int.Parse(Path.GetFileName(f), CultureInfo.InvariantCulture), f => new FileInfo(f).LinkTarget);
        // The program opens libraries while it loads and closes them again; what was inherited stays.
        await ProcessFolder.Eventually("three descriptors are left", () => Descriptors().Keys.Order().SequenceEqual([0, 1, 2]));
        var fds = Descriptors();
        fds[0].ShouldBe("/dev/null");
        fds[1].ShouldBe(_folder.Log("sleeper"));
        fds[2].ShouldBe(_folder.Log("sleeper"));
    }

    [Fact]
    public void TheChildStartsWithDefaultSignalsNoneBlocked()
    {
        var process = _folder.Spawner.Spawn(_folder.Sleep());

        var status = File.ReadAllLines($"/proc/{process.Pid}/status");
        status.ShouldContain("SigBlk:\t0000000000000000");
        status.ShouldContain("SigIgn:\t0000000000000000");
    }

    [Fact]
    public async Task OutputAndErrorsAreAppendedToTheLogThatOnlyItsOwnerReads()
    {
        await RunAsync(_folder.Shell("echo one; echo two >&2"));
        await RunAsync(_folder.Shell("echo three"));

        (await File.ReadAllTextAsync(_folder.Log("shell"))).ShouldBe("one\ntwo\nthree\n");
        File.GetUnixFileMode(_folder.Log("shell")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public async Task TheEnvironmentIsOursAndTheSpecsAndTheMarkerButNotWhatSystemdAndTheOperatorsShellTellTheAgent()
    {
        Environment.SetEnvironmentVariable("NOTIFY_SOCKET", "/run/notify");
        Environment.SetEnvironmentVariable("NOMAD_TOKEN", "secret");
        var spec = _folder.Shell("echo \"$HOME,$A,$NOMADSTACK_PROCESS,$NOTIFY_SOCKET$NOMAD_TOKEN,$(pwd)\"") with { Environment = new Dictionary<string, string> { ["A"] = "b = ü" } };

        await RunAsync(spec);
        Environment.SetEnvironmentVariable("NOTIFY_SOCKET", null);
        Environment.SetEnvironmentVariable("NOMAD_TOKEN", null);

        (await File.ReadAllTextAsync(spec.LogFile)).ShouldBe($"{Environment.GetEnvironmentVariable("HOME")},b = ü,{_folder.Path}:shell,,{_folder.Path}\n");
    }

    [Theory]
    [InlineData("HTTP_PROXY")]
    [InlineData("https_proxy")]
    [InlineData("ALL_PROXY")]
    [InlineData("no_proxy")]
    public async Task NoChildAsksAProxy(string variable)
    {
        Environment.SetEnvironmentVariable(variable, "http://192.0.2.9:3128");
        try
        {
            await RunAsync(_folder.Shell($"echo \"proxy ${variable}\""));
        }
        finally
        {
            Environment.SetEnvironmentVariable(variable, null);
        }

        (await File.ReadAllTextAsync(_folder.Log("shell"))).ShouldBe("proxy \n");
    }

    [Fact]
    public void AMissingLoaderIsNamed()
    {
        var script = Path.Combine(_folder.Path, "script");
        File.WriteAllText(script, "#!/opt/no-such-shell\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);

        Should.Throw<ProblemException>(() => _folder.Spawner.Spawn(new("x", script, [], _folder.Log("x")))).Problem.Why.ShouldContain("/opt/no-such-shell");
    }

    [Fact]
    public void AMissingProgramIsAProblemAndStartsNothing()
    {
        var spec = new ProcessSpec("x", "/nowhere/nomad", [], _folder.Log("x"));

        var problem = Should.Throw<ProblemException>(() => _folder.Spawner.Spawn(spec)).Problem;

        problem.Code.ShouldBe("process/not-started");
        problem.What.ShouldContain("/nowhere/nomad");
        problem.Why.ShouldContain("No such file");
    }

    [Fact]
    public void ALogThatCannotBeWrittenIsAProblemThatNamesIt()
    {
        var spec = _folder.Sleep() with { LogFile = _folder.Path };

        Should.Throw<ProblemException>(() => _folder.Spawner.Spawn(spec)).Problem.Code.ShouldBe("process/no-log");
    }

    [Fact]
    public void AnOrphanIsFoundByMarkerAndArgumentsTogether()
    {
        using var other = new ProcessFolder();
        var process = _folder.Spawner.Spawn(_folder.Sleep());
        other.Spawner.Spawn(_folder.Sleep());

        _folder.Spawner.FindOrphan(_folder.Sleep()).ShouldBe(process);
        _folder.Spawner.FindOrphan(_folder.Sleep(seconds: "601")).ShouldBeNull();
        _folder.Spawner.FindOrphan(_folder.Sleep(name: "another")).ShouldBeNull();
    }

    [Fact]
    public async Task AnOrphanScriptIsFoundBehindItsInterpreter()
    {
        var script = Path.Combine(_folder.Path, "script");
        await File.WriteAllTextAsync(script, "#!/bin/sh\nsleep 600\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var spec = new ProcessSpec("script", script, ["-x"], _folder.Log("script"));

        var process = _folder.Spawner.Spawn(spec);

        _folder.Spawner.FindOrphan(spec).ShouldBe(process);
    }

    [Fact]
    public async Task AChildOfOursThatInheritedTheMarkerIsNoOrphan()
    {
        // The inner shell has the marker and the very same arguments, but it neither leads a session nor is it the parent.
        var spec = _folder.Sleep();
        _folder.Spawner.Spawn(_folder.Shell("/bin/sleep 600; :", name: "sleeper"));
        await ProcessFolder.Eventually("both run", () => _folder.Living().Count == 2);

        _folder.Spawner.FindOrphan(spec).ShouldBeNull();
    }

    [Fact]
    public void TwoOrphansAreRefused()
    {
        _folder.Spawner.Spawn(_folder.Sleep());
        _folder.Spawner.Spawn(_folder.Sleep());

        var problem = Should.Throw<ProblemException>(() => _folder.Spawner.FindOrphan(_folder.Sleep())).Problem;

        problem.Code.ShouldBe("process/two-running");
        problem.Unsafe.ShouldBeTrue();
    }

    private async Task RunAsync(ProcessSpec spec) =>
        (await _folder.Watcher.WhenExitedAsync(_folder.Spawner.Spawn(spec), CancellationToken.None)).Code.ShouldBe(0);
}
