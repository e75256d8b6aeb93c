// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Storage;

/// <summary>What every durable file carries: the version of its layout.</summary>
internal interface IHasSchema
{
    /// <summary>Layout version; a file with a higher one was written by a newer nomadstack.</summary>
    int Schema { get; }
}

/// <summary>
/// One small JSON file that survives a power cut: a reader finds either the old or the new content, never a mixture.
/// Written as temp, fsync, rename, fsync of the folder; the version before is kept as <c>NAME.previous</c>.
/// A damaged, foreign or newer file is a <see cref="Problem"/> that names the file and what to do. It is never reset silently.
/// </summary>
/// <remarks>One writer at a time: the owner of the data folder's lock. Files are created with mode 0600.</remarks>
internal sealed class DurableFile<T>(string path, int schema, JsonTypeInfo<T> json, Func<T, string?>? validate = null)
    where T : class, IHasSchema
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public string Path { get; } = path;

    public bool Exists => File.Exists(Path);

    /// <summary>The content, or null if the file was never written.</summary>
    /// <exception cref="ProblemException"><c>storage/unreadable</c>, <c>storage/torn</c> or <c>storage/newer</c>.</exception>
    public T? Read()
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(Path);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
        catch (DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(new("storage/unreadable", $"{Path} cannot be read.", e.Message, "Make it readable for the user that runs the agent, then start the agent again."), e);
        }

        T? value;
        try
        {
            // Check the number first: a newer version may write another form.
            using (var document = JsonDocument.Parse(bytes))
            {
                if (document.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("schema", out var number) && number.ValueKind == JsonValueKind.Number && number.TryGetInt32(out var written) && written > schema)
                    throw new ProblemException(new("storage/newer", $"{Path} was written by a newer nomadstack.", $"Its schema is {written}. This version reads schemas up to {schema}.", "Run the newer version again. Nothing was changed."));
            }

            value = JsonSerializer.Deserialize(bytes, json);
        }
        catch (JsonException e)
        {
            throw Torn($"it is not valid JSON ({Position(e)})", e);
        }

        if (value is null) throw Torn("it contains no object");
        if (value.Schema < 1) throw Torn("it has no schema number");
        if (validate?.Invoke(value) is { } complaint) throw Torn(complaint);
        return value;
    }

    /// <summary>Replaces the content. When this returns, the new content survives a power cut. When it throws, the old content does.</summary>
    /// <exception cref="ProblemException"><c>storage/unwritable</c>: disk full, read-only, or no permission.</exception>
    public void Write(T value)
    {
        var folder = System.IO.Path.GetDirectoryName(Path)!;
        var temp = Path + ".tmp";
        try
        {
            DurableFolders.Create(folder);
            using (var stream = new FileStream(temp, new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                UnixCreateMode = OwnerOnly,
            }))
            {
                JsonSerializer.Serialize(stream, value, json);
                stream.WriteByte((byte)'\n');
                stream.Flush(flushToDisk: true);
            }

            KeepPrevious();
            File.Move(temp, Path, overwrite: true);
            DurableFolders.Sync(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(new("storage/unwritable", $"{Path} could not be written. Its old content is unchanged.", e.Message, $"Free space on the disk or make {folder} writable. The work then continues by itself or at the next start."), e);
        }
    }

    /// <summary>Removes the file and makes that durable. The previous version goes too.</summary>
    public void Delete()
    {
        File.Delete(Path);
        File.Delete(Path + ".previous");
        if (System.IO.Path.GetDirectoryName(Path) is { } folder && Directory.Exists(folder)) DurableFolders.Sync(folder);
    }

    private void KeepPrevious()
    {
        if (!File.Exists(Path)) return;
        var previous = Path + ".previous";
        File.Delete(previous);
        // A hard link: the current file keeps its name until the rename replaces it.
        if (Libc.Link(Path, previous) != 0) File.Copy(Path, previous);
    }

    private ProblemException Torn(string why, Exception? inner = null)
    {
        var previous = Path + ".previous";
        var fix = File.Exists(previous)
            ? $"Compare it with the version before, {previous}. If that one is right, copy it over and start the agent again."
            : $"Restore it from a backup, or move the data folder away and join this node again. Do not delete the file: it is part of this node's identity.";
        return new ProblemException(new("storage/torn", $"{Path} is damaged or was written by another program.", $"{char.ToUpperInvariant(why[0])}{why[1..]}.", fix), inner);
    }

    private static string Position(JsonException e) =>
        e.LineNumber is { } line ? $"line {line + 1}, byte {e.BytePositionInLine + 1}{(e.Path is { Length: > 1 } at ? $", at {at}" : "")}" : "unknown position";
}
