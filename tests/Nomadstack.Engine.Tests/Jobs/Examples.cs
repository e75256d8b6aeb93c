// SPDX-License-Identifier: MPL-2.0
using Xunit;

namespace Nomadstack.Engine.Tests.Jobs;

/// <summary>The jobs that a newcomer is told to try.</summary>
public static class Examples
{
    private static readonly string s_folder = Find();

    public static TheoryData<string> Files => [.. Names];

    public static IReadOnlyList<string> Names => [.. Directory.EnumerateFiles(s_folder, "*.nomad.hcl").Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    public static string Read(string file) => File.ReadAllText(Path.Combine(s_folder, file));

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Nomadstack.slnx"))) return Path.Combine(folder.FullName, "examples");
        }

        throw new InvalidOperationException($"{AppContext.BaseDirectory} is not inside the repository.");
    }
}
