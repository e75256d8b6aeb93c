// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Runtime.InteropServices;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Engine.Client.Drivers;

/// <summary>
/// Starts processes that outlive the client: a session of their own, default signals, no input, output to files, none of our descriptors.
/// When a spawn returns, the program has been executed; when it throws, nothing runs.
/// </summary>
internal static unsafe class Spawner
{
    /// <summary>More than any of glibc's and musl's opaque types takes.</summary>
    private const int OpaqueBytes = 512;

    /// <exception cref="IOException">The program could not be executed.</exception>
    public static ProcessIdentity Spawn(IReadOnlyList<string> arguments, IEnumerable<KeyValuePair<string, string>> environment, string folder, string stdout, string stderr)
    {
        KeepOwnDescriptors();
        var actions = stackalloc byte[OpaqueBytes];
        var attributes = stackalloc byte[OpaqueBytes];
        var signals = stackalloc byte[OpaqueBytes];
        var argv = Strings(arguments);
        var envp = Strings([.. environment.Select(e => $"{e.Key}={e.Value}")]);
        _ = Libc.SpawnActionsInit(actions);
        _ = Libc.SpawnAttributesInit(attributes);
        try
        {
            Check(Libc.SpawnActionsOpen(actions, 0, "/dev/null", Libc.O_RDONLY, 0));
            Check(Libc.SpawnActionsOpen(actions, 1, stdout, Libc.O_WRONLY | Libc.O_APPEND | Libc.O_CREAT, Convert.ToInt32("600", 8)));
            Check(Libc.SpawnActionsOpen(actions, 2, stderr, Libc.O_WRONLY | Libc.O_APPEND | Libc.O_CREAT, Convert.ToInt32("600", 8)));
            Check(Libc.SpawnActionsChdir(actions, folder));
            Check(Libc.SpawnAttributesFlags(attributes, Libc.POSIX_SPAWN_SETSID | Libc.POSIX_SPAWN_SETSIGDEF | Libc.POSIX_SPAWN_SETSIGMASK));
            // An ignored signal would be inherited, and .NET ignores SIGPIPE.
            new Span<byte>(signals, OpaqueBytes).Fill(0xff);
            Check(Libc.SpawnAttributesSigDefault(attributes, signals));
            new Span<byte>(signals, OpaqueBytes).Clear();
            Check(Libc.SpawnAttributesSigMask(attributes, signals));
            Check(Libc.PosixSpawn(out var pid, arguments[0], actions, attributes, argv, envp));
            // It keeps its entry until we reap it.
            return Proc.Identify(pid) ?? throw new IOException($"{arguments[0]} ended before it could be looked at: the client runs with SIGCHLD ignored");
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
            if (error != 0) throw new IOException($"{arguments[0]}: {Marshal.GetPInvokeErrorMessage(error)}");
        }
    }

    /// <summary>What .NET opens closes at exec by itself; what our own parent left open would not.</summary>
    private static void KeepOwnDescriptors()
    {
        foreach (var entry in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
            // The listing's own descriptor is closed again by now; that fails and does not matter.
            if (int.TryParse(Path.GetFileName(entry.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var fd) && fd > 2 && Libc.FCntl(fd, Libc.F_GETFD, 0) == 0)
                _ = Libc.FCntl(fd, Libc.F_SETFD, Libc.FD_CLOEXEC);
    }

    private static byte** Strings(IReadOnlyList<string> items)
    {
        var array = (byte**)NativeMemory.AllocZeroed((nuint)items.Count + 1, (nuint)sizeof(byte*));
        for (var i = 0; i < items.Count; i++) array[i] = (byte*)Marshal.StringToCoTaskMemUTF8(items[i]);
        return array;
    }

    private static void Free(byte** array)
    {
        for (var item = array; *item is not null; item++) Marshal.FreeCoTaskMem((nint)(*item));
        NativeMemory.Free(array);
    }
}
