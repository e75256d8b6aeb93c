// SPDX-License-Identifier: MPL-2.0
using System.ComponentModel;
using System.Diagnostics;

namespace Nomadstack.Cli;

/// <summary>Opens addresses in the user's own browser.</summary>
internal static class Browser
{
    private const string Helper = "xdg-open";

    /// <summary>In a session of its own, so that Ctrl-C here does not end a browser that this has started; its words go nowhere, for they would stand among ours.</summary>
    private const string Script = $"exec setsid {Helper} \"$1\" </dev/null >/dev/null 2>&1";

    /// <summary>Null when the desktop was told, otherwise why not. What becomes of it shows in the browser.</summary>
    public static string? Open(string address)
    {
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, Helper)))) return $"there is no {Helper} here";
        var start = new ProcessStartInfo("/bin/sh");
        foreach (var argument in (string[])["-c", Script, "sh", address]) start.ArgumentList.Add(argument);
        try
        {
            using var process = Process.Start(start);
            return null;
        }
        catch (Win32Exception e)
        {
            return e.Message.TrimEnd('.');
        }
    }
}
