// SPDX-License-Identifier: MPL-2.0
using System.Text;
using Nomadstack.Cluster;

namespace Nomadstack.Storage;

/// <summary>Writes a small text file for another program: completely or not at all, and only if it has changed.</summary>
internal static class DurableText
{
    /// <exception cref="ProblemException"><c>storage/unwritable</c>; the old content is unchanged.</exception>
    public static void Write(string path, string content, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite)
    {
        var folder = Path.GetDirectoryName(path)!;
        try
        {
            if (File.Exists(path) && File.ReadAllText(path) == content) return;
            DurableFolders.Create(folder);
            var temp = path + ".tmp";
            using (var stream = new FileStream(temp, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = mode }))
            {
                stream.Write(Encoding.UTF8.GetBytes(content));
                stream.Flush(flushToDisk: true);
            }

            File.Move(temp, path, overwrite: true);
            DurableFolders.Sync(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(new("storage/unwritable", $"{path} could not be written. Its old content is unchanged.", e.Message, $"Free space on the disk or make {folder} writable."), e);
        }
    }
}
