// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Storage;

/// <summary>A file too large for memory, for its owner alone: on disk under its name when it is whole, and otherwise not at all.</summary>
internal static class WholeFile
{
    /// <summary>The end of the name while it is being made.</summary>
    public const string Part = ".part";

    /// <param name="folder">The folder of the file, which exists.</param>
    /// <param name="check">Throws if what was written is not what it should be; given the path where it is until then.</param>
    public static async Task<T> WriteAsync<T>(string folder, string name, Func<Stream, Task<T>> write, Func<string, Task>? check = null)
    {
        var path = Path.Combine(folder, name);
        var part = path + Part;
        try
        {
            T result;
            await using (var file = new FileStream(part, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
            {
                result = await write(file);
                file.Flush(flushToDisk: true);
            }

            if (check is not null) await check(part);
            File.Move(part, path, overwrite: true);
            DurableFolders.Sync(folder);
            return result;
        }
        catch
        {
            File.Delete(part);
            throw;
        }
    }
}
