// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Cli;

/// <summary>
/// Another program that this process becomes. Pid, terminal and signals stay; its exit code is ours.
/// The environment is inherited byte for byte, plus <see cref="Variables"/>.
/// </summary>
internal sealed partial record ProgramImage(string Program, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string> Variables)
{
    private const int SigPipe = 13;

    /// <summary>Never returns.</summary>
    /// <exception cref="ProblemException"><c>program/not-run</c>: it is not there or not executable.</exception>
    public int Execute()
    {
        foreach (var (name, value) in Variables) _ = SetEnv(name, value, 1);
        // .NET ignores SIGPIPE, and the next program would inherit that: `... | head` would not end it.
        _ = Signal(SigPipe, 0);
        string?[] argv = [Program, .. Arguments, null];
        // execvp looks up a bare name in PATH.
        _ = ExecVp(Program, argv);
        var error = Marshal.GetLastPInvokeError();
        if (error == Libc.ENOENT && Interpreter.Missing(Program) is { } loader)
            throw new ProblemException(CliProblems.NoLoader(Program, loader));
        throw new ProblemException(CliProblems.NotRun(Program, Marshal.GetPInvokeErrorMessage(error), error));
    }

    [LibraryImport("libc", EntryPoint = "execvp", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ExecVp(string file, string?[] argv);

    [LibraryImport("libc", EntryPoint = "setenv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnv(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint Signal(int signal, nint handler);
}
