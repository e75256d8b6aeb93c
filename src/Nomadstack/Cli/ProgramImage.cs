// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Runtime.InteropServices;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Cli;

/// <summary>
/// Another program that this process becomes: same pid, same terminal, same signals, its exit code is ours.
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
        // .NET ignores SIGPIPE, and what is ignored stays so in the next program: `... | head` would not end it.
        _ = Signal(SigPipe, 0);
        string?[] argv = [Program, .. Arguments, null];
        // execvp looks a bare name up in PATH.
        _ = ExecVp(Program, argv);
        var error = Marshal.GetLastPInvokeError();
        if (error == Libc.ENOENT && Interpreter.Missing(Program) is { } loader)
            throw new ProblemException(new("program/not-run", $"{Program} cannot be run.", $"It is started through {loader}, which is not on this machine.", "Install what provides that file, or use a build for this system."));
        throw new ProblemException(new("program/not-run", $"{Program} cannot be run.", Marshal.GetPInvokeErrorMessage(error).TrimEnd('.') + string.Create(CultureInfo.InvariantCulture, $" (errno {error})."), "Install it again where the agent expects it, or restart the agent so that it looks for it anew."));
    }

    [LibraryImport("libc", EntryPoint = "execvp", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ExecVp(string file, string?[] argv);

    [LibraryImport("libc", EntryPoint = "setenv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnv(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint Signal(int signal, nint handler);
}
