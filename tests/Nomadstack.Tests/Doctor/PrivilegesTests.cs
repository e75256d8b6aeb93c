// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Doctor;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Doctor;

public sealed class PrivilegesTests
{
    private static readonly User s_alice = new("alice", false, 1024);

    [Theory]
    [InlineData("nomad", "1.1.2", "the task drivers exec and java, tasks of other users, ports below 1024 and protection from pids of the last boot (decision 114).")]
    [InlineData("nomad", "1.9.2", "the task drivers exec and java, tasks of other users and ports below 1024.")]
    [InlineData("embedded", "0.1.0", "tasks as root and ports below 1024.")]
    public void WhatRootWouldAddDependsOnTheEngine(string engine, string version, string added) =>
        Privileges.Missing(s_alice, engine, version).ShouldBe("not root: jobs run as alice, with the raw_exec driver. Root would add " + added);

    [Fact]
    public void PortsAreNotNamedWhereTheyAreEverybodys() => Privileges.Missing(s_alice with { LowestPort = 0 }, "embedded", "0.1.0")!.ShouldNotContain("ports");

    [Fact]
    public void RootLacksNothing() => Privileges.Missing(new("root", true, 1024), "nomad", "1.1.2").ShouldBeNull();
}
