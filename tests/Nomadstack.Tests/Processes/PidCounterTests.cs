// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Processes;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Processes;

public sealed class PidCounterTests : IDisposable
{
    private readonly string _proc = Directory.CreateTempSubdirectory("nomadstack-proc-").FullName;
    private readonly string _counter;

    public PidCounterTests()
    {
        _counter = Path.Combine(_proc, "sys/kernel/ns_last_pid");
        Directory.CreateDirectory(Path.GetDirectoryName(_counter)!);
        File.WriteAllText(Path.Combine(_proc, "sys/kernel/pid_max"), "32768\n");
    }

    public void Dispose() => Directory.Delete(_proc, recursive: true);

    [Fact]
    public void JumpsPastTheHighestRememberedPid()
    {
        File.WriteAllText(_counter, "900");

        new PidCounter(_proc).JumpPast(4711).Clear.ShouldBeTrue();

        File.ReadAllText(_counter).ShouldBe("4711");
    }

    [Fact]
    public void LeavesACounterThatIsPastItAlone()
    {
        File.WriteAllText(_counter, "5000\n");

        new PidCounter(_proc).JumpPast(4711).Clear.ShouldBeTrue();

        File.ReadAllText(_counter).ShouldBe("5000\n");
    }

    [Fact]
    public void DoesNotJumpSoFarThatTheCounterComesAround()
    {
        File.WriteAllText(_counter, "900\n");

        var jump = new PidCounter(_proc).JumpPast(32768 - PidCounter.Margin);

        jump.Clear.ShouldBeFalse();
        jump.Reason.ShouldContain("32768");
        File.ReadAllText(_counter).ShouldBe("900\n");
    }

    [Theory]
    [InlineData("0.50 0.40 0.30 2/180 5000\n", true)]
    [InlineData("0.50 0.40 0.30 2/180 900\n", false)]
    public void AKernelWithoutTheCounterFileIsJudgedByItsNewestPid(string loadavg, bool clear)
    {
        File.WriteAllText(Path.Combine(_proc, "loadavg"), loadavg);

        var jump = new PidCounter(_proc).JumpPast(4711);

        jump.Clear.ShouldBe(clear);
        File.Exists(_counter).ShouldBeFalse();
        if (!clear) jump.Reason.ShouldContain("ns_last_pid");
    }
}
