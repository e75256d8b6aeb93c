// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;
using Nomadstack.Ground.Protocol.Hcl;

namespace Nomadstack.Engine.Client.Drivers;

/// <summary>Runs tasks: built in, or a plugin process. Tasks outlive the driver, the client and every call; the handle is all that is needed to find one again.</summary>
internal interface ITaskDriver
{
    /// <summary>What jobs call it.</summary>
    string Name { get; }

    /// <summary>As it is now; <see cref="DriverFingerprint.Changed"/> completes when it is no more.</summary>
    DriverFingerprint Fingerprint { get; }

    /// <summary>Takes what the driver has to say about a task: allocation, task, message.</summary>
    Action<string, string, string>? Said { get; set; }

    /// <exception cref="DriverException">The driver cannot be asked.</exception>
    Task<DriverTerms> TermsAsync(CancellationToken cancel);

    /// <exception cref="DriverException">Nothing was started.</exception>
    Task<TaskHandle> StartTaskAsync(TaskConfig config, CancellationToken cancel);

    /// <summary>A task whose start was written down, but not its handle: the client died in between. Null when it does not run and never ran.</summary>
    Task<TaskHandle?> FindTaskAsync(TaskConfig config, CancellationToken cancel);

    /// <summary>Takes a task of an earlier client over; nothing happens when it is known.</summary>
    /// <exception cref="DriverException">It is gone, and how it ended is not known.</exception>
    Task RecoverTaskAsync(TaskHandle handle, TaskConfig config, CancellationToken cancel);

    /// <summary>Waits for the end.</summary>
    /// <exception cref="DriverException">There is no such task.</exception>
    Task<ExitResult> WaitTaskAsync(string taskId, CancellationToken cancel);

    /// <summary>Sends the signal, SIGINT when it is empty, and kills what still runs after the timeout. Unknown tasks are stopped already.</summary>
    Task StopTaskAsync(string taskId, TimeSpan timeout, string signal, CancellationToken cancel);

    /// <summary>Forgets the task and what was kept of it.</summary>
    Task DestroyTaskAsync(string taskId, bool force, CancellationToken cancel);

    Task SignalTaskAsync(string taskId, string signal, CancellationToken cancel);

    /// <summary>What it uses now; null when it does not run.</summary>
    Task<TaskUsage?> TaskUsageAsync(string taskId, CancellationToken cancel);
}

/// <param name="Changed">Completes when a newer one is there.</param>
internal sealed record DriverFingerprint(bool Detected, bool Healthy, string Description, IReadOnlyDictionary<string, string> Attributes, Task Changed);

/// <summary>What a driver wants and gives.</summary>
/// <param name="Isolated">Its tasks see their own file system: paths and the host's environment differ.</param>
internal sealed record DriverTerms(Spec Schema, bool Isolated, bool HostEnvironment);

/// <summary>A task's place in the world, for its driver.</summary>
internal sealed record TaskConfig
{
    /// <summary><c>alloc/task/8 hex digits</c>, another at every start.</summary>
    public required string Id { get; init; }

    public required Allocation Allocation { get; init; }

    public required JobTask Task { get; init; }

    /// <summary>The driver's part of the job, decoded after its schema; null when the task runs already.</summary>
    public IReadOnlyDictionary<string, object?>? Config { get; init; }

    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    public required AllocDir Folders { get; init; }

    /// <summary>MHz of the whole node.</summary>
    public long NodeCpu { get; init; }
}

/// <param name="State">The driver's own, opaque to the client.</param>
internal sealed record TaskHandle(string TaskId, byte[] State);

/// <param name="Error">Why it is not known better; empty for most.</param>
internal sealed record ExitResult(int ExitCode, int Signal = 0, bool OomKilled = false, string Error = "")
{
    public bool Successful => ExitCode == 0 && Signal == 0 && Error.Length == 0;
}

internal sealed record TaskUsage(double TotalTicks, double Percent, long ResidentBytes, DateTimeOffset At);

/// <summary>A driver refused or failed. Only a recoverable start is tried again.</summary>
internal sealed class DriverException(string message, bool recoverable = false, Exception? inner = null) : Exception(message, inner)
{
    public bool Recoverable { get; } = recoverable;
}
