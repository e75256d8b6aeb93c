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

/// <summary>Tells from the outside whether an agent runs on a data folder. Takes no lock and changes nothing.</summary>
internal static class AgentPresence
{
    /// <summary>Pid of the agent that holds the folder's lock, or null when no agent does, or when only root can tell.</summary>
    public static int? HolderOf(NodePaths paths) => Holder(paths)?.Pid;

    private static (int Pid, string WaitsFor)? Holder(NodePaths paths)
    {
        var file = Path.Combine(paths.Data, "agent.lock");
        try
        {
            var lines = ReadWithoutLock(file).Split('\n');
            if (!int.TryParse(lines[0], NumberStyles.None, CultureInfo.InvariantCulture, out var pid)) return null;
            // The file outlives its writer, and pids are reused. The writer is alive only if that process has the file open.
            return Directory.EnumerateFileSystemEntries($"/proc/{pid}/fd").Any(fd => TargetOf(fd) == file) ? (pid, lines.ElementAtOrDefault(1) ?? "") : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>.NET takes a shared flock on every file it opens. That would fail on a held lock, and would make a starting agent fail.</summary>
    private static string ReadWithoutLock(string file)
    {
        var fd = Libc.Open(file, Libc.O_RDONLY | Libc.O_CLOEXEC, 0);
        if (fd < 0) return "";
        using var handle = new SafeFileHandle(fd, ownsHandle: true);
        Span<byte> buffer = stackalloc byte[1024];
        return Encoding.UTF8.GetString(buffer[..RandomAccess.Read(handle, buffer, 0)]).Trim();
    }

    private static string? TargetOf(string link)
    {
        try
        {
            return File.ResolveLinkTarget(link, returnFinalTarget: false)?.FullName;
        }
        catch (IOException)
        {
            // It was closed after it was listed.
            return null;
        }
    }

    /// <summary>The processes that this folder's agent has recorded and that still run. The agent itself may have ended.</summary>
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
                throw new ProblemException(ApiProblems.ProcessUnknown(file), e);
            }
        }

        return found;
    }

    /// <summary>Pids are reused. A pid with its start time is one process and no other; a process of an earlier boot does not match, since no two start at the same tick by chance.</summary>
    private static bool Runs(int pid, long startTicks)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            // The second field is the program's name in parentheses and may contain anything. The later fields are plain numbers and letters.
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
        if (failure.InnerException is SocketException { SocketErrorCode: SocketError.AccessDenied })
            return ApiProblems.NotYourAgent(paths);

        if (Holder(paths) is var (pid, waitsFor))
        {
            return failure.HttpRequestError == HttpRequestError.ConnectionError
                ? waitsFor.Length > 0 ? ApiProblems.SocketNotYet(paths, pid, waitsFor) : ApiProblems.SocketClosed(paths, pid)
                : ApiProblems.ConnectionLost(paths, pid);
        }

        return Directory.Exists(paths.Data) ? ApiProblems.NoAgent(paths) : ApiProblems.NoFolder(paths);
    }

    public const string ProblemCode = "agent/unreachable";
}
