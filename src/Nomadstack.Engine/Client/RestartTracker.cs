// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Engine.Jobs;

namespace Nomadstack.Engine.Client;

/// <summary>Decides what follows the end of a task, after its group's restart policy. Attempts count anew in each interval.</summary>
internal sealed class RestartTracker(RestartPolicy policy, string jobType, TimeProvider time, Random random)
{
    /// <summary>Of the delay, on top of it, so that what failed together does not start together.</summary>
    private const double Jitter = 0.25;

    private DateTimeOffset _intervalStart = time.GetUtcNow();
    private int _count;

    /// <summary>In-place updates may bring another.</summary>
    public RestartPolicy Policy { get; set; } = policy;

    public Verdict AfterExit(ExitResult exit)
    {
        var doneWell = exit.Successful && jobType == JobType.Batch;
        if (Policy.Attempts == 0) return doneWell ? new Verdict.Done() : new Verdict.GiveUp("Policy allows no restarts");
        Count();
        return doneWell ? new Verdict.Done() : Again();
    }

    public Verdict AfterFailedStart(bool recoverable)
    {
        if (Policy.Attempts == 0) return new Verdict.GiveUp("Policy allows no restarts");
        Count();
        return recoverable ? Again() : new Verdict.GiveUp("Error was unrecoverable");
    }

    private void Count()
    {
        if (time.GetUtcNow() is var now && now > _intervalStart + Policy.Interval) (_count, _intervalStart) = (0, now);
        _count++;
    }

    private Verdict Again()
    {
        if (_count <= Policy.Attempts) return new Verdict.Restart("Restart within policy", Policy.Delay * (1 + Jitter * random.NextDouble()));
        return Policy.Mode == RestartPolicy.ModeFail
            ? new Verdict.GiveUp($"Exceeded allowed attempts {Policy.Attempts} in interval {GoDuration.Format(Policy.Interval)} and mode is \"fail\"")
            : new Verdict.Restart("Exceeded allowed attempts, applying a delay", _intervalStart + Policy.Interval - time.GetUtcNow());
    }

    internal abstract record Verdict
    {
        private Verdict() { }

        /// <summary>It ended as it should.</summary>
        internal sealed record Done : Verdict;

        internal sealed record GiveUp(string Reason) : Verdict;

        internal sealed record Restart(string Reason, TimeSpan Delay) : Verdict;
    }
}
