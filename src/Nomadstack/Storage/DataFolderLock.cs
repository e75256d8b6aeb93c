// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Storage;

/// <summary>Only one agent owns a data folder. The kernel releases the lock when its holder ends for any reason.</summary>
internal sealed class DataFolderLock : IDisposable
{
    private readonly SafeFileHandle _handle;

    private DataFolderLock(SafeFileHandle handle) => _handle = handle;

    /// <summary>Takes the lock and writes our pid into the file.</summary>
    /// <exception cref="ProblemException"><c>agent/already-running</c>, naming the owner's pid.</exception>
    public static DataFolderLock Take(string dataFolder)
    {
        var path = Path.Combine(dataFolder, "agent.lock");
        var fd = Libc.Open(path, Libc.O_RDWR | Libc.O_CREAT | Libc.O_CLOEXEC, Convert.ToInt32("600", 8));
        if (fd < 0)
            throw new ProblemException(new("storage/unwritable", $"{path} cannot be opened.", Marshal.GetLastPInvokeErrorMessage(), "Run the agent as the user that owns the data folder, or use another --data-dir."));
        var handle = new SafeFileHandle(fd, ownsHandle: true);
        if (Libc.FLock(fd, Libc.LOCK_EX | Libc.LOCK_NB) != 0)
        {
            var owner = ReadOwner(handle);
            handle.Dispose();
            throw new ProblemException(new(
                "agent/already-running",
                $"An agent already runs on {dataFolder}: pid {owner}.",
                "A data folder belongs to one agent at a time.",
                $"Use that agent (`nomadstack status --data-dir {dataFolder}`), stop it first, or give this one another --data-dir."));
        }

        var taken = new DataFolderLock(handle);
        taken.Tell("");
        return taken;
    }

    /// <summary>Writes our pid and what we wait for, for whoever finds no socket yet. Empty for nothing.</summary>
    public void Tell(string waitsFor)
    {
        var text = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId}\n{waitsFor}{(waitsFor.Length > 0 ? "\n" : "")}"));
        // A reader in between must find the pid: the rest is cut off last.
        RandomAccess.Write(_handle, text, 0);
        RandomAccess.SetLength(_handle, text.Length);
    }

    public void Dispose() => _handle.Dispose();

    private static string ReadOwner(SafeFileHandle handle)
    {
        Span<byte> buffer = stackalloc byte[32];
        var n = RandomAccess.Read(handle, buffer, 0);
        var text = Encoding.ASCII.GetString(buffer[..n]).Split('\n')[0].Trim();
        return text.Length > 0 ? text : "unknown";
    }
}
