// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Runtime.InteropServices;

namespace Nomadstack.Cli;

/// <summary>
/// Ctrl-C and SIGTERM as tokens: the first asks to end well, a second one, a moment later, to end now. Two at once are one wish: timeout(1) signals its child and then the child's
/// group, and a supervisor may signal every process of its unit. The end of the terminal asks to end well, however often it is told: the kernel
/// and the shell both tell it, and nobody means "now" by that.
/// </summary>
internal sealed class Interrupts : IDisposable
{
    /// <summary>Nobody presses a key twice within it.</summary>
    private static readonly TimeSpan s_atOnce = TimeSpan.FromMilliseconds(250);

    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _soft = new();
    private readonly CancellationTokenSource _hard = new();
    private readonly List<PosixSignalRegistration> _registrations = [];

    private long _first;

    public Interrupts(TimeProvider time)
    {
        _time = time;
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt));
        // A handler would undo nohup: whoever had us ignore the end of the terminal meant it.
        if (!HangupIsIgnored()) _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGHUP, HangUp));
    }

    public CancellationToken Soft => _soft.Token;

    public CancellationToken Hard => _hard.Token;

    public void Dispose()
    {
        foreach (var registration in _registrations) registration.Dispose();
        _soft.Dispose();
        _hard.Dispose();
    }

    private static bool HangupIsIgnored()
    {
        var mask = File.ReadLines("/proc/self/status").FirstOrDefault(l => l.StartsWith("SigIgn:", StringComparison.Ordinal));
        // SIGHUP is signal 1, the lowest bit.
        return mask is not null && ulong.TryParse(mask["SigIgn:".Length..].Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var bits) && (bits & 1) != 0;
    }

    private void HangUp(PosixSignalContext signal)
    {
        signal.Cancel = true;
        _soft.Cancel();
    }

    private void Interrupt(PosixSignalContext signal)
    {
        signal.Cancel = true;
        CancellationTokenSource meant;
        lock (_gate)
        {
            if (_soft.IsCancellationRequested && _first != 0 && _time.GetElapsedTime(_first) < s_atOnce) return;
            meant = _soft.IsCancellationRequested ? _hard : _soft;
            if (_first == 0) _first = _time.GetTimestamp();
        }

        meant.Cancel();
    }
}
