// SPDX-License-Identifier: MPL-2.0

namespace Nomadstack.Processes;

/// <summary>A process that this agent owns and that outlives it. It is started or adopted, watched and stopped. Every call may be repeated.</summary>
internal interface IOwnedProcess : IAsyncDisposable
{
    string Name { get; }

    /// <summary>Null while it does not run, and before it is opened.</summary>
    int? Pid { get; }

    ProcessStatus Status { get; }

    /// <summary>Reads the record and adopts what runs; starts nothing.</summary>
    /// <exception cref="Cluster.ProblemException">The record is unreadable, or two processes match it.</exception>
    Task<ProcessStatus> OpenAsync(CancellationToken cancel);

    /// <summary>Starts it, or adopts the process that runs with the same arguments.</summary>
    /// <exception cref="Cluster.ProblemException">It cannot be started, or another process runs under its name.</exception>
    Task<ProcessStatus> StartAsync(ProcessSpec spec, CancellationToken cancel);

    /// <summary>Its next start, also one after a crash, is with this spec. What runs is left alone.</summary>
    void Renew(ProcessSpec spec);

    /// <summary>Ends it for good: a signal, a deadline, SIGKILL.</summary>
    /// <param name="useless">When this task completes, nobody needs the process any more and it is killed at once.</param>
    Task StopAsync(int signal, TimeSpan deadline, CancellationToken cancel, Task? useless = null);

    void Signal(int signal);

    /// <summary>Deletes the record of a stopped process.</summary>
    Task ForgetAsync(CancellationToken cancel);

    /// <summary>Stops watching it. It runs on, and the next agent adopts it.</summary>
    Task DetachAsync();
}
