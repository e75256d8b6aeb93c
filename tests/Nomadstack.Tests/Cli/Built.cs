// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;

namespace Nomadstack.Tests.Cli;

/// <summary>The program itself, as it was built beside these tests, in a process of its own.</summary>
internal static class Built
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "nomadstack");

    /// <summary>Runs a line of shell in which <c>$nomadstack</c> is the program.</summary>
    public static async Task<(int Code, string Out, string Error)> ShellAsync(string line, string folder)
    {
        using var shell = Start(line, folder);
        using var limit = new CancellationTokenSource(Deadline);
        try
        {
            var output = shell.StandardOutput.ReadToEndAsync(limit.Token);
            var error = shell.StandardError.ReadToEndAsync(limit.Token);
            await shell.WaitForExitAsync(limit.Token);
            return (shell.ExitCode, await output, await error);
        }
        finally
        {
            if (!shell.HasExited) shell.Kill(entireProcessTree: true);
        }
    }

    /// <param name="folder">Its data folder, and above its run folder.</param>
    public static Process Start(string line, string folder)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", line]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.WorkingDirectory = "/";
        start.Environment["nomadstack"] = Program;
        start.Environment["NOMADSTACK_DATA_DIR"] = folder;
        start.Environment["XDG_RUNTIME_DIR"] = folder;
        return Process.Start(start)!;
    }
}
