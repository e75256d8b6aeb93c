// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Processes;

/// <summary>Holds one process by a file descriptor, so that a signal or a wait can never reach a later process with the same pid.</summary>
internal static class PidFd
{
    /// <summary>A descriptor of this process, also when it is a zombie; null when it is gone.</summary>
    public static SafeFileHandle? Open(ProcessIdentity process)
    {
        if (process.BootId != ProcFs.BootId) return null;
        var fd = Libc.SysCall(Libc.SYS_pidfd_open, process.Pid, 0, 0, 0);
        if (fd < 0)
        {
            return Marshal.GetLastPInvokeError() switch
            {
                Libc.ESRCH => null,
                Libc.ENOSYS => throw new ProblemException(ProcessProblems.KernelTooOld()),
                _ => throw new IOException($"pidfd_open {process.Pid}: {Marshal.GetLastPInvokeErrorMessage()}"),
            };
        }

        var handle = new SafeFileHandle((nint)fd, ownsHandle: true);
        // Compared after the open: if the pid had been reused before, the process would have another start time.
        if (ProcFs.Stat(process.Pid)?.StartTicks == process.StartTicks) return handle;
        handle.Dispose();
        return null;
    }

    /// <summary>Sends a signal only to this process, not to its group: Nomad's tasks are its descendants and must survive. False when it is gone.</summary>
    public static bool Signal(ProcessIdentity process, int signal)
    {
        using var handle = Open(process);
        if (handle is null) return false;
        if (Libc.SysCall(Libc.SYS_pidfd_send_signal, handle.DangerousGetHandle(), signal, 0, 0) == 0) return true;
        if (Marshal.GetLastPInvokeError() == Libc.ESRCH) return false;
        throw new ProblemException(ProcessProblems.NoSignal(Signals.Name(signal), process.Pid, Marshal.GetLastPInvokeErrorMessage()));
    }
}
