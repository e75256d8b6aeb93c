// SPDX-License-Identifier: MPL-2.0

namespace Nomadstack.Processes;

/// <summary>A process that this agent owns and that outlives it: started or adopted, watched, stopped. Every call may be repeated.</summary>
internal interface IOwnedProcess : IAsyncDisposable
{
    string Name { get; }

    /// <summary>Null while it does not run, and before it was opened.</summary>
    int? Pid { get; }

    ProcessStatus Status { get; }

    /// <summary>Reads the record and adopts what runs; starts nothing.</summary>
    /// <exception cref="Cluster.ProblemException">The record is unreadable, or two processes fit it.</exception>
    Task<ProcessStatus> OpenAsync(CancellationToken cancel);

    /// <summary>Starts it, or adopts the one that runs with the same arguments.</summary>
    /// <exception cref="Cluster.ProblemException">It cannot be started, or another one runs under its name.</exception>
    Task<ProcessStatus> StartAsync(ProcessSpec spec, CancellationToken cancel);

    /// <summary>Ends it for good: a signal, a deadline, SIGKILL.</summary>
    /// <param name="useless">When it completes, nobody needs what the process still does, and it is killed at once.</param>
    Task StopAsync(int signal, TimeSpan deadline, CancellationToken cancel, Task? useless = null);

    void Signal(int signal);

    /// <summary>Forgets a process that is stopped: its record goes.</summary>
    Task ForgetAsync(CancellationToken cancel);

    /// <summary>Lets go of it: it runs on, for the next agent to adopt.</summary>
    Task DetachAsync();
}
