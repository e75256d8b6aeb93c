// SPDX-License-Identifier: MPL-2.0
using System.ComponentModel;
using System.Diagnostics;

namespace Nomadstack.Programs;

/// <summary>Finds a product's program and asks it for its version. Ends within the deadline, whatever the program does, and never trusts a file's name.</summary>
/// <param name="elsewhere">Folders to look into after PATH, by product; null for none.</param>
internal sealed class ProgramProbe(TimeProvider time, KnownPrograms? memory = null, Func<string, IEnumerable<string>>? elsewhere = null)
{
    /// <summary>The real ones answer in a tenth of a second; a cold disk may need a few.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(15);

    public static readonly SemVer OldestNomad = new(1, 1, 0), OldestConsul = new(1, 8, 0);

    private const string EmbeddedArgument = "engine";
    private const int MostOutput = 4096;

    /// <param name="kind"><see cref="EngineKind.Nomad"/> or <see cref="EngineKind.Consul"/>.</param>
    /// <param name="path">The program; null looks it up in <paramref name="searchPath"/>.</param>
    /// <param name="searchPath">As the environment's PATH; null takes that one.</param>
    /// <param name="deadline">Null for <see cref="Deadline"/>.</param>
    public async Task<ProgramFinding> ProbeAsync(string kind, string? path, string? searchPath, TimeSpan? deadline, CancellationToken cancel)
    {
        var program = path is null ? Lookup(kind, [.. Folders(searchPath), .. elsewhere?.Invoke(kind) ?? []]) : Path.GetFullPath(path);
        if (program is null)
            return new ProgramFinding.Missing(new($"engine/{kind}-missing", $"No {kind} program was found.", "None was named, no folder of PATH holds one, and none was fetched.", $"Run `nomadstack fetch {kind}`, install {Title(kind)}, or name its program with --{kind}-program."));
        if (!File.Exists(program))
            return new ProgramFinding.Missing(new($"engine/{kind}-missing", $"There is no program {program}.", "The file does not exist, or a folder on the way to it cannot be read.", $"Name the {kind} program that is there."));
        if (!IsExecutable(program)) return NotExecutable(kind, program, "no execute permission is set on it");

        return await AskAsync(kind, program, [], deadline, cancel);
    }

    /// <summary>This very program as an engine. It is asked like any other.</summary>
    public Task<ProgramFinding> ProbeEmbeddedAsync(CancellationToken cancel)
    {
        var program = Environment.ProcessPath ?? throw new InvalidOperationException("the system does not tell this program's path");
        // Started with `dotnet nomadstack.dll` the program is dotnet, and we are its first argument.
        IReadOnlyList<string> leading = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [Path.GetFullPath(Environment.GetCommandLineArgs()[0]), EmbeddedArgument] : [EmbeddedArgument];
        return AskAsync(EngineKind.Embedded, program, leading, null, cancel);
    }

    private async Task<ProgramFinding> AskAsync(string kind, string program, IReadOnlyList<string> leading, TimeSpan? deadline, CancellationToken cancel)
    {
        if (memory?.Recall(kind, program) is { } known) return new ProgramFinding.Found(known with { LeadingArguments = leading });
        var limit = deadline ?? Deadline;
        string output;
        try
        {
            output = await OutputAsync(program, [.. leading, "version"], limit, cancel);
        }
        catch (Win32Exception e)
        {
            return NotExecutable(kind, program, e.Message);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new ProgramFinding.Unusable(new($"engine/{kind}-hangs", $"{program} does not answer.", $"`{program} version` did not end within {limit.TotalSeconds:0.#} s.", $"Run it by hand to see why, or name another {kind} program."));
        }

        var finding = Judge(kind, program, output);
        if (finding is not ProgramFinding.Found found) return finding;
        memory?.Remember(found.Program);
        return new ProgramFinding.Found(found.Program with { LeadingArguments = leading });
    }

    /// <summary>What the output of <c>PROGRAM version</c> tells.</summary>
    internal static ProgramFinding Judge(string kind, string program, string output)
    {
        var line = output.Split('\n', 2)[0].Trim();
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words is not [var product, ['v', ..] text, ..] || product != Title(kind) || SemVer.Parse(text) is not { } version)
        {
            var said = line.Length == 0 ? "it printed nothing" : $"it printed \"{(line.Length > 80 ? line[..80] + "…" : line)}\"";
            return new ProgramFinding.Unusable(new($"engine/not-{kind}", $"{program} is not {Title(kind)}.", $"Asked for its version, {said}.", $"Name the {kind} program itself."));
        }

        var oldest = kind == EngineKind.Consul ? OldestConsul : OldestNomad;
        if (!version.AtLeast(oldest.Major, oldest.Minor))
            return new ProgramFinding.Unusable(new($"engine/{kind}-too-old", $"{program} is {Title(kind)} {version}, which is too old.", $"What this stack relies on came with {Title(kind)} {oldest.Major}.{oldest.Minor}.", $"Install {Title(kind)} {oldest.Major}.{oldest.Minor} or newer."));
        return new ProgramFinding.Found(new(kind, program, [], version));
    }

    private static IEnumerable<string> Folders(string? searchPath) =>
        (searchPath ?? Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Where(Path.IsPathRooted);

    private static string? Lookup(string name, IReadOnlyList<string> folders)
    {
        // As a shell does: a file that cannot be executed is passed over while a later folder may hold one that can.
        var candidates = folders.Select(f => Path.Combine(f, name)).Where(File.Exists).ToList();
        return candidates.FirstOrDefault(IsExecutable) ?? candidates.FirstOrDefault();
    }

    private static bool IsExecutable(string path) =>
        (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0;

    private async Task<string> OutputAsync(string program, IReadOnlyList<string> arguments, TimeSpan deadline, CancellationToken cancel)
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
            var output = ReadAsync(process.StandardOutput, both.Token);
            await Task.WhenAll(output, ReadAsync(process.StandardError, both.Token), process.WaitForExitAsync(both.Token));
            return await output;
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    /// <summary>Reads to the end and keeps the beginning: a program of another kind may print without end.</summary>
    private static async Task<string> ReadAsync(StreamReader reader, CancellationToken cancel)
    {
        var kept = new char[MostOutput];
        var waste = new char[MostOutput];
        var length = 0;
        while (true)
        {
            var into = length < MostOutput ? kept.AsMemory(length) : waste;
            var n = await reader.ReadAsync(into, cancel);
            if (n == 0) return new string(kept, 0, length);
            if (length < MostOutput) length += n;
        }
    }

    private static ProgramFinding.Unusable NotExecutable(string kind, string program, string why) =>
        new(new($"engine/{kind}-not-executable", $"{program} cannot be run.", $"The system says: {why}.", "Make it executable (chmod +x), check that it is built for this machine and that its file system is not mounted noexec."));

    private static string Title(string kind) => kind == EngineKind.Consul ? "Consul" : "Nomad";
}
