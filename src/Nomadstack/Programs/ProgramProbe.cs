// SPDX-License-Identifier: MPL-2.0
using System.ComponentModel;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Programs;

/// <summary>Finds a product's program and asks it for its version. Ends within the deadline, whatever the program does. Does not trust a file's name.</summary>
/// <param name="elsewhere">Folders to search after PATH, by product; null for none.</param>
internal sealed class ProgramProbe(TimeProvider time, KnownPrograms? memory = null, Func<Product, IEnumerable<string>>? elsewhere = null)
{
    /// <summary>The real programs answer in a tenth of a second. From a cold disk it may take a few seconds.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(15);

    /// <summary>In the form of PATH; null for the environment's.</summary>
    public string? SearchPath { private get; init; }

    private const string EmbeddedArgument = "engine";
    private const int MostOutput = 4096;

    /// <param name="path">The program; null looks it up in <paramref name="searchPath"/>.</param>
    /// <param name="searchPath">In the form of PATH; null takes the environment's PATH.</param>
    /// <param name="deadline">Null for <see cref="Deadline"/>.</param>
    public async Task<ProgramFinding> ProbeAsync(Product product, string? path, string? searchPath, TimeSpan? deadline, CancellationToken cancel)
    {
        var program = path is null ? Find(product, searchPath) : Path.GetFullPath(path);
        if (program is null) return new ProgramFinding.Missing(ProgramProblems.NoneFound(product));
        if (!File.Exists(program)) return new ProgramFinding.Missing(ProgramProblems.NotThere(product, program));
        if (!IsExecutable(program)) return new ProgramFinding.Unusable(ProgramProblems.NotExecutable(product, program, "The file has no execute permission."));

        // Before anything of it runs.
        if (await Task.Run(() => ProgramSums.Complaint(program), cancel) is { } damage) return new ProgramFinding.Unusable(LoaderProblems.Damaged(product, program, damage));
        return await AskAsync(product, product.Name, program, [], deadline, cancel);
    }

    /// <summary>The file that is asked if none is named; null where there is none.</summary>
    public string? Find(Product product, string? searchPath = null) => Lookup(product.Program, [.. Folders(searchPath ?? SearchPath), .. elsewhere?.Invoke(product) ?? []]);

    /// <summary>What a node has settled to run, with its content checked.</summary>
    public async Task<ProgramFinding> OwnAsync(Product product, OwnProgram own, CancellationToken cancel)
    {
        var whole = await Task.Run(() => File.Exists(own.Path) && (own.Sha256.Length == 0 || OwnPrograms.Sum(own.Path) == own.Sha256), cancel);
        return whole ? await ProbeAsync(product, own.Path, null, null, cancel) : new ProgramFinding.Unusable(LoaderProblems.Lost(product, own.Path, own.Version));
    }

    /// <summary>This program itself as an engine. It is asked for its version like any other.</summary>
    /// <param name="product">What it provides.</param>
    public Task<ProgramFinding> ProbeEmbeddedAsync(Product product, CancellationToken cancel)
    {
        var program = Environment.ProcessPath ?? throw new InvalidOperationException("The system does not report this program's path.");
        // After `dotnet nomadstack.dll` the program is dotnet, and ours is its first argument.
        IReadOnlyList<string> leading = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [Path.GetFullPath(Environment.GetCommandLineArgs()[0]), EmbeddedArgument] : [EmbeddedArgument];
        return AskAsync(product, EngineKind.Embedded, program, leading, null, cancel);
    }

    private async Task<ProgramFinding> AskAsync(Product product, string kind, string program, IReadOnlyList<string> leading, TimeSpan? deadline, CancellationToken cancel)
    {
        if (memory?.Recall(kind, program) is { } known) return new ProgramFinding.Found(known with { LeadingArguments = leading });
        var limit = deadline ?? Deadline;
        string output;
        try
        {
            output = (await ProgramOutput.OfAsync(program, [.. leading, "version"], MostOutput, limit, time, cancel)).Out;
        }
        catch (Win32Exception e)
        {
            return new ProgramFinding.Unusable(Interpreter.Missing(program) is { } loader ? LoaderProblems.Missing(product, program, loader) : ProgramProblems.NotExecutable(product, program, e.Message + "."));
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new ProgramFinding.Unusable(ProgramProblems.Hangs(product, program, limit));
        }

        var finding = Judge(product, kind, program, output);
        if (finding is not ProgramFinding.Found found) return finding;
        memory?.Remember(found.Program);
        return new ProgramFinding.Found(found.Program with { LeadingArguments = leading });
    }

    /// <summary>What the output of <c>PROGRAM version</c> tells.</summary>
    internal static ProgramFinding Judge(Product product, string kind, string program, string output)
    {
        var line = output.Split('\n', 2)[0].Trim();
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words is not [var title, ['v', ..] text, ..] || title != product.Title || SemVer.Parse(text) is not { } version)
            return new ProgramFinding.Unusable(ProgramProblems.AnotherProgram(product, program, line));
        return product.Oldest is { } oldest && !version.AtLeast(oldest.Major, oldest.Minor)
            ? new ProgramFinding.Unusable(ProgramProblems.TooOld(product, program, version))
            : new ProgramFinding.Found(new(kind, program, [], version));
    }

    private static IEnumerable<string> Folders(string? searchPath) =>
        (searchPath ?? Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Where(Path.IsPathRooted);

    private static string? Lookup(string name, IReadOnlyList<string> folders)
    {
        // Like a shell: skips a file that cannot be executed if a later folder has one that can.
        var candidates = folders.Select(f => Path.Combine(f, name)).Where(File.Exists).ToList();
        return candidates.FirstOrDefault(IsExecutable) ?? candidates.FirstOrDefault();
    }

    private static bool IsExecutable(string path) =>
        (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0;
}
