// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Processes;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Processes;

public sealed class RestartDecisionTests
{
    [Theory]
    [InlineData(0, 0.5)]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(5, 16)]
    [InlineData(6, 30)]
    [InlineData(7, 30)]
    [InlineData(int.MaxValue - 1, 30)]
    public void QuickEndsDoubleTheDelayUpToHalfAMinute(int quickEnds, double seconds) =>
        RestartDecision.After(new(true, TimeSpan.FromSeconds(59.9), quickEnds))
            .ShouldBe(new RestartDecision.Restart(TimeSpan.FromSeconds(seconds), quickEnds + 1));

    [Fact]
    public void AMinuteOfServiceStartsTheCountAnew() =>
        RestartDecision.After(new(true, TimeSpan.FromSeconds(60), 7)).ShouldBe(new RestartDecision.Restart(TimeSpan.FromSeconds(0.5), 1));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(3600, 9)]
    public void WhatNobodyWantsStays(int uptime, int quickEnds) =>
        RestartDecision.After(new(false, TimeSpan.FromSeconds(uptime), quickEnds)).ShouldBe(new RestartDecision.Stay());
}
