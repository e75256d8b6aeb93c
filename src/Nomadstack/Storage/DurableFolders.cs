// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Storage;

/// <summary>Makes renames survive a power cut.</summary>
internal static class DurableFolders
{
    /// <summary>Syncs each folder whose entries were changed.</summary>
    public static void Sync(params ReadOnlySpan<string> folders)
    {
        foreach (var folder in folders)
        {
            var fd = Libc.Open(folder, Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_CLOEXEC, 0);
            if (fd < 0) throw new IOException($"{folder}: {System.Runtime.InteropServices.Marshal.GetLastPInvokeErrorMessage()}");
            try
            {
                if (Libc.FSync(fd) != 0) throw new IOException($"fsync {folder}: {System.Runtime.InteropServices.Marshal.GetLastPInvokeErrorMessage()}");
            }
            finally
            {
                _ = Libc.Close(fd);
            }
        }
    }
}
