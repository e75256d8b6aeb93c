// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Cluster;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Storage;

public sealed class DataFolderLockTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-lock-").FullName;

    [Fact]
    public void ASecondOwnerIsToldThePidOfTheFirst()
    {
        using var first = DataFolderLock.Take(_folder);

        Refusal().ShouldSatisfyAllConditions(
            p => p.Code.ShouldBe("agent/already-running"),
            p => p.What.ShouldContain("pid " + Environment.ProcessId.ToString(CultureInfo.InvariantCulture)),
            p => p.What.ShouldContain(_folder));
    }

    [Fact]
    public void ARefusedOwnerDoesNotLoosenTheLock()
    {
        using var first = DataFolderLock.Take(_folder);
        Refusal();

        Refusal().Code.ShouldBe("agent/already-running");
    }

    [Fact]
    public void ALockThatWasDroppedCanBeTakenAgain()
    {
        DataFolderLock.Take(_folder).Dispose();

        DataFolderLock.Take(_folder).Dispose();
    }

    [Fact]
    public void ThePidOfADeadOwnerIsOverwritten()
    {
        File.WriteAllText(Path.Combine(_folder, "agent.lock"), "12345678901234\n");

        DataFolderLock.Take(_folder).Dispose();

        File.ReadAllText(Path.Combine(_folder, "agent.lock")).ShouldBe(Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
    }

    /// <summary>Whoever reads the file between two writes must find the owner.</summary>
    [Fact]
    public void WhatTheOwnerWaitsForStandsBehindItsPidUntilItHasCome()
    {
        using var owner = DataFolderLock.Take(_folder);

        owner.Tell("wait for the address 10.0.0.7");

        Refusal().What.ShouldEndWith($"pid {Environment.ProcessId}.");
        owner.Tell("");
        Refusal().What.ShouldEndWith($"pid {Environment.ProcessId}.");
    }

    [Fact]
    public void AFolderThatIsNotThereIsAProblemThatNamesIt()
    {
        var missing = Path.Combine(_folder, "missing");

        Should.Throw<ProblemException>(() => DataFolderLock.Take(missing)).Problem.ShouldSatisfyAllConditions(
            p => p.Code.ShouldBe("storage/unwritable"),
            p => p.What.ShouldContain(missing));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private Problem Refusal() => Should.Throw<ProblemException>(() => DataFolderLock.Take(_folder)).Problem;
}
