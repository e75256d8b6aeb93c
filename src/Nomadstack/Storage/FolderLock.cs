// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Storage;

/// <summary>A lock on the folder itself, so that no lock file is left behind. The kernel releases it when its holder ends.</summary>
internal sealed class FolderLock : IDisposable
{
    private readonly SafeFileHandle _handle;

    private FolderLock(SafeFileHandle handle) => _handle = handle;

    /// <summary>Null if another process, or another part of this one, holds it.</summary>
    /// <exception cref="IOException">The folder cannot be opened or locked at all.</exception>
    public static FolderLock? TryTake(string folder)
    {
        var fd = Libc.Open(folder, Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_CLOEXEC, 0);
        if (fd < 0) throw new IOException($"{folder}: {Marshal.GetLastPInvokeErrorMessage()}");
        var handle = new SafeFileHandle(fd, ownsHandle: true);
        if (Libc.FLock(fd, Libc.LOCK_EX | Libc.LOCK_NB) == 0) return new(handle);
        var error = Marshal.GetLastPInvokeError();
        handle.Dispose();
        return error == Libc.EAGAIN ? null : throw new IOException($"{folder}: {Marshal.GetPInvokeErrorMessage(error)}");
    }

    public void Dispose() => _handle.Dispose();
}
