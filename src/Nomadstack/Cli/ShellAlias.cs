// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Cli;

/// <summary>All our texts say <c>nomadstack</c>. Who started us with <c>dotnet run</c>, or as <c>./nomadstack</c>, has no such command yet.</summary>
internal static class ShellAlias
{
    /// <summary>The alias that makes our texts true; null where a shell finds this very program by its name, or where it has another name.</summary>
    public static string? For(string self, string searchPath)
    {
        if (Path.GetFileName(self) != "nomadstack") return null;
        var found = searchPath.Split(':', StringSplitOptions.RemoveEmptyEntries).Select(folder => Path.Combine(folder, "nomadstack")).FirstOrDefault(File.Exists);
        return found is not null && Target(found) == Target(self) ? null : $"alias nomadstack={(self.All(c => char.IsAsciiLetterOrDigit(c) || "/._-+".Contains(c)) ? self : $"'{self}'")}";
    }

    private static string Target(string file) => File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName ?? Path.GetFullPath(file);
}
