// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Programs;

/// <summary>Tells without reading it whether a file is still the same one: path, size, time and inode, with links resolved. Whoever replaces a program changes at least one of them.</summary>
internal static class ProgramStamp
{
    /// <summary>Null where there is no such file.</summary>
    public static string? Of(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists) return null;
        if (file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo { Exists: true } target) file = target;
        return FormattableString.Invariant($"{file.FullName}:{file.Length}:{file.LastWriteTimeUtc.Ticks}:{FileEntry.At(file.FullName)?.Inode}");
    }
}
