// SPDX-License-Identifier: MPL-2.0
using System.Text;
using Nomadstack.Storage;

namespace Nomadstack.Programs;

/// <summary>
/// What was unpacked from a verified archive, file by file, as <c>sha256sum -c</c> reads it. A disk that loses part of a program would else be met as a server that
/// crashes, or does worse.
/// </summary>
internal static class ProgramSums
{
    public const string FileName = "SHA256SUMS";

    /// <summary>Notes the sums of all files in a folder of an unpacked release. When this returns they survive a power cut.</summary>
    public static void Write(string folder)
    {
        var files = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList();
        DurableText.Write(Path.Combine(folder, FileName), string.Concat(files.Select(file => $"{OwnPrograms.Sum(file)}  {Path.GetRelativePath(folder, file)}\n")));
    }

    /// <summary>What is wrong with a program beside which sums are noted; null where nothing is, or none are. Takes a tenth of a second for each 100 MB.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static string? Complaint(string program)
    {
        var list = Path.Combine(Path.GetDirectoryName(program)!, FileName);
        if (!File.Exists(list)) return null;
        var name = Path.GetFileName(program);
        var noted = File.ReadLines(list, Encoding.UTF8).Select(line => line.Split("  ", 2)).FirstOrDefault(parts => parts is [_, var file] && file == name)?[0];
        if (noted is null) return $"{list} does not name it";
        var found = OwnPrograms.Sum(program);
        return found == noted ? null : $"its SHA-256 is {found}, and {noted} was unpacked";
    }
}
