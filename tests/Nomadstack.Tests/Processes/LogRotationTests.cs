// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Processes;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Processes;

public sealed class LogRotationTests : IDisposable
{
    private readonly ProcessFolder _folder = new();
    private readonly string _log;

    public LogRotationTests()
    {
        _log = _folder.Log("x");
        Directory.CreateDirectory(Path.GetDirectoryName(_log)!);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ASmallOrMissingFileStays()
    {
        File.WriteAllText(_log, "0123456789");

        new LogRotation(10).RotateIfNeeded(_log).ShouldBeFalse();
        new LogRotation(10).RotateIfNeeded(_log + ".missing").ShouldBeFalse();

        File.ReadAllText(_log).ShouldBe("0123456789");
    }

    [Fact]
    public void KeepsThreeAndTheOldestGoes()
    {
        var rotation = new LogRotation(3);
        foreach (var text in (string[])["one\n", "two\n", "three\n", "four\n"])
        {
            File.AppendAllText(_log, text);
            rotation.RotateIfNeeded(_log).ShouldBeTrue();
        }

        File.ReadAllText(_log).ShouldBe("");
        Directory.EnumerateFiles(Path.GetDirectoryName(_log)!).Order().Select(f => (Path.GetFileName(f), File.ReadAllText(f)))
            .ShouldBe([("x.log", ""), ("x.log.1", "four\n"), ("x.log.2", "three\n"), ("x.log.3", "two\n")]);
        File.GetUnixFileMode(_log + ".1").ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public void OnADiskWithoutRoomTheOldContentGoesAndNothingIsCopied()
    {
        foreach (var name in (string[])["", ".1", ".2", ".3"]) File.WriteAllText(_log + name, "0123456789");

        new LogRotation(10).MakeRoom(_log);
        File.ReadAllText(_log).ShouldBe("0123456789", "it is within its limit");
        Directory.EnumerateFiles(Path.GetDirectoryName(_log)!).ShouldBe([_log]);

        File.AppendAllText(_log, "more");
        new LogRotation(10).MakeRoom(_log);
        File.ReadAllText(_log).ShouldBeEmpty();
    }

    [Fact]
    public async Task AWritingProcessGoesOnAtTheNewEndAndItsLinesBeforeAreKept()
    {
        var go = Path.Combine(_folder.Path, "go");
        var process = _folder.Spawner.Spawn(_folder.Shell($"i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; until [ -e {go} ]; do sleep 0.01; done; echo after; exec sleep 600", name: "x"));
        await ProcessFolder.Eventually("wrote its lines", () => LogTail.LastLines(_log, 1) is ["line 499"]);

        new LogRotation(100).RotateIfNeeded(_log).ShouldBeTrue();
        await File.WriteAllTextAsync(go, "");
        await ProcessFolder.Eventually("wrote again", () => LogTail.LastLines(_log, 1) is ["after"]);

        (await File.ReadAllTextAsync(_log)).ShouldBe("after\n");
        (await File.ReadAllLinesAsync(_log + ".1")).ShouldBe(Enumerable.Range(0, 500).Select(i => $"line {i}"));
        ProcFs.IsAlive(process).ShouldBeTrue();
    }

    [Fact]
    public void ALeftoverOfAnInterruptedRotationDoesNoHarm()
    {
        File.WriteAllText(_log + ".tmp", "half a copy that is longer than the log");
        File.WriteAllText(_log, "whole\n");

        new LogRotation(3).RotateIfNeeded(_log);

        File.ReadAllText(_log + ".1").ShouldBe("whole\n");
        File.Exists(_log + ".tmp").ShouldBeFalse();
    }
}
