// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Health;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Health;

public sealed class LeaderSightingsTests
{
    private readonly HandTime _time = new();
    private readonly LeaderSightings _sightings;

    public LeaderSightingsTests() => _sightings = new(_time);

    [Fact]
    public void TheTimeCountsFromWhenALeaderWasSeenLastAndNotFromTheFirstQuestion()
    {
        _sightings.Note("nomad", leader: true);
        _time.Pass(15);
        _sightings.Note("nomad", leader: false);
        _time.Pass(25);

        _sightings.Note("nomad", leader: false);

        _sightings.LostFor.ShouldBe(TimeSpan.FromSeconds(40));
    }

    [Fact]
    public void WhatWasSeenLongAgoSaysNothingOfTheTimeBetween()
    {
        _sightings.Note("nomad", leader: true);
        _time.Pass(300);

        _sightings.Note("nomad", leader: false);

        _sightings.LostFor.ShouldBe(TimeSpan.Zero);
    }

    [Fact]
    public void ALeaderOfOneProductIsNoneOfAnother()
    {
        _sightings.Note("consul", leader: false);
        _time.Pass(7);
        _sightings.Note("nomad", leader: true);

        _sightings.LostFor.ShouldBe(TimeSpan.FromSeconds(7));
        _sightings.Note("consul", leader: true);
        _sightings.LostFor.ShouldBeNull();
    }

    [Fact]
    public void AClockThatIsSetChangesNothing()
    {
        _sightings.Note("nomad", leader: false);
        _time.Step(TimeSpan.FromDays(30));
        _time.Pass(3);

        _sightings.LostFor.ShouldBe(TimeSpan.FromSeconds(3));
    }

    /// <summary>A clock whose hands and whose passing are two things.</summary>
    private sealed class HandTime : TimeProvider
    {
        private long _passed = 1;
        private DateTimeOffset _shown = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void Pass(int seconds)
        {
            _passed += seconds * TimeSpan.TicksPerSecond;
            _shown += TimeSpan.FromSeconds(seconds);
        }

        public void Step(TimeSpan by) => _shown += by;

        public override long GetTimestamp() => _passed;

        public override DateTimeOffset GetUtcNow() => _shown;
    }
}
