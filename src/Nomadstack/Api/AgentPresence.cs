// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;
using Nomadstack.Storage;

namespace Nomadstack.Api;

/// <summary>Whether an agent lives on a data folder, found out from the outside: it takes no lock and changes nothing.</summary>
internal static class AgentPresence
{
    /// <summary>Pid of the agent that holds the folder's lock, or null when none does or when only root could tell.</summary>
    public static int? HolderOf(NodePaths paths)
    {
        var file = Path.Combine(paths.Data, "agent.lock");
        try
        {
            if (!int.TryParse(ReadWithoutLock(file), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)) return null;
            // The file outlives its writer and pids are used again: the writer is alive only if that process has the file open.
            return Directory.EnumerateFileSystemEntries($"/proc/{pid}/fd").Any(fd => TargetOf(fd) == file) ? pid : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>.NET's own files take a shared flock however they are opened: it would fail on a held lock, and refuse an agent that starts meanwhile.</summary>
    private static string ReadWithoutLock(string file)
    {
        var fd = Libc.Open(file, Libc.O_RDONLY | Libc.O_CLOEXEC, 0);
        if (fd < 0) return "";
        using var handle = new SafeFileHandle(fd, ownsHandle: true);
        Span<byte> buffer = stackalloc byte[32];
        return Encoding.ASCII.GetString(buffer[..RandomAccess.Read(handle, buffer, 0)]).Trim();
    }

    private static string? TargetOf(string link)
    {
        try
        {
            return File.ResolveLinkTarget(link, returnFinalTarget: false)?.FullName;
        }
        catch (IOException)
        {
            // Closed since it was listed.
            return null;
        }
    }

    /// <summary>The processes that an agent of this folder has recorded and that still run, though the agent may be gone.</summary>
    public static IReadOnlyList<(int Pid, string Name)> ProcessesOf(NodePaths paths)
    {
        if (!Directory.Exists(paths.Processes)) return [];
        var found = new List<(int, string)>();
        foreach (var file in Directory.EnumerateFiles(paths.Processes, "*.json"))
        {
            try
            {
                using var record = JsonDocument.Parse(File.ReadAllBytes(file));
                if (!record.RootElement.TryGetProperty("process", out var process) || process.ValueKind != JsonValueKind.Object) continue;
                var pid = process.GetProperty("pid").GetInt32();
                if (Runs(pid, process.GetProperty("startTicks").GetInt64())) found.Add((pid, Path.GetFileNameWithoutExtension(file)));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or KeyNotFoundException or InvalidOperationException)
            {
                throw new ProblemException(new("agent/processes-unknown", $"{file} does not tell which process it is about.", "It cannot be read, or a newer nomadstack wrote it.", "Run this as the user that runs the agent, with the nomadstack of the agent's version."), e);
            }
        }

        return found;
    }

    /// <summary>A pid is used again; with its start time it is one process and no other (those of an earlier boot do not run, for nothing starts at the same tick by chance).</summary>
    private static bool Runs(int pid, long startTicks)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            // The second field is the program's name in parentheses and may hold anything; the fields after it may not.
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is not ("Z" or "X") && long.Parse(fields[19], CultureInfo.InvariantCulture) == startTicks;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Why nothing answers on the folder's socket, and what to do about it.</summary>
    public static Problem Unreachable(NodePaths paths, HttpRequestException failure)
    {
        var what = $"No agent answers on {paths.AgentSocket}.";
        if (failure.InnerException is SocketException { SocketErrorCode: SocketError.AccessDenied })
            return new(ProblemCode, what, "The socket belongs to the user that runs the agent, and that is not you.", $"Run this as that user, most often: sudo nomadstack ... {Folder(paths)}");

        if (HolderOf(paths) is { } pid)
        {
            return failure.HttpRequestError == HttpRequestError.ConnectionError
                ? new(ProblemCode, what, $"An agent (pid {pid}) holds {paths.Data}, but its socket is not open: it is starting, stopping, or stuck.", $"Try again in a moment; if it stays so, look at its log in {paths.Log}.")
                : new(ProblemCode, what, $"The agent (pid {pid}) broke the connection off; it may be restarting.", "Try again in a moment; what it does continues by itself.");
        }

        var start = $"Start one: `nomadstack agent {Folder(paths)}`, or `nomadstack up {Folder(paths)}` in the foreground.";
        return Directory.Exists(paths.Data)
            ? new(ProblemCode, what, $"No agent runs on the data folder {paths.Data}.", start + " Another folder is named with --data-dir.")
            : new(ProblemCode, what, $"The data folder {paths.Data} does not exist, so no agent ever ran on it.", $"Name the agent's folder with --data-dir or NOMADSTACK_DATA_DIR, or start one: `nomadstack up {Folder(paths)}`.");
    }

    public const string ProblemCode = "agent/unreachable";

    private static string Folder(NodePaths paths) => $"--data-dir {paths.Data}";
}
