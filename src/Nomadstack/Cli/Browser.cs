// SPDX-License-Identifier: MPL-2.0
using System.ComponentModel;
using System.Diagnostics;

namespace Nomadstack.Cli;

/// <summary>Opens addresses in the user's own browser.</summary>
internal static class Browser
{
    private const string Helper = "xdg-open";

    /// <summary>In a session of its own, so that Ctrl-C here does not end a browser that this has started; its words go nowhere, for they would stand among ours.</summary>
    private const string Script = "exec setsid \"$1\" \"$2\" </dev/null >/dev/null 2>&1";

    /// <summary>Null when the desktop was told, otherwise why not. What becomes of it shows in the browser.</summary>
    /// <param name="path">The folders with programs, as PATH has them.</param>
    public static string? Open(string address, string path)
    {
        if (path.Split(':').Select(folder => Path.Combine(folder, Helper)).FirstOrDefault(File.Exists) is not { } helper) return $"there is no {Helper} here";
        var start = new ProcessStartInfo("/bin/sh");
        foreach (var argument in (string[])["-c", Script, "sh", helper, address]) start.ArgumentList.Add(argument);
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
