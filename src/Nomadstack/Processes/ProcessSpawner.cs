// SPDX-License-Identifier: MPL-2.0
using System.Collections;
using System.Globalization;
using System.Runtime.InteropServices;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Processes;

/// <summary>
/// Starts processes that outlive the agent. They get their own session, default signals, input from /dev/null, output appended to the log file,
/// no other descriptor of ours, and a marker in the environment that identifies an orphan. When a spawn returns, the program
/// is running. When it throws, nothing runs.
/// </summary>
/// <remarks>
/// Does not use System.Diagnostics.Process, which cannot make a session or append to a file, and whose pipes break when the agent ends.
/// The agent's lock on the data folder closes a gap: the new process shares it until its exec. So the successor of an agent that is killed in
/// between cannot start while the orphan still looks like the agent. It waits for the rest of the exec (<see cref="ProcFs.SettledCommandLine"/>).
/// </remarks>
internal sealed class ProcessSpawner(string dataFolder)
{
    public const string MarkerName = "NOMADSTACK_PROCESS";

    /// <summary>More than posix_spawnattr_t (336), posix_spawn_file_actions_t (80) and sigset_t (128) of glibc and musl.</summary>
    private const int OpaqueBytes = 512;

    /// <summary>Variables that systemd sets for the agent. A server that inherited them would report readiness in the agent's name.</summary>
    private static readonly string[] s_notInherited = ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC", "JOURNAL_STREAM"];

    /// <summary>
    /// Prefixes of variables that an operator's shell sets for its own commands. They contain the address and token of some cluster, which we pass on to nobody, and
    /// settings that the products would read. The variables of .NET are for us and not for tasks that are .NET programs too.
    /// </summary>
    private static readonly string[] s_notInheritedFamilies = ["NOMAD_", "CONSUL_", "VAULT_", "NOMADSTACK_", "DOTNET_"];

    /// <summary>
    /// A proxy is for fetching what is elsewhere. Servers and clients talk to their own cluster alone, and one that asked a proxy for that would register no service.
    /// </summary>
    private static readonly string[] s_proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "NO_PROXY"];

    /// <summary>The value of <see cref="MarkerName"/> for a process of this data folder.</summary>
    public string Marker(string name) => $"{dataFolder}:{name}";

    /// <exception cref="ProblemException"><c>process/no-log</c> or <c>process/not-started</c>.</exception>
    public ProcessIdentity Spawn(ProcessSpec spec)
    {
        PrepareLog(spec.LogFile);
        var pid = 0;
        try
        {
            KeepOwnDescriptors();
            pid = Execute(spec, [spec.Executable, .. spec.Arguments], EnvironmentFor(spec));
            // Our child stays in /proc until it is reaped, and only ProcessWatcher reaps. If SIGCHLD is ignored, the kernel reaps.
            var process = ProcFs.Identify(pid) ?? throw NotStarted(spec, "It ended at once, and its exit code is lost because the agent was started with SIGCHLD ignored.");
            ProcFs.SettledEnvironment(pid);
            return process;
        }
        catch (IOException e)
        {
            // For example out of descriptors. A process that we cannot record must not run on: the next attempt would start a second one.
            if (pid > 0) KillChild(pid);
            throw NotStarted(spec, e.Message);
        }
    }

    /// <summary>Finds the orphan of an agent that died between a spawn and its record. It has our marker and exactly the arguments of the spec.</summary>
    /// <remarks>The marker alone is not enough: Nomad's plugins, executors and tasks inherit it from the Nomad client.</remarks>
    /// <exception cref="ProblemException"><c>process/two-running</c>.</exception>
    public ProcessIdentity? FindOrphan(ProcessSpec spec)
    {
        var marker = $"{MarkerName}={Marker(spec.Name)}";
        var found = new List<(ProcessIdentity Process, int Parent)>();
        foreach (var pid in ProcFs.Pids())
        {
            if (ProcFs.SettledCommandLine(pid) is not { Count: > 0 } arguments || !IsCommandOf(arguments, spec)) continue;
            if (ProcFs.SettledEnvironment(pid)?.Contains(marker) is not true) continue;
            if (ProcFs.Stat(pid) is { State: not ('Z' or 'X') } stat && stat.Session == pid) found.Add((new(pid, stat.StartTicks, ProcFs.BootId), stat.Parent));
        }

        // A process that forks appears twice until its child executes another program.
        var roots = found.Where(child => !found.Exists(parent => parent.Process.Pid == child.Parent)).Select(f => f.Process).ToList();
        if (roots.Count > 1)
        {
            var pids = string.Join(" and ", roots.Select(f => f.Pid.ToString(CultureInfo.InvariantCulture)));
            throw new ProblemException(ProcessProblems.TwoRunning(spec.Name, pids));
        }

        return roots.Count == 1 ? roots[0] : null;
    }

    /// <summary>Pure. For a script, the kernel puts the interpreter and one of its options before the arguments.</summary>
    internal static bool IsCommandOf(IReadOnlyList<string> arguments, ProcessSpec spec)
    {
        var before = arguments.Count - spec.Arguments.Count - 1;
        return before is >= 0 and <= 2 && arguments[before] == spec.Executable && arguments.Skip(before + 1).SequenceEqual(spec.Arguments);
    }

    private unsafe int Execute(ProcessSpec spec, IReadOnlyList<string> arguments, IReadOnlyList<string> environment)
    {
        var actions = stackalloc byte[OpaqueBytes];
        var attributes = stackalloc byte[OpaqueBytes];
        var signals = stackalloc byte[OpaqueBytes];
        var argv = Strings(arguments);
        var envp = Strings(environment);
        _ = Libc.SpawnActionsInit(actions);
        _ = Libc.SpawnAttributesInit(attributes);
        try
        {
            Check(Libc.SpawnActionsOpen(actions, 0, "/dev/null", Libc.O_RDONLY, 0));
            Check(Libc.SpawnActionsOpen(actions, 1, spec.LogFile, Libc.O_WRONLY | Libc.O_APPEND, 0));
            Check(Libc.SpawnActionsDup(actions, 1, 2));
            // Core files stay in our folder, and no folder of an operator's shell is kept in use.
            Check(Libc.SpawnActionsChdir(actions, dataFolder));
            Check(Libc.SpawnAttributesFlags(attributes, Libc.POSIX_SPAWN_SETSID | Libc.POSIX_SPAWN_SETSIGDEF | Libc.POSIX_SPAWN_SETSIGMASK));
            // Ignored signals would be inherited: .NET ignores SIGPIPE, nohup ignores SIGHUP. Not sigfillset: it leaves out the two that glibc reserves for
            // itself; posix_spawn makes those ignored instead.
            new Span<byte>(signals, OpaqueBytes).Fill(0xff);
            Check(Libc.SpawnAttributesSigDefault(attributes, signals));
            new Span<byte>(signals, OpaqueBytes).Clear();
            Check(Libc.SpawnAttributesSigMask(attributes, signals));
            Check(Libc.PosixSpawn(out var pid, spec.Executable, actions, attributes, argv, envp));
            return pid;
        }
        finally
        {
            _ = Libc.SpawnActionsDestroy(actions);
            _ = Libc.SpawnAttributesDestroy(attributes);
            Free(argv);
            Free(envp);
        }

        void Check(int error)
        {
            if (error == 0) return;
            throw NotStarted(spec, error == Libc.ENOENT && Interpreter.Missing(spec.Executable) is { } loader ? $"It is started through {loader}, which is not on this machine." : Marshal.GetPInvokeErrorMessage(error) + ".");
        }
    }

    private static unsafe void KillChild(int pid)
    {
        _ = Libc.Kill(pid, Signals.SIGKILL);
        var info = stackalloc byte[128];
        while (Libc.WaitId(Libc.P_PID, pid, info, Libc.WEXITED) != 0 && Marshal.GetLastPInvokeError() == Libc.EINTR)
        {
            // Interrupted by a signal to the agent. The child is about to end.
        }
    }

    private List<string> EnvironmentFor(ProcessSpec spec)
    {
        var all = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables()) all[(string)entry.Key] = (string?)entry.Value ?? "";
        foreach (var name in all.Keys.Where(IsOurs).ToList()) all.Remove(name);
        foreach (var (name, value) in spec.Environment ?? new Dictionary<string, string>()) all[name] = value;
        all[MarkerName] = Marker(spec.Name);
        return [.. all.Select(e => $"{e.Key}={e.Value}")];
    }

    private static bool IsOurs(string name) => s_notInherited.Contains(name) || s_proxies.Contains(name, StringComparer.OrdinalIgnoreCase) || s_notInheritedFamilies.Any(family => name.StartsWith(family, StringComparison.Ordinal));

    /// <summary>Checked here, since in the child it would fail with the same error number as a missing program.</summary>
    private static void PrepareLog(string path)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NoLog(path, e.Message);
        }

        var fd = Libc.Open(path, Libc.O_WRONLY | Libc.O_APPEND | Libc.O_CREAT | Libc.O_CLOEXEC, Convert.ToInt32("600", 8));
        if (fd < 0) throw NoLog(path, Marshal.GetLastPInvokeErrorMessage());
        _ = Libc.Close(fd);
    }

    /// <summary>Descriptors that .NET opens are closed at exec. Those that the agent's parent (a shell, a supervisor) left open are not.</summary>
    private static void KeepOwnDescriptors()
    {
        foreach (var entry in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
        {
            // The listing's own descriptor is closed by then. That call fails, which does not matter.
            if (int.TryParse(Path.GetFileName(entry.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var fd) && fd > 2 && Libc.FCntl(fd, Libc.F_GETFD, 0) == 0)
                _ = Libc.FCntl(fd, Libc.F_SETFD, Libc.FD_CLOEXEC);
        }
    }

    private static unsafe byte** Strings(IReadOnlyList<string> items)
    {
        var array = (byte**)NativeMemory.AllocZeroed((nuint)items.Count + 1, (nuint)sizeof(byte*));
        for (var i = 0; i < items.Count; i++) array[i] = (byte*)Marshal.StringToCoTaskMemUTF8(items[i]);
        return array;
    }

    private static unsafe void Free(byte** array)
    {
        for (var item = array; *item is not null; item++) Marshal.FreeCoTaskMem((nint)(*item));
        NativeMemory.Free(array);
    }

    private static ProblemException NoLog(string path, string why) =>
        new(ProcessProblems.NoLog(path, why));

    private static ProblemException NotStarted(ProcessSpec spec, string why) =>
        new(ProcessProblems.NotStarted(spec.Name, spec.Executable, why));
}
