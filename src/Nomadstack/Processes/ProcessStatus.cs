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

    private static readonly TimeSpan s_lately = TimeSpan.FromMinutes(1);

    /// <summary>How it ended and what it said, where it is between two attempts or had one a moment ago; empty where it runs on.</summary>
    public string HowItEnded(DateTimeOffset now) => Wanted && LastExit is { } end && (Running is null || (Restarts > 0 && now - end.At < s_lately)) ? end.InWords : "";
}

/// <summary>How a process ended, with the last lines it wrote.</summary>
internal sealed record ProcessEnd(DateTimeOffset At, ProcessIdentity Process, ProcessExit Exit, IReadOnlyList<string> LastLines)
{
    private const int MostCharacters = 300;
    private const string Error = "[ERROR] ", Told = "==> ";

    /// <summary>
    /// How it ended, and its last line that says why, short enough to stand in a sentence. Nomad and Consul log errors with their level; what they say to a person, a
    /// configuration that they refuse included, begins with an arrow, and Consul's last line only repeats the exit code.
    /// </summary>
    public string InWords
    {
        get
        {
            var line = LastLines.LastOrDefault(l => l.Contains(Error, StringComparison.Ordinal))
                ?? LastLines.LastOrDefault(l => l.StartsWith(Told, StringComparison.Ordinal) && !l.Contains("Log data will", StringComparison.Ordinal))
                ?? LastLines.LastOrDefault(l => l.Trim().Length > 0 && !l.Contains("Exit code:", StringComparison.Ordinal));
            if (line is null) return Exit.ToString();
            var from = line.IndexOf(Error, StringComparison.Ordinal) is >= 0 and var at ? at + Error.Length : line.StartsWith(Told, StringComparison.Ordinal) ? Told.Length : 0;
            var words = line[from..].Trim();
            return $"{Exit}: {(words.Length <= MostCharacters ? words.TrimEnd('.') : $"{words[..MostCharacters]}…")}";
        }
    }
}

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
