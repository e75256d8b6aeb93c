// SPDX-License-Identifier: MPL-2.0
using System.ComponentModel;
using System.Diagnostics;

namespace Nomadstack.Programs;

/// <summary>What a program has printed until its end, or the beginning of that.</summary>
internal sealed record ProgramOutput(int ExitCode, string Out, string Error)
{
    /// <param name="most">Characters that are kept of each stream: another program may print without end.</param>
    /// <exception cref="Win32Exception">It cannot be started.</exception>
    /// <exception cref="OperationCanceledException">The deadline has passed, or <paramref name="cancel"/>. The program was killed.</exception>
    public static async Task<ProgramOutput> OfAsync(string program, IReadOnlyList<string> arguments, int most, TimeSpan deadline, TimeProvider time, CancellationToken cancel)
    {
        using var limit = new CancellationTokenSource(deadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        using var process = new Process
        {
            StartInfo = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, WorkingDirectory = "/" },
        };
        process.Start();
        try
        {
            process.StandardInput.Close();
            var output = ReadAsync(process.StandardOutput, most, both.Token);
            var error = ReadAsync(process.StandardError, most, both.Token);
            await Task.WhenAll(output, error, process.WaitForExitAsync(both.Token));
            return new(process.ExitCode, await output, await error);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    /// <summary>Reads to the end and keeps only the beginning.</summary>
    private static async Task<string> ReadAsync(StreamReader reader, int most, CancellationToken cancel)
    {
        var kept = new char[most];
        var waste = new char[4096];
        var length = 0;
        while (true)
        {
            var n = await reader.ReadAsync(length < most ? kept.AsMemory(length) : waste, cancel);
            if (n == 0) return new string(kept, 0, length);
            if (length < most) length += n;
        }
    }
}
