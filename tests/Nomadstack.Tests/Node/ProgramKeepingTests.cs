// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Processes;
using Nomadstack.Programs;
using Nomadstack.Tests.Processes;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Node;

/// <summary>Row 30: a package manager replaces the program, and the next crash or boot does not run it.</summary>
public sealed class ProgramKeepingTests : IDisposable
{
    private readonly ProgramRoom _room = new();

    public void Dispose() => _room.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AMemberRunsOnWithWhatItRanWhenTheProgramOnThePathIsReplaced(bool inPlace)
    {
        _room.Install("1.9.2");
        var before = await _room.RunsAsync();
        _room.MakeMember();

        if (inPlace) _room.Overwrite("1.10.5");
        else _room.Install("1.10.5");
        var after = await _room.RunsAsync();

        after.Version.ToString().ShouldBe("1.9.2");
        after.Path.ShouldBe(before.Path);
        ProgramRoom.Says(after.Path).ShouldContain("1.9.2");
    }

    [Fact]
    public async Task AMemberRunsOnWhenTheProgramOnThePathIsRemoved()
    {
        _room.Install("1.9.2");
        await _room.RunsAsync();
        _room.MakeMember();
        File.Delete(_room.Installed);

        ProgramRoom.Says((await _room.RunsAsync()).Path).ShouldContain("1.9.2");
    }

    [Fact]
    public async Task ANodeThatIsNoMemberTakesWhatIsThere()
    {
        _room.Install("1.9.2");
        await _room.RunsAsync();
        _room.Install("1.10.5");

        var now = await _room.RunsAsync();

        now.Version.ToString().ShouldBe("1.10.5");
        ProgramRoom.Says(now.Path).ShouldContain("1.10.5");
    }

    [Fact]
    public async Task AMemberDoesNotSwitchToANewerOneThatWasFetched()
    {
        _room.Install("1.9.2", Path.Combine(_room.Paths.Binaries, "nomad/1.9.2/nomad"));
        var before = await _room.RunsAsync();
        _room.MakeMember();
        _room.Install("1.10.5", Path.Combine(_room.Paths.Binaries, "nomad/1.10.5/nomad"));

        (await _room.RunsAsync()).Path.ShouldBe(before.Path);
        Directory.Exists(Path.Combine(_room.Paths.Programs, "nomad")).ShouldBeFalse("what was fetched is ours already");
    }

    [Fact]
    public async Task AnOptionThatNamesAnotherProgramIsAWishAndTheSameOptionAgainIsNone()
    {
        var other = Path.Combine(_room.Paths.Data, "../other/nomad");
        _room.Install("1.9.2");
        await _room.RunsAsync();
        _room.MakeMember();
        _room.Install("1.10.0", other);

        (await _room.RunsAsync(Path.GetFullPath(other))).Version.ToString().ShouldBe("1.10.0");
        _room.Install("1.10.5", other);
        (await _room.RunsAsync(Path.GetFullPath(other))).Version.ToString().ShouldBe("1.10.0");
    }

    [Fact]
    public async Task ACopyThatTheDiskDamagedIsMadeAgainFromTheSameVersion()
    {
        _room.Install("1.9.2");
        var before = await _room.RunsAsync();
        _room.MakeMember();
        await File.WriteAllTextAsync(before.Path, "#!/bin/sh\necho 'Nomad v6.6.6'\n");

        var after = await _room.RunsAsync();

        after.Path.ShouldBe(before.Path);
        ProgramRoom.Says(after.Path).ShouldContain("1.9.2");
    }

    [Fact]
    public async Task ACopyThatIsLostIsNotReplacedByAnotherVersionButByTheSameOneThatIsFetched()
    {
        _room.Install("1.9.2");
        var before = await _room.RunsAsync();
        _room.MakeMember();
        _room.Install("1.10.5");
        Directory.Delete(Path.GetDirectoryName(before.Path)!, recursive: true);

        var refused = await _room.BootAsync();
        _room.Install("1.9.2", Path.Combine(_room.Paths.Binaries, "nomad/1.9.2/nomad"));
        var again = await _room.RunsAsync();

        refused.ShouldBeOfType<ProgramFinding.Unusable>().Problem.Code.ShouldBe("engine/nomad-lost");
        again.Version.ToString().ShouldBe("1.9.2");
    }

    [Fact]
    public async Task ADiskThatTakesNoCopyLeavesTheProgramWhereItIs()
    {
        _room.Install("1.9.2");
        await File.WriteAllTextAsync(_room.Paths.Programs, "in the way, as a full disk is");

        var runs = await _room.RunsAsync();

        runs.Path.ShouldBe(_room.Installed);
        runs.Why.ShouldContain("no room for a copy");
    }

    [Fact]
    public async Task ACopyWithOnlyAnotherTimeIsAsGoodAsBefore()
    {
        _room.Install("1.9.2");
        var before = await _room.RunsAsync();
        _room.MakeMember();
        File.Delete(_room.Installed);
        File.SetLastWriteTimeUtc(before.Path, new(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));

        (await _room.RunsAsync()).Path.ShouldBe(before.Path);
        _room.Own.Of(ProgramRoom.Nomad)!.Stamp.ShouldBe(ProgramStamp.Of(before.Path));
    }

    /// <summary>Needs a program that the kernel runs by itself: behind a script it sees the shell.</summary>
    [SkippableFact]
    public async Task AMemberOfAnOlderReleaseKeepsWhatRunsAlthoughItsFileWasReplaced()
    {
        Skip.IfNot(RealAgent.Has("nomad"), "no nomad program on PATH");
        using var silent = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        silent.Start();
        _room.MakeMember();
        File.Copy(RealAgent.Find("nomad")!, _room.Installed);
        using var folder = new ProcessFolder();
        // A question to somebody who never answers: it runs until it is ended.
        var spec = new ProcessSpec("nomad-client", _room.Installed, ["status", $"-address=http://{silent.LocalEndpoint}"], folder.Log("nomad-client"));
        var running = folder.Spawner.Spawn(spec);
        ProcessRecord.At(_room.Paths.Processes, "nomad-client").Write(new() { Spec = spec, Wanted = true, Process = running, BootId = running.BootId });
        _room.Install("99.0.0");

        var runs = await _room.RunsAsync();

        runs.Version.ToString().ShouldNotBe("99.0.0");
        OwnPrograms.Sum(runs.Path).ShouldBe(OwnPrograms.Sum(RealAgent.Find("nomad")!));
        _room.Own.Of(ProgramRoom.Nomad)!.Source.ShouldBe(_room.Installed);
    }
}
