// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Processes;

/// <summary>Holds on to one process by a file descriptor, so that a signal or a wait can never reach a later process with the same pid.</summary>
internal static class PidFd
{
    /// <summary>A descriptor of this very process, a zombie included; null when it is gone.</summary>
    public static SafeFileHandle? Open(ProcessIdentity process)
    {
        if (process.BootId != ProcFs.BootId) return null;
        var fd = Libc.SysCall(Libc.SYS_pidfd_open, process.Pid, 0, 0, 0);
        if (fd < 0)
        {
            return Marshal.GetLastPInvokeError() switch
            {
                Libc.ESRCH => null,
                Libc.ENOSYS => throw new ProblemException(new("agent/kernel-too-old", "This kernel cannot watch processes that are not children of the agent.", "pidfd_open is missing; it came with Linux 5.3, waiting on it with 5.4.", "Run a kernel of 5.4 or later.")),
                _ => throw new IOException($"pidfd_open {process.Pid}: {Marshal.GetLastPInvokeErrorMessage()}"),
            };
        }

        var handle = new SafeFileHandle((nint)fd, ownsHandle: true);
        // Looked up after the open: whoever has the pid now had it then too, or was not yet born when the identity was taken.
        if (ProcFs.Stat(process.Pid)?.StartTicks == process.StartTicks) return handle;
        handle.Dispose();
        return null;
    }

    /// <summary>Sends a signal to this process alone, not to its group: Nomad's tasks live below it and must survive. False when it is gone.</summary>
    public static bool Signal(ProcessIdentity process, int signal)
    {
        using var handle = Open(process);
        if (handle is null) return false;
        if (Libc.SysCall(Libc.SYS_pidfd_send_signal, handle.DangerousGetHandle(), signal, 0, 0) == 0) return true;
        if (Marshal.GetLastPInvokeError() == Libc.ESRCH) return false;
        throw new ProblemException(new("process/no-signal", $"{Signals.Name(signal)} could not be sent to pid {process.Pid}.", Marshal.GetLastPInvokeErrorMessage(), "Run the agent as the user that started the process."));
    }
}
