// SPDX-License-Identifier: MPL-2.0
using System.Globalization;

namespace Nomadstack.Processes;

/// <summary>How a process ended: by a code or a signal. Unknown for an adopted process, since the kernel tells only the parent.</summary>
internal sealed record ProcessExit(int? Code, int? Signal)
{
    public static readonly ProcessExit Unknown = new(null, null);

    public override string ToString() =>
        Signal is { } signal ? Signals.Name(signal)
        : Code is { } code ? "exit code " + code.ToString(CultureInfo.InvariantCulture)
        : "unknown exit code (adopted process)";
}
