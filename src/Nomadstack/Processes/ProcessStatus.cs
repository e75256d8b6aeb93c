// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Processes;

/// <summary>One moment of a supervised process, for people and for decisions.</summary>
/// <param name="Wanted">Whether it shall run; with no <paramref name="Running"/> it is between two attempts, or was not started since the agent's own start.</param>
/// <param name="Running">The process that runs now.</param>
/// <param name="Spec">What it was started with, which may differ from what a caller would start now.</param>
/// <param name="Restarts">Restarts that nobody asked for, since the last start by a caller.</param>
internal sealed record ProcessStatus(bool Wanted, ProcessIdentity? Running, ProcessSpec? Spec, DateTimeOffset? StartedAt, int Restarts, ProcessEnd? LastExit)
{
    public static readonly ProcessStatus Never = new(false, null, null, null, 0, null);

    public int? Pid => Running?.Pid;
}

/// <summary>How a process ended, with the last lines it wrote.</summary>
internal sealed record ProcessEnd(DateTimeOffset At, ProcessIdentity Process, ProcessExit Exit, IReadOnlyList<string> LastLines);

/// <summary>Something that happened to a supervised process; <paramref name="Message"/> is for people.</summary>
internal sealed record ProcessEvent(string Name, DateTimeOffset At, ProcessEventKind Kind, string Message);

internal enum ProcessEventKind
{
    Started,
    Adopted,
    Exited,
    RestartPlanned,
    Stopping,
    Killed,
    Detached,

    /// <summary>It goes on, but an operator may have to act: a start that failed, a record that could not be written.</summary>
    Trouble,
}
