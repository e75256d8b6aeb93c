// SPDX-License-Identifier: MPL-2.0
using System.Globalization;

namespace Nomadstack.Engine.Scheduling;

/// <summary>Ports as agents are told to keep free: <c>22,80,8000-8100</c>.</summary>
internal static class PortRanges
{
    /// <summary>What cannot be read is left out; the agent that sent it has validated its own configuration.</summary>
    public static IEnumerable<int> Parse(string? ranges)
    {
        foreach (var part in (ranges ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var dash = part.IndexOf('-', StringComparison.Ordinal);
            if (!IsPort(dash < 0 ? part : part[..dash], out var first) || !IsPort(dash < 0 ? part : part[(dash + 1)..], out var last)) continue;
            for (var port = first; port <= last; port++) yield return port;
        }
    }

    private static bool IsPort(string text, out int port) => int.TryParse(text, NumberStyles.AllowTrailingWhite | NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture, out port) && port is >= 0 and <= ushort.MaxValue;
}
