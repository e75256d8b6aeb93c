// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Processes;

/// <summary>The state of a supervised process at one moment, for people and for decisions.</summary>
/// <param name="Wanted">Whether it should run. If <paramref name="Running"/> is null, it is between two attempts, or was not started since the agent started.</param>
/// <param name="Running">The process that runs now; null if none does.</param>
/// <param name="Spec">What it was started with. A caller may want to start something else now.</param>
/// <param name="Restarts">Unrequested restarts since the last start by a caller.</param>
internal sealed record ProcessStatus(bool Wanted, ProcessIdentity? Running, ProcessSpec? Spec, DateTimeOffset? StartedAt, int Restarts, ProcessEnd? LastExit)
{
    public static readonly ProcessStatus Never = new(false, null, null, null, 0, null);

    public int? Pid => Running?.Pid;
}

/// <summary>How a process ended, with the last lines it wrote.</summary>
internal sealed record ProcessEnd(DateTimeOffset At, ProcessIdentity Process, ProcessExit Exit, IReadOnlyList<string> LastLines);

/// <summary>Something that happened to a supervised process; <paramref name="Message"/> is for people.</summary>
internal sealed record ProcessEvent(string Name, DateTimeOffset At, ProcessEventKind Kind, string Message)
{
    /// <summary>The message without what the process itself wrote, which may be anything.</summary>
    public string Brief { get; init; } = Message;
}

internal enum ProcessEventKind
{
    Started,
    Adopted,
    Exited,
    RestartPlanned,
    Stopping,
    Killed,
    Detached,

    /// <summary>An operator may have to act: a start failed, or a record could not be written. The supervision goes on.</summary>
    Trouble,
}
