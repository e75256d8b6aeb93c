// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Processes;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Processes;

public sealed class ProcFsTests : IDisposable
{
    private readonly ProcessFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ReadsAStatLineWhoseNameHoldsBracketsAndSpaces()
    {
        var line = "4711 (a) b (c)) S 17 4711 4712 0 -1 4194560 1 2 3 4 50 60 7 8 20 0 1 0 987654 1000 42 18446744073709551615 1 1"u8;

        ProcFs.ParseStat(line).ShouldBe(new ProcessStat(4711, 'S', 17, 4712, 50, 60, 987654, 42 * Environment.SystemPageSize));
    }

    [Fact]
    public void KnowsItself()
    {
        var stat = ProcFs.Stat(Environment.ProcessId).ShouldNotBeNull();

        stat.ResidentBytes.ShouldBeGreaterThan(1024 * 1024);
        (stat.UserTicks + stat.SystemTicks).ShouldBeGreaterThan(0);
        ProcFs.Executable(Environment.ProcessId).ShouldBe(Environment.ProcessPath);
        ProcFs.CommandLine(Environment.ProcessId).ShouldNotBeNull().ShouldNotBeEmpty();
        ProcFs.Age(ProcFs.Identify(Environment.ProcessId)!).ShouldBeInRange(TimeSpan.Zero, TimeSpan.FromHours(1));
        Guid.TryParse(ProcFs.BootId, out _).ShouldBeTrue();
    }

    [Fact]
    public void AProcessWithAnotherStartOrOfAnotherBootIsAnotherProcess()
    {
        var self = ProcFs.Identify(Environment.ProcessId)!;

        ProcFs.IsAlive(self).ShouldBeTrue();
        ProcFs.IsAlive(self with { StartTicks = self.StartTicks + 1 }).ShouldBeFalse();
        ProcFs.IsAlive(self with { BootId = Guid.NewGuid().ToString() }).ShouldBeFalse();
    }

    [Fact]
    public async Task AZombieHasAnIdentityAndIsNotAlive()
    {
        var process = _folder.Spawner.Spawn(_folder.Shell("exit 0"));

        await ProcessFolder.Eventually("a zombie, since nobody waits for it", () => ProcFs.Stat(process.Pid)?.State == 'Z');

        ProcFs.Identify(process.Pid).ShouldBe(process);
        ProcFs.IsAlive(process).ShouldBeFalse();
        await _folder.Watcher.WhenExitedAsync(process, CancellationToken.None);
        ProcFs.Identify(process.Pid).ShouldNotBe(process);
    }
}
