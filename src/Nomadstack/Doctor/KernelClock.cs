// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;

namespace Nomadstack.Doctor;

/// <summary>Whether a time service sets the clock: every time service tells the kernel.</summary>
internal static unsafe partial class KernelClock
{
    private const int NotSynchronised = 5;

    /// <summary>struct timex has 208 bytes on every 64-bit Linux. All zero means: ask, change nothing.</summary>
    private const int TimexBytes = 256;

    /// <summary>Null where the kernel does not say, as in some containers.</summary>
    public static bool? IsKept()
    {
        var timex = stackalloc byte[TimexBytes];
        new Span<byte>(timex, TimexBytes).Clear();
        var state = AdjTimex(timex);
        return state < 0 ? null : state != NotSynchronised;
    }

    [LibraryImport("libc", EntryPoint = "adjtimex")]
    private static partial int AdjTimex(byte* timex);
}
