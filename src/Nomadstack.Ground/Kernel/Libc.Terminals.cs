// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;

namespace Nomadstack.Ground.Kernel;

/// <summary>How a terminal treats what is typed.</summary>
internal static partial class Libc
{
    /// <summary>Room for a struct termios, which is 60 bytes in glibc and in musl; nobody here looks into it.</summary>
    public const int TermiosBytes = 128;

    /// <summary>After what was written has been shown.</summary>
    public const int TCSADRAIN = 1;

    [LibraryImport("libc", EntryPoint = "tcgetattr", SetLastError = true)]
    public static unsafe partial int TcGetAttr(int fd, byte* termios);

    [LibraryImport("libc", EntryPoint = "tcsetattr", SetLastError = true)]
    public static unsafe partial int TcSetAttr(int fd, int when, byte* termios);

    [LibraryImport("libc", EntryPoint = "cfmakeraw")]
    public static unsafe partial void CfMakeRaw(byte* termios);

    public const nuint TIOCGWINSZ = 0x5413;

    [StructLayout(LayoutKind.Sequential)]
    public struct WindowSize
    {
        public ushort Rows;
        public ushort Columns;
        public ushort PixelsAcross;
        public ushort PixelsDown;
    }

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static unsafe partial int IoCtl(int fd, nuint request, WindowSize* size);
}
