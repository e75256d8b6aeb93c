// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>What happens to tasks, in Nomad's words: operators and programs look for them.</summary>
internal sealed class TaskEvents(TimeProvider time)
{
    public TaskEvent Received() => Event("Received", "Task received by client");

    public TaskEvent BuildingFolder() => Said("Task Setup", "Building Task Directory");

    public TaskEvent Started() => Event("Started", "Task started by client");

    public TaskEvent Terminated(ExitResult exit)
    {
        var parts = new List<string> { $"Exit Code: {exit.ExitCode}" };
        if (exit.Signal != 0) parts.Add($"Signal: {exit.Signal}");
        if (exit.Error.Length > 0) parts.Add($"Exit Message: \"{exit.Error.Replace("\"", "\\\"", StringComparison.Ordinal)}\"");
        var e = Event("Terminated", string.Join(", ", parts), ("exit_code", Number(exit.ExitCode)), ("signal", Number(exit.Signal)), ("oom_killed", exit.OomKilled ? "true" : "false"));
        if (exit.Error.Length > 0) e = e with { Message = exit.Error, Details = new Dictionary<string, string>(e.Details!) { ["exit_message"] = exit.Error } };
        return e with { ExitCode = exit.ExitCode, Signal = exit.Signal };
    }

    public TaskEvent Restarting(RestartTracker.Verdict.Restart restart)
    {
        var soon = $"Task restarting in {GoDuration.Format(restart.Delay)}";
        return Event("Restarting", restart.Reason is "" or "Restart within policy" ? soon : $"{restart.Reason} - {soon}",
            ("restart_reason", restart.Reason), ("start_delay", (restart.Delay.Ticks * TimeSpan.NanosecondsPerTick).ToString(CultureInfo.InvariantCulture)));
    }

    public TaskEvent NotRestarting(string reason) => Fails(Event("Not Restarting", reason, ("restart_reason", reason)));

    public TaskEvent Killing(TimeSpan timeout) => timeout > TimeSpan.Zero
        ? Event("Killing", $"Sent interrupt. Waiting {GoDuration.Format(timeout)} before force killing", ("kill_timeout", GoDuration.Format(timeout)))
        : Event("Killing", "Sent interrupt", ("kill_timeout", "0s"));

    public TaskEvent Killed() => Event("Killed", "Task successfully killed");

    public TaskEvent DriverFailure(string error) => Event("Driver Failure", error, ("driver_error", error));

    public TaskEvent FailedValidation(string error) => Event("Failed Validation", error, ("validation_error", error));

    public TaskEvent SetupFailure(string error) => Fails(Event("Setup Failure", error));

    public TaskEvent HookFailed(string hook, string error) => Event("Task hook failed", $"{hook}: {error}");

    public TaskEvent FailedRestoring() => Event("Failed Restoring Task", "failed to restore task; will not run until server is contacted");

    public TaskEvent SiblingFailed(string sibling) => Event("Sibling Task Failed", $"Task's sibling \"{sibling}\" failed", ("failed_sibling", sibling));

    public TaskEvent RestartSignaled() => Event("Restart Signaled", "User requested restart", ("restart_reason", "User requested restart"));

    public TaskEvent Signaling(string signal) => Event("Signaling", "Task being sent a signal", ("signal", signal));

    public TaskEvent Driver(string message) => Event("Driver", message, ("driver_message", message));

    public TaskEvent AllocUnhealthy(string why) => Said("Alloc Unhealthy", why);

    private TaskEvent Said(string type, string message) => Event(type, message, ("message", message)) with { Message = message };

    private static TaskEvent Fails(TaskEvent e) => e with { FailsTask = true, Details = new Dictionary<string, string>(e.Details!) { ["fails_task"] = "true" } };

    private TaskEvent Event(string type, string message, params (string Key, string Value)[] details) =>
        new(type, UnixNanoseconds.Of(time.GetUtcNow()), message) { Details = details.ToDictionary(d => d.Key, d => d.Value) };

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
