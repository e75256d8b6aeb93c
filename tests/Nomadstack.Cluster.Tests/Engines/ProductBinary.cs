// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;
using Nomadstack.Cluster.Tests.Machines;

namespace Nomadstack.Cluster.Tests.Engines;

/// <summary>The program under test, as an operator would get it: published once per run, one native file (or given by NOMADSTACK_BINARY).</summary>
internal static class ProductBinary
{
    private static readonly Lazy<Task<Tool>> s_published = new(PublishAsync);

    public static Task<Tool> PublishedAsync() => s_published.Value;

    /// <summary>Why the program under test cannot be native here; null when it can. The tests then run on a slower one of the same code.</summary>
    public static string? WhyNotNative { get; } =
        Missing("clang") ?? Missing("ld.lld");

    public static string RepositoryFolder { get; } = FindRepository();

    private static async Task<Tool> PublishAsync()
    {
        if (Environment.GetEnvironmentVariable("NOMADSTACK_BINARY") is { Length: > 0 } given)
            return File.Exists(given) ? new("nomadstack", given, Folder: true) : throw new InvalidOperationException($"NOMADSTACK_BINARY names {given}, and there is no such file.");

        // Own intermediate files: the tests' build of the same project stays as it is.
        var artifacts = Path.Combine(RepositoryFolder, "artifacts", "cluster-tests");
        var to = Path.Combine(artifacts, "published");
        var architecture = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "linux-arm64" : "linux-x64";
        var publish = await Command.RunAsync(
            [
                Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", "publish", Path.Combine(RepositoryFolder, "src/Nomadstack"), "--nologo", "-c", "Release",
                "-r", architecture, .. WhyNotNative is null ? Array.Empty<string>() : ["-p:PublishAot=false", "-p:PublishSingleFile=true", "-p:PublishTrimmed=true"],
                "-p:RunAnalyzers=false", "-nodeReuse:false", "--artifacts-path", artifacts, "-o", to,
            ],
            TimeSpan.FromMinutes(12));
        return publish.ExitCode == 0 ? new("nomadstack", Path.Combine(to, "nomadstack"), Folder: true) : throw new InvalidOperationException($"The program under test could not be published: {publish}");
    }

    private static string? Missing(string tool) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => folder.Length > 0 && File.Exists(Path.Combine(folder, tool)))
            ? null
            : $"{tool} is not on the PATH: the program under test is not the native one (apt-get install clang lld)";

    private static string FindRepository()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Nomadstack.slnx"))) return folder.FullName;
        }

        throw new InvalidOperationException($"{AppContext.BaseDirectory} is not inside the repository.");
    }
}
