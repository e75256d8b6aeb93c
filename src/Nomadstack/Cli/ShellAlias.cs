// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Cli;

/// <summary>Our texts say <c>nomadstack</c>. After <c>dotnet run</c> or <c>./nomadstack</c> the shell has no such command.</summary>
internal static class ShellAlias
{
    /// <summary>The alias for that; null where the shell finds this program by its name, or where the program has another name.</summary>
    public static string? For(string self, string searchPath)
    {
        if (Path.GetFileName(self) != "nomadstack") return null;
        var found = searchPath.Split(':', StringSplitOptions.RemoveEmptyEntries).Select(folder => Path.Combine(folder, "nomadstack")).FirstOrDefault(File.Exists);
        return found is not null && Target(found) == Target(self) ? null : $"alias nomadstack={(self.All(c => char.IsAsciiLetterOrDigit(c) || "/._-+".Contains(c)) ? self : $"'{self}'")}";
    }

    private static string Target(string file) => File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName ?? Path.GetFullPath(file);
}
