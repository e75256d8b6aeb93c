// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Processes;

/// <summary>A process to run: the program, its arguments, and where its output goes.</summary>
/// <param name="Name">Unique on the node, such as <c>nomad-client</c>; names the record and the log file.</param>
internal sealed record ProcessSpec(string Name, string Executable, IReadOnlyList<string> Arguments, string LogFile, IReadOnlyDictionary<string, string>? Environment = null);

/// <summary>Identifies one process. A pid may be reused; a pid with start time and boot id never is.</summary>
/// <param name="StartTicks">Clock ticks after boot, field 22 of /proc/PID/stat.</param>
internal sealed record ProcessIdentity(int Pid, long StartTicks, string BootId);
