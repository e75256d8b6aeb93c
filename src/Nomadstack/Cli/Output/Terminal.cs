// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Cli.Output;

/// <summary>The terminal of this process, lent to a program elsewhere: every key goes there, Ctrl-C too.</summary>
internal sealed class Terminal
{
    private const int Input = 0;

    private readonly int _fd = Input;

    public unsafe (int Width, int Height) Size
    {
        get
        {
            var size = default(Libc.WindowSize);
            return Libc.IoCtl(_fd, Libc.TIOCGWINSZ, &size) == 0 ? (size.Columns, size.Rows) : throw new IOException($"The terminal does not tell its size: {Libc.LastError}.");
        }
    }

    public static Stream StandardInput() => new FileStream(new SafeFileHandle(Input, ownsHandle: false), FileAccess.Read, bufferSize: 0);

    /// <summary>Until the answer is disposed, keys are neither shown nor read by the terminal itself.</summary>
    public IDisposable Raw() => new Lent(_fd);

    public IDisposable OnResize(Action<int, int> resized) => PosixSignalRegistration.Create(PosixSignal.SIGWINCH, _ => resized(Size.Width, Size.Height));

    private sealed class Lent : IDisposable
    {
        private readonly byte[] _before = new byte[Libc.TermiosBytes];

        private readonly int _fd;

        public unsafe Lent(int fd)
        {
            _fd = fd;
            fixed (byte* settings = _before) Check(Libc.TcGetAttr(_fd, settings));
            var raw = (byte[])_before.Clone();
            fixed (byte* settings = raw)
            {
                Libc.CfMakeRaw(settings);
                Check(Libc.TcSetAttr(_fd, Libc.TCSADRAIN, settings));
            }
        }

        public unsafe void Dispose()
        {
            fixed (byte* settings = _before) Check(Libc.TcSetAttr(_fd, Libc.TCSADRAIN, settings));
        }

        private static void Check(int result)
        {
            if (result != 0) throw new IOException($"The terminal cannot be set: {Libc.LastError}.");
        }
    }
}
