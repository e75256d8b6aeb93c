// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Engine.Client;

/// <summary>
/// Small files that are replaced as a whole: a reader finds the old content or the new, also after a power cut. A file that is neither is refused by
/// name and left as it is.
/// </summary>
internal static class ClientFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <param name="syncFolder">Whether a new name, too, must survive a power cut when this returns.</param>
    public static void Write(string path, ReadOnlySpan<byte> content, bool syncFolder = false)
    {
        var temp = path + ".tmp";
        using (var stream = new FileStream(temp, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = OwnerOnly }))
        {
            stream.Write(content);
            stream.Flush(flushToDisk: true);
        }

        File.Move(temp, path, overwrite: true);
        if (syncFolder) Sync(Path.GetDirectoryName(path)!);
    }

    /// <exception cref="ClientStateException">It is torn, not ours or newer than this program.</exception>
    public static T Read<T>(string path, JsonTypeInfo<T> json, int version, Func<T, int> versionOf) where T : class
    {
        try
        {
            var bytes = File.ReadAllBytes(path);
            // The number first: what a newer version wrote may have another shape altogether.
            using (var document = JsonDocument.Parse(bytes))
                if (document.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("Version", out var number) && number.TryGetInt32(out var written) && written > version)
                    throw new ClientStateException($"{path} was written by a newer version (layout {written}; this version reads up to {version}). Run the newer version. Nothing was changed.");
            var value = JsonSerializer.Deserialize(bytes, json);
            return value is not null && versionOf(value) > 0 ? value : throw Torn(path, "it has no layout version");
        }
        catch (JsonException e)
        {
            throw Torn(path, e.Message, e);
        }
    }

    public static ClientStateException Torn(string path, string why, Exception? inner = null) =>
        new($"{path} is damaged or was not written by this client: {why}. Restore it, or move it away so that the client starts without it. Then start the client again.", inner);

    private static void Sync(string folder)
    {
        var fd = Libc.Open(folder, Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_CLOEXEC, 0);
        if (fd < 0) throw new IOException($"open {folder}: {Libc.LastError}");
        var failed = Libc.FSync(fd) != 0;
        _ = Libc.Close(fd);
        if (failed) throw new IOException($"fsync {folder}: {Libc.LastError}");
    }
}

/// <summary>The client's state cannot be read; the message names the file and the way out.</summary>
internal sealed class ClientStateException(string message, Exception? inner = null) : Exception(message, inner);
