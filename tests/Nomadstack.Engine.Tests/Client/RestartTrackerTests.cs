// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Engine.Jobs;
using Shouldly;
using Xunit;
using static Nomadstack.Engine.Client.RestartTracker;

namespace Nomadstack.Engine.Tests.Client;

public sealed class RestartTrackerTests
{
    private static readonly ExitResult s_well = new(0), s_failed = new(3);
    private readonly ManualTime _time = new();

    [Fact]
    public void A_batch_task_that_ended_well_is_done() => Tracker(JobType.Batch, 2).AfterExit(s_well).ShouldBe(new Verdict.Done());

    [Fact]
    public void A_service_that_ended_well_is_started_again() => Tracker(JobType.Service, 2).AfterExit(s_well).ShouldBeOfType<Verdict.Restart>().Reason.ShouldBe("Restart within policy");

    [Fact]
    public void The_delay_grows_by_up_to_a_quarter()
    {
        for (var seed = 0; seed < 50; seed++)
            Tracker(JobType.Service, 2, seed: seed).AfterExit(s_failed).ShouldBeOfType<Verdict.Restart>().Delay.ShouldBeInRange(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(12.5));
    }

    [Fact]
    public void Mode_fail_gives_up_after_the_last_attempt()
    {
        var tracker = Tracker(JobType.Service, 2);

        tracker.AfterExit(s_failed).ShouldBeOfType<Verdict.Restart>();
        tracker.AfterExit(s_failed).ShouldBeOfType<Verdict.Restart>();
        tracker.AfterExit(s_failed).ShouldBe(new Verdict.GiveUp("Exceeded allowed attempts 2 in interval 1m0s and mode is \"fail\""));
    }

    [Fact]
    public void Mode_delay_waits_for_the_next_interval()
    {
        var tracker = Tracker(JobType.Service, 1, RestartPolicy.ModeDelay);
        tracker.AfterExit(s_failed);
        _time.Advance(TimeSpan.FromSeconds(20));

        tracker.AfterExit(s_failed).ShouldBe(new Verdict.Restart("Exceeded allowed attempts, applying a delay", TimeSpan.FromSeconds(40)));
    }

    [Fact]
    public void Each_interval_counts_anew()
    {
        var tracker = Tracker(JobType.Service, 1);
        tracker.AfterExit(s_failed);
        _time.Advance(TimeSpan.FromSeconds(61));

        tracker.AfterExit(s_failed).ShouldBeOfType<Verdict.Restart>();
        tracker.AfterExit(s_failed).ShouldBeOfType<Verdict.GiveUp>();
    }

    [Fact]
    public void Without_attempts_nothing_is_restarted()
    {
        Tracker(JobType.Service, 0).AfterExit(s_well).ShouldBe(new Verdict.GiveUp("Policy allows no restarts"));
        Tracker(JobType.Batch, 0).AfterExit(s_failed).ShouldBe(new Verdict.GiveUp("Policy allows no restarts"));
        Tracker(JobType.Batch, 0).AfterExit(s_well).ShouldBe(new Verdict.Done());
    }

    [Fact]
    public void Only_a_recoverable_start_is_tried_again()
    {
        Tracker(JobType.Service, 2).AfterFailedStart(recoverable: false).ShouldBe(new Verdict.GiveUp("Error was unrecoverable"));
        Tracker(JobType.Service, 2).AfterFailedStart(recoverable: true).ShouldBeOfType<Verdict.Restart>();
    }

    private RestartTracker Tracker(string type, int attempts, string mode = RestartPolicy.ModeFail, int seed = 1) =>
        new(new RestartPolicy { Attempts = attempts, Delay = TimeSpan.FromSeconds(10), Interval = TimeSpan.FromMinutes(1), Mode = mode }, type, _time, new Random(seed));
}
