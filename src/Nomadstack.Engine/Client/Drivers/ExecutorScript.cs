// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.RegularExpressions;

namespace Nomadstack.Engine.Client.Drivers;

/// <summary>
/// What stands between a raw_exec task and the client: a shell that runs the command and writes down how it ended. The kernel tells that to the parent
/// alone, and the client may be dead by then. HashiCorp's client has a process of its own kind for this; a shell takes less than a megabyte.
/// </summary>
internal static partial class ExecutorScript
{
    public const string Shell = "/bin/sh";

    /// <summary>Written when the task has ended; complete once the shell is gone.</summary>
    public const string ExitFile = "exit";

    private const string File = "run";

    public static string PathIn(string run) => Path.Combine(run, File);

    /// <summary>Whether this is the command line of the shell that runs the script.</summary>
    public static bool Runs(IReadOnlyList<string> command, string run) => command is [Shell, var script] && script == PathIn(run);

    /// <summary>A shell drops variables whose names it could not have itself.</summary>
    public static bool ShellKeeps(string name) => Identifier().IsMatch(name);

    public static string Text(string exitFile, string command, IEnumerable<string> arguments, IEnumerable<KeyValuePair<string, string>> oddVariables)
    {
        var script = new StringBuilder();
        // A task that signals its whole group must not take the witness along. Trapped, not ignored: the task starts with the defaults again.
        script.Append("trap : HUP INT QUIT USR1 USR2 ALRM TERM PIPE\n");
        // The shell's own remarks ("Terminated") are not the task's output.
        script.Append("exec 3>&2 2>/dev/null\n");
        var odd = oddVariables.Select(v => Quote($"{v.Key}={v.Value}")).ToList();
        if (odd.Count > 0) script.Append("env ").AppendJoin(' ', odd).Append(' ');
        script.Append(Quote(command));
        foreach (var argument in arguments) script.Append(' ').Append(Quote(argument));
        script.Append(" 2>&3 3>&-\n");
        script.Append("echo $? >").Append(Quote(exitFile)).Append('\n');
        return script.ToString();
    }

    /// <summary>The shell counts signals from 128 up. A program that exits with such a number by itself looks the same.</summary>
    public static ExitResult? Read(string exitFile)
    {
        if (!System.IO.File.Exists(exitFile) || !int.TryParse(System.IO.File.ReadAllText(exitFile).TrimEnd(), out var code)) return null;
        return code is > 128 and <= 128 + 64 ? new(code, code - 128) : new(code);
    }

    private static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*$", RegexOptions.CultureInvariant)]
    private static partial Regex Identifier();
}
