// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Tests.Docs;

/// <summary>The repository these tests were built from, as files.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    public static string Source { get; } = Path.Combine(Root, "src", "Nomadstack");

    /// <summary>The folders of the program: its parts.</summary>
    public static IReadOnlyList<string> Folders { get; } =
        [.. Directory.GetDirectories(Source).Select(f => Path.GetFileName(f)!).Where(f => f is not ("bin" or "obj")).Order(StringComparer.Ordinal)];

    /// <summary>Path below <see cref="Source"/> and text of every source file in a folder.</summary>
    public static IEnumerable<(string Path, string Text)> Files() =>
        from folder in Folders
        from file in Directory.EnumerateFiles(Path.Combine(Source, folder), "*.cs", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
        select (Path.GetRelativePath(Source, file), File.ReadAllText(file));

    public static string Read(params string[] path) => File.ReadAllText(Path.Combine([Root, .. path]));

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Nomadstack.slnx"))) return folder.FullName;
        }

        throw new InvalidOperationException($"{AppContext.BaseDirectory} is not inside the repository.");
    }
}
