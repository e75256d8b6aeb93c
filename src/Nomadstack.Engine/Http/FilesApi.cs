// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>The files of an allocation: listed, read, and its tasks' logs followed.</summary>
internal static class FilesApi
{
    public static Task ListAsync(ApiCall call)
    {
        var (path, shown) = Locate(call);
        if (!Directory.Exists(path)) throw Missing(shown);
        return call.ListAsync(new DirectoryInfo(path).EnumerateFileSystemInfos().OrderBy(f => f.Name, StringComparer.Ordinal).Select(f => (JsonNode)About(f)));
    }

    public static Task StatAsync(ApiCall call)
    {
        var (path, shown) = Locate(call);
        FileSystemInfo file = Directory.Exists(path) ? new DirectoryInfo(path) : new FileInfo(path);
        return file.Exists ? call.JsonAsync(About(file)) : throw Missing(shown);
    }

    public static Task CatAsync(ApiCall call) => FileAsync(call, plain: true, offset: 0, limit: null, follow: false);

    public static Task ReadAtAsync(ApiCall call)
    {
        var offset = Number(call, "offset") ?? throw ServerException.Invalid("must provide an offset");
        return FileAsync(call, plain: true, offset, Limit(call), follow: false);
    }

    public static Task StreamAsync(ApiCall call) => FileAsync(call, call.Flag("plain"), Number(call, "offset") ?? 0, Limit(call), call.Flag("follow", absent: true));

    public static async Task LogsAsync(ApiCall call)
    {
        var allocation = ClientApi.Allocation(call);
        var (task, type) = (call.Query("task") ?? "", call.Query("type") ?? "");
        if (task.Length == 0) throw ServerException.Invalid("must provide task name");
        if (type is not ("stdout" or "stderr")) throw ServerException.Invalid("must provide log type (stdout/stderr)");
        var (offset, fromEnd) = (Number(call, "offset") ?? 0, FromEnd(call));
        var runner = allocation.Tasks.GetValueOrDefault(task) ?? throw ServerException.Invalid($"unknown task name \"{task}\"");
        if (runner.State.StartedAt is null) throw ServerException.NotFound($"task \"{task}\" not started yet. No logs available");
        var files = new NumberedFiles(allocation.Folders.Logs, $"{task}.{type}.");
        if (!call.Flag("follow") && files.Next(-1) is null) throw ServerException.NotFound($"log entry for task \"{task}\" and log type \"{type}\" not found");
        await SendAsync(call, call.Flag("plain"), new FileTail(files, allocation.Folders.Root, fromEnd ? -offset : offset, fromEnd, null, call.Flag("follow")));
    }

    private static Task FileAsync(ApiCall call, bool plain, long offset, long? limit, bool follow)
    {
        if (call.Query("path") is not { Length: > 0 }) throw ServerException.Invalid("must provide a file path");
        var (path, shown) = Locate(call);
        if (Directory.Exists(path)) throw ServerException.Invalid($"file \"{shown}\" is a directory");
        if (!File.Exists(path)) throw new ServerException(StatusCodes.Status400BadRequest, Missing(shown).Message);
        var fromEnd = FromEnd(call);
        return SendAsync(call, plain, new FileTail(new OneFile(path), ClientApi.Allocation(call).Folders.Root, fromEnd ? -offset : offset, fromEnd, limit, follow));
    }

    private static async Task SendAsync(ApiCall call, bool plain, FileTail tail)
    {
        call.Http.Response.ContentType = plain ? "text/plain" : "application/json";
        await tail.CopyAsync(call.Client.Files, new FrameWriter(call.Http.Response.Body, plain), call.Agent.Time, call.Cancel);
    }

    /// <exception cref="ServerException">It is outside of the allocation, or secret.</exception>
    private static (string Path, string Shown) Locate(ApiCall call)
    {
        var folders = ClientApi.Allocation(call).Folders;
        var shown = call.Query("path") is { Length: > 0 } asked ? asked : "/";
        var path = Path.GetFullPath(Path.Combine(folders.Root, shown.TrimStart('/'))).TrimEnd('/');
        if (path != folders.Root && !path.StartsWith(folders.Root + "/", StringComparison.Ordinal)) throw ServerException.Failed("Path escapes the alloc directory");
        foreach (var task in ClientApi.Allocation(call).Tasks.Keys)
            if (path == folders.Secrets(task) || path.StartsWith(folders.Secrets(task) + "/", StringComparison.Ordinal)) throw ServerException.Failed($"Reading secret file prohibited: {shown}");
        return (path, shown);
    }

    private static JsonObject About(FileSystemInfo file) => new()
    {
        ["Name"] = file.Name,
        ["IsDir"] = file is DirectoryInfo,
        ["Size"] = (file as FileInfo)?.Length ?? 4096,
        ["FileMode"] = Mode(file),
        ["ModTime"] = file.LastWriteTimeUtc.ToString("O", CultureInfo.InvariantCulture),
        ["ContentType"] = "",
    };

    /// <summary>Such as <c>-rw-r--r--</c>.</summary>
    private static string Mode(FileSystemInfo file)
    {
        const string letters = "rwxrwxrwx";
        var mode = file.UnixFileMode;
        var text = new StringBuilder();
        if (file.LinkTarget is not null) text.Append('L');
        else if (file is DirectoryInfo) text.Append('d');
        if ((mode & UnixFileMode.StickyBit) != 0) text.Append('t');
        if (text.Length == 0) text.Append('-');
        for (var i = 0; i < letters.Length; i++) text.Append(((int)mode & (256 >> i)) != 0 ? letters[i] : '-');
        return text.ToString();
    }

    private static bool FromEnd(ApiCall call) => call.Query("origin") switch
    {
        null or "" or "start" => false,
        "end" => true,
        _ => throw ServerException.Invalid("origin must be start or end"),
    };

    /// <summary>Null for all there is: HashiCorp's command line asks for that with -1.</summary>
    private static long? Limit(ApiCall call) => call.Query("limit") == "-1" ? null : Number(call, "limit") is > 0 and var limit ? limit : null;

    private static long? Number(ApiCall call, string name)
    {
        if (call.Query(name) is not { Length: > 0 } text) return null;
        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= 0 ? number : throw ServerException.Invalid($"error parsing {name}: \"{text}\"");
    }

    private static ServerException Missing(string path) => ServerException.Failed($"stat {path}: no such file or directory");
}
