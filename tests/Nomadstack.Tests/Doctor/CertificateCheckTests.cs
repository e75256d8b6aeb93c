// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Doctor;
using Nomadstack.Security;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Doctor;

public sealed class CertificateCheckTests
{
    private static readonly DateTimeOffset s_ends = new(2026, 12, 24, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("ca", "ends-soon", "warning", "certificate/authority-ends", "Nomad's authority ends on 2026-12-24.")]
    [InlineData("ca", "urgent", "problem", "certificate/authority-ends", "Nomad's authority ends on 2026-12-24.")]
    [InlineData("ca", "ended", "problem", "certificate/authority-ends", "Nomad's authority ended on 2026-12-24.")]
    [InlineData("node", "overdue", "warning", "certificate/not-renewed", "This node's certificate for Nomad ends on 2026-12-24, and should have been renewed.")]
    [InlineData("node", "urgent", "problem", "certificate/not-renewed", "This node's certificate for Nomad ends on 2026-12-24, and should have been renewed.")]
    [InlineData("node", "ended", "problem", "certificate/not-renewed", "This node's certificate for Nomad ended on 2026-12-24, and should have been renewed.")]
    [InlineData("ca", "not-yet-valid", "problem", "certificate/not-yet-valid", "Nomad's authority is not valid yet.")]
    [InlineData("node", "not-yet-valid", "problem", "certificate/not-yet-valid", "This node's certificate for Nomad is not valid yet.")]
    public void WhatAPersonMustDoSomethingAboutIsAFinding(string kind, string state, string finding, string code, string what)
    {
        var found = CertificateCheck.Of(new([new("nomad", kind, s_ends, state), new("consul", "ca", s_ends, "fine")], [])).ShouldHaveSingleItem();

        (found.Check, found.State, found.Code, found.What).ShouldBe(("certificates", finding, code, what));
        found.Why.ShouldNotBeEmpty();
        found.Fix.ShouldNotBeEmpty();
    }

    [Fact]
    public void WhatDoesNotFitTogetherIsAProblem()
    {
        var found = CertificateCheck.Of(new([new("nomad", "ca", null, "unreadable")], [CertificateProblems.Unreadable("/data/pki/nomad/ca.pem", "It is empty.")])).ShouldHaveSingleItem();

        (found.State, found.Code, found.What).ShouldBe(("problem", "certificate/unreadable", "/data/pki/nomad/ca.pem cannot be read."));
    }

    [Fact]
    public void WhereAllIsFineTheFirstEndIsSaid()
    {
        var found = CertificateCheck.Of(new([new("nomad", "ca", s_ends.AddYears(9), "fine"), new("nomad", "node", s_ends, "fine"), new("consul", "node", s_ends.AddDays(1), "fine")], [])).ShouldHaveSingleItem();

        found.State.ShouldBe("ok");
        found.What.ShouldBe("this node's end from 2026-12-24 on, and are renewed; their authorities from 2035-12-24 on");
    }

    [Fact]
    public void WhereThereIsNoneNothingIsSaid() => CertificateCheck.Of(new([], [])).ShouldBeEmpty();
}
