// SPDX-License-Identifier: MPL-2.0
using static Nomadstack.Engine.Jobs.GoDuration;

namespace Nomadstack.Engine.Jobs;

/// <summary>What a group may go by to call an allocation healthy.</summary>
internal static class HealthChecks
{
    public const string Checks = "checks";
    public const string TaskStates = "task_states";
    public const string Manual = "manual";
}

internal static partial class JobValidation
{
    private static readonly TimeSpan RestartMinInterval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RescheduleMinInterval = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan RescheduleMinDelay = TimeSpan.FromSeconds(5);

    private static IEnumerable<string> OfRestart(RestartPolicy policy)
    {
        if (policy.Mode is not (RestartPolicy.ModeDelay or RestartPolicy.ModeFail)) yield return $"Unsupported restart mode: \"{policy.Mode}\"";
        if (policy.Attempts == 0 && policy.Mode != RestartPolicy.ModeFail) yield return $"Restart policy \"{policy.Mode}\" with {policy.Attempts} attempts is ambiguous";
        if (policy.Interval < RestartMinInterval) yield return $"Interval can not be less than {Format(RestartMinInterval)} (got {Format(policy.Interval)})";
        if (Times(policy.Attempts, policy.Delay) > policy.Interval)
            yield return $"Nomad can't restart the TaskGroup {policy.Attempts} times in an interval of {Format(policy.Interval)} with a delay of {Format(policy.Delay)}";
    }

    private static IEnumerable<string> OfReschedule(ReschedulePolicy policy)
    {
        if (!policy.Enabled()) yield break;
        if (policy.Attempts > 0 && policy.Interval <= TimeSpan.Zero) yield return "Interval must be a non zero value if Attempts > 0";
        if (policy.Attempts > 0 && policy.Unlimited)
        {
            yield return $"Reschedule Policy with Attempts = {policy.Attempts}, Interval = {Format(policy.Interval)}, and Unlimited = true is ambiguous";
            yield return "If Attempts >0, Unlimited cannot also be set to true";
        }

        if (policy.Delay < RescheduleMinDelay) yield return $"Delay cannot be less than {Format(RescheduleMinDelay)} (got {Format(policy.Delay)})";
        if (policy.DelayFunction is not (ReschedulePolicy.Constant or ReschedulePolicy.Exponential or ReschedulePolicy.Fibonacci))
            yield return $"Invalid delay function \"{policy.DelayFunction}\", must be one of [\"constant\" \"exponential\" \"fibonacci\"]";
        if (policy.DelayFunction != ReschedulePolicy.Constant)
        {
            if (policy.MaxDelay < RescheduleMinDelay) yield return $"Max Delay cannot be less than {Format(RescheduleMinDelay)} (got {Format(policy.MaxDelay)})";
            if (policy.MaxDelay < policy.Delay) yield return $"Max Delay cannot be less than Delay {Format(policy.Delay)} (got {Format(policy.MaxDelay)})";
        }

        if (policy.Unlimited) yield break;
        if (policy.Interval < RescheduleMinInterval) yield return $"Interval cannot be less than {Format(RescheduleMinInterval)} (got {Format(policy.Interval)})";
        else if (policy.Delay >= RescheduleMinDelay && NeededFor(policy) is var needed && needed > policy.Interval)
            yield return $"Nomad cannot make {policy.Attempts} attempts in {Format(policy.Interval)} with initial delay {Format(policy.Delay)}, delay function \"{policy.DelayFunction}\"; set the interval to at least {Format(needed)}";
    }

    /// <summary>How long the attempts take when each fails at once: the last one's delay is what Nomad counts, once the ceiling is reached their sum.</summary>
    private static TimeSpan NeededFor(ReschedulePolicy policy)
    {
        if (policy.DelayFunction == ReschedulePolicy.Constant) return Times(policy.Attempts, policy.Delay);
        var (needed, previous, current) = (TimeSpan.Zero, TimeSpan.Zero, policy.Delay);
        for (var i = 0; i < policy.Attempts && needed <= policy.Interval; i++)
        {
            // From here on they are all alike; there may be two thousand million.
            if (current >= policy.MaxDelay) return Times(policy.Attempts - i, policy.MaxDelay) is var rest && rest < TimeSpan.MaxValue - needed ? needed + rest : TimeSpan.MaxValue;
            needed = current;
            var next = policy.DelayFunction == ReschedulePolicy.Exponential ? current + current : current + previous;
            (previous, current) = (current, next < policy.MaxDelay ? next : policy.MaxDelay);
        }

        return needed;
    }

    private static TimeSpan Times(int number, TimeSpan span) => new((long)Int128.Clamp((Int128)number * span.Ticks, -TimeSpan.MaxValue.Ticks, TimeSpan.MaxValue.Ticks));

    private static IEnumerable<string> OfUpdate(UpdateStrategy update)
    {
        if (update.HealthCheck is not (HealthChecks.Checks or HealthChecks.TaskStates or HealthChecks.Manual)) yield return $"Invalid health check given: \"{update.HealthCheck}\"";
        if (update.MaxParallel < 0) yield return $"Max parallel can not be less than zero: {update.MaxParallel} < 0";
        if (update.MinHealthyTime < TimeSpan.Zero) yield return $"Minimum healthy time may not be less than zero: {Format(update.MinHealthyTime)}";
        if (update.HealthyDeadline <= TimeSpan.Zero) yield return $"Healthy deadline must be greater than zero: {Format(update.HealthyDeadline)}";
        if (update.ProgressDeadline < TimeSpan.Zero) yield return $"Progress deadline must be zero or greater: {Format(update.ProgressDeadline)}";
        if (update.MinHealthyTime >= update.HealthyDeadline)
            yield return $"Minimum healthy time must be less than healthy deadline: {Format(update.MinHealthyTime)} > {Format(update.HealthyDeadline)}";
        if (update.ProgressDeadline != TimeSpan.Zero && update.HealthyDeadline >= update.ProgressDeadline)
            yield return $"Healthy deadline must be less than progress deadline: {Format(update.HealthyDeadline)} > {Format(update.ProgressDeadline)}";
        if (update.Stagger <= TimeSpan.Zero) yield return $"Stagger must be greater than zero: {Format(update.Stagger)}";
    }

    private static IEnumerable<string> OfMigrate(MigrateStrategy migrate)
    {
        if (migrate.MaxParallel < 0) yield return $"MaxParallel must be >= 0 but found {migrate.MaxParallel}";
        if (migrate.HealthCheck is not (HealthChecks.Checks or HealthChecks.TaskStates)) yield return $"Invalid HealthCheck: \"{migrate.HealthCheck}\"";
        if (migrate.MinHealthyTime < TimeSpan.Zero) yield return $"MinHealthyTime is {Format(migrate.MinHealthyTime)} and must be >= 0";
        if (migrate.HealthyDeadline < TimeSpan.Zero) yield return $"HealthyDeadline is {Format(migrate.HealthyDeadline)} and must be >= 0";
        if (migrate.MinHealthyTime > migrate.HealthyDeadline) yield return "MinHealthyTime must be less than HealthyDeadline";
    }

    private static IEnumerable<string> OfNetworks(TaskGroup group)
    {
        if (group.Networks is not { } networks) yield break;
        if (networks.Count > 1) yield return "the embedded engine gives a group one network block";
        var labels = new HashSet<string>(StringComparer.Ordinal);
        var ports = new Dictionary<(string Network, int Port), string>();
        foreach (var network in networks)
        {
            if (network.Mode is not ("" or "host")) yield return $"the embedded engine has no network mode \"{network.Mode}\", only \"host\"";
            foreach (var port in network.AllPorts)
            {
                if (!labels.Add(port.Label)) yield return $"Port label {port.Label} already in use by taskgroup network";
                if (port.Value is < 0 or > ushort.MaxValue) yield return $"Port {port.Label} ({port.Value}) cannot be greater than {ushort.MaxValue}";
                else if (port.Value > 0 && !ports.TryAdd((port.HostNetwork, port.Value), port.Label))
                    yield return $"Static port {port.Value} already reserved by taskgroup network:{ports[(port.HostNetwork, port.Value)]}";
                if (port.To < -1) yield return $"Port \"{port.Label}\" cannot be mapped to negative value {port.To}";
                else if (port.To > ushort.MaxValue) yield return $"Port \"{port.Label}\" cannot be mapped to a port ({port.To}) greater than {ushort.MaxValue}";
            }
        }
    }
}
