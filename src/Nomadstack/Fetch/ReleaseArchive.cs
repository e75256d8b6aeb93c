// SPDX-License-Identifier: MPL-2.0
using System.IO.Compression;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Fetch;

/// <summary>Unpacks a release's zip into a new folder. Entries that would leave that folder, and links, are refused before anything is written.</summary>
internal static class ReleaseArchive
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode Executable = Readable | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private const int FileTypeMask = 0xF000, RegularFile = 0x8000;

    /// <summary>When this returns, every file survives a power cut. When it throws, the folder may contain some of the files.</summary>
    /// <exception cref="ProblemException"><c>fetch/bad-archive</c> or <c>fetch/unsafe-archive</c>.</exception>
    public static async Task UnpackAsync(FileStream zip, string name, string program, string folder, CancellationToken cancel)
    {
        try
        {
            using var archive = new ZipArchive(zip, ZipArchiveMode.Read, leaveOpen: true);
            var files = archive.Entries.Where(e => !e.FullName.EndsWith('/')).ToList();
            foreach (var entry in archive.Entries) Check(entry, name, folder);
            if (!files.Any(e => e.FullName == program)) throw Bad(name, $"it contains no {program}");
            Directory.CreateDirectory(folder);
            foreach (var entry in files) await WriteAsync(entry, Path.Combine(folder, entry.FullName), entry.FullName == program ? Executable : Readable, cancel);
        }
        catch (InvalidDataException e)
        {
            throw Bad(name, $"it cannot be unpacked ({e.Message.TrimEnd('.')})", e);
        }
    }

    private static void Check(ZipArchiveEntry entry, string name, string folder)
    {
        var type = (entry.ExternalAttributes >> 16) & FileTypeMask;
        var isFolder = entry.FullName.EndsWith('/');
        var target = Path.GetFullPath(Path.Combine(folder, entry.FullName));
        var why = entry.FullName.Length == 0 || entry.FullName.Any(c => c is '\\' || char.IsControl(c)) ? "is not a file name"
            : entry.FullName.StartsWith('/') || entry.FullName.Split('/').Contains("..") || !target.StartsWith(folder + "/", StringComparison.Ordinal) ? "lies outside the archive's folder"
            // Archives made on other systems give no type for a plain file.
            : !isFolder && type is not (0 or RegularFile) ? "is not an ordinary file"
            : null;
        if (why is not null)
            throw new ProblemException(FetchProblems.UnsafeArchive(name, entry.FullName, why));
    }

    private static async Task WriteAsync(ZipArchiveEntry entry, string path, UnixFileMode mode, CancellationToken cancel)
    {
        var folder = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(folder);
        await using (var from = await entry.OpenAsync(cancel))
        await using (var to = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode }))
        {
            await from.CopyToAsync(to, cancel);
            to.Flush(flushToDisk: true);
        }

        // The umask may have removed the execute permission of others.
        File.SetUnixFileMode(path, mode);
        DurableFolders.Sync(folder);
    }

    private static ProblemException Bad(string name, string why, Exception? inner = null) =>
        new(FetchProblems.BadArchive(name, why), inner);
}
