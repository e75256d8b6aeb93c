// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Tests.Docs;

/// <summary>The repository these tests were built from, as files.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    /// <summary>The folders of the program: its parts.</summary>
    public static IReadOnlyList<string> Folders { get; } = FoldersOf("Nomadstack");

    /// <summary>The folders of a project.</summary>
    public static IReadOnlyList<string> FoldersOf(string project) =>
        [.. Directory.GetDirectories(SourceOf(project)).Select(f => Path.GetFileName(f)!).Where(f => f is not ("bin" or "obj")).Order(StringComparer.Ordinal)];

    /// <summary>Path below the project's folder, and text, of every source file of a project.</summary>
    public static IEnumerable<(string Path, string Text)> Files(string project = "Nomadstack") =>
        from folder in FoldersOf(project).Prepend(".")
        from file in Directory.EnumerateFiles(Path.Combine(SourceOf(project), folder), "*.cs", folder == "." ? SearchOption.TopDirectoryOnly : SearchOption.AllDirectories).Order(StringComparer.Ordinal)
        select (Path.GetRelativePath(SourceOf(project), file), File.ReadAllText(file));

    public static string Read(params string[] path) => File.ReadAllText(Path.Combine([Root, .. path]));

    private static string SourceOf(string project) => Path.Combine(Root, "src", project);

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Nomadstack.slnx"))) return folder.FullName;
        }

        throw new InvalidOperationException($"{AppContext.BaseDirectory} is not inside the repository.");
    }
}
