// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;
using Nomadstack.Cluster.Tests.Machines;

namespace Nomadstack.Cluster.Tests.Engines;

/// <summary>
/// Release 0.1.0 of the program, built from the repository's history into a folder that later runs find again (NOMADSTACK_RELEASED names a program that
/// is there already). Or the reason why there is none: a copy of the repository without its history.
/// </summary>
internal static class ReleasedProgram
{
    /// <summary>What the nodes find on their PATH.</summary>
    public const string Name = "nomadstack-0.1.0";

    private const string Commit = "d35db10";

    private static readonly Lazy<Task<(Tool?, string?)>> s_found = new(FindAsync);

    public static Task<(Tool? Program, string? WhyNot)> BuiltAsync() => s_found.Value;

    private static async Task<(Tool?, string?)> FindAsync()
    {
        if (Environment.GetEnvironmentVariable("NOMADSTACK_RELEASED") is { Length: > 0 } given)
            return File.Exists(given) ? (new(Name, given, Folder: true), null) : (null, $"NOMADSTACK_RELEASED names {given}, and there is no such file");
        var folder = Path.Combine("/var/tmp/nomadstack-released", Commit);
        var program = Path.Combine(folder, "published", "nomadstack");
        if (File.Exists(program)) return (new(Name, program, Folder: true), null);
        if (Command.Find("git") is null) return (null, "release 0.1.0 is built from the repository's history, which needs `git`");
        var known = await GitAsync("cat-file", "-e", Commit + "^{commit}");
        if (known.ExitCode != 0) return (null, $"release 0.1.0 is built from the repository's history, and this copy has no commit {Commit} (a shallow clone?)");

        // Beside, and renamed when it is whole: the next run finds all of it or nothing.
        var work = $"{folder}.{Environment.ProcessId}";
        try
        {
            Directory.CreateDirectory(Path.Combine(work, "source"));
            var archive = Path.Combine(work, "source.tar");
            await MustAsync(await GitAsync("archive", "--format=tar", "--output=" + archive, Commit));
            await Command.MustAsync("tar", "-xf", archive, "-C", Path.Combine(work, "source"));
            var architecture = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "linux-arm64" : "linux-x64";
            // Not compiled ahead of time as the release was: that takes minutes, and says nothing about what it does.
            await MustAsync(await Command.RunAsync(
                [
                    Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", "publish", Path.Combine(work, "source/src/Nomadstack"), "--nologo", "-c", "Release", "-r", architecture, "--self-contained",
                    "-p:PublishTrimmed=false", "-p:PublishReadyToRun=false", "-p:TieredCompilation=true", "-p:TieredPGO=false", "-p:RunAnalyzers=false", "-m:1", "-nodeReuse:false", "--artifacts-path", Path.Combine(work, "artifacts"), "-o", Path.Combine(work, "published"),
                ],
                TimeSpan.FromMinutes(10)));
            Directory.Delete(Path.Combine(work, "artifacts"), recursive: true);
            Directory.Delete(Path.Combine(work, "source"), recursive: true);
            File.Delete(archive);
            if (!Directory.Exists(folder)) Directory.Move(work, folder);
            return (new(Name, program, Folder: true), null);
        }
        finally
        {
            if (Directory.Exists(work)) Directory.Delete(work, recursive: true);
        }
    }

    private static Task<Output> GitAsync(params string[] arguments) => Command.RunAsync(["git", "-C", ProductBinary.RepositoryFolder, .. arguments], TimeSpan.FromMinutes(1));

    private static Task MustAsync(Output output) => output.ExitCode == 0 ? Task.CompletedTask : throw new InvalidOperationException($"Release 0.1.0 could not be built: {output}");
}
