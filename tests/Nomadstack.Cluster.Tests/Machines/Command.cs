// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Text;

namespace Nomadstack.Cluster.Tests.Machines;

/// <summary>What a finished program left behind.</summary>
internal sealed record Output(int ExitCode, string Stdout, string Stderr)
{
    public override string ToString() => $"exit {ExitCode}\n--- stdout\n{Stdout}\n--- stderr\n{Stderr}";
}

/// <summary>Runs a program to its end, always with a deadline; past it, the program and its children are killed.</summary>
internal static class Command
{
    public static readonly TimeSpan Usual = TimeSpan.FromSeconds(30);

    public static async Task<Output> RunAsync(
        IReadOnlyList<string> command, TimeSpan? deadline = null, IReadOnlyDictionary<string, string>? environment = null, string? folder = null)
    {
        var start = new ProcessStartInfo(command[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder ?? "/",
        };
        foreach (var argument in command.Skip(1)) start.ArgumentList.Add(argument);
        if (environment is not null)
        {
            start.Environment.Clear();
            foreach (var (name, value) in environment) start.Environment[name] = value;
        }

        using var process = new Process { StartInfo = start };
        StringBuilder stdout = new(), stderr = new();
        process.OutputDataReceived += (_, line) => Append(stdout, line.Data);
        process.ErrorDataReceived += (_, line) => Append(stderr, line.Data);
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();

        using var cancel = new CancellationTokenSource(deadline ?? Usual);
        try
        {
            await ExitedAsync(process, cancel.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"`{string.Join(' ', command)}` had not ended after {(deadline ?? Usual).TotalSeconds:0} s.\n--- stdout\n{Text(stdout)}\n--- stderr\n{Text(stderr)}");
        }

        return new(process.ExitCode, Text(stdout), Text(stderr));
    }

    /// <summary>Runs a program that has to succeed; returns its standard output.</summary>
    public static async Task<string> MustAsync(params string[] command)
    {
        var output = await RunAsync(command);
        return output.ExitCode == 0 ? output.Stdout : throw new InvalidOperationException($"`{string.Join(' ', command)}`: {output}");
    }

    /// <summary>The first file of this name on the PATH that may be executed, or null.</summary>
    public static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Concat(["/usr/sbin", "/sbin"])
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(file => File.Exists(file) && (File.GetUnixFileMode(file) & UnixFileMode.UserExecute) != 0);

    private static async Task ExitedAsync(Process process, CancellationToken cancel)
    {
        // WaitForExitAsync also waits for the end of the pipes, which a process left in the background may hold open for ever.
        var everything = process.WaitForExitAsync(cancel);
        while (!process.HasExited)
        {
            await Task.WhenAny(everything, Task.Delay(20, cancel));
            cancel.ThrowIfCancellationRequested();
        }

        await Task.WhenAny(everything, Task.Delay(1000, cancel));
    }

    private static void Append(StringBuilder text, string? line)
    {
        if (line is null) return;
        lock (text) text.Append(line).Append('\n');
    }

    private static string Text(StringBuilder text)
    {
        lock (text) return text.ToString();
    }
}
