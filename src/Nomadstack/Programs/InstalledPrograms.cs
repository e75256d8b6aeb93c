// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Programs;

/// <summary>The programs that nomadstack itself has put on this machine. They come after the option and PATH, so that what an operator installed always wins.</summary>
internal static class InstalledPrograms
{
    /// <summary>Folders that may contain the program: the bundle's, then those of fetched versions, newest first.</summary>
    /// <param name="bundle">Where this binary's bundle was unpacked; null if it has none.</param>
    public static IEnumerable<string> Folders(NodePaths paths, Product product, string? bundle)
    {
        var versions = Path.Combine(paths.Binaries, product.Name);
        var fetched = Directory.Exists(versions)
            ? Directory.EnumerateDirectories(versions).Select(folder => (Folder: folder, Version: SemVer.Parse(Path.GetFileName(folder)))).Where(v => v.Version is not null).OrderByDescending(v => v.Version).Select(v => v.Folder)
            : [];
        return bundle is null ? fetched : fetched.Prepend(bundle);
    }

    /// <summary>How a program came to this machine.</summary>
    public static string Origin(NodePaths paths, string program) =>
        program.StartsWith(paths.Binaries + "/", StringComparison.Ordinal) ? "fetched"
        : program.StartsWith(paths.Programs + "/", StringComparison.Ordinal) ? "this node's copy"
        : program.StartsWith(paths.Data + "/", StringComparison.Ordinal) ? "bundled"
        : "installed";
}
