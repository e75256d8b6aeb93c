// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Client.Drivers;

/// <summary>Where a task's command is, in Nomad's order: the task's local folder, the task's folder, the host, the PATH.</summary>
internal static class ProgramLookup
{
    private const UnixFileMode Runnable =
        UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    /// <summary>Made executable if it is not, since what was downloaded seldom is.</summary>
    /// <exception cref="DriverException">There is none.</exception>
    public static string Find(string taskFolder, string command, string? path)
    {
        var found = Candidates(taskFolder, command, path).FirstOrDefault(File.Exists)
            ?? throw new DriverException($"failed to launch command with executor: rpc error: code = Unknown desc = binary \"{command}\" could not be found");
        var mode = File.GetUnixFileMode(found);
        try
        {
            if ((mode & Runnable) != Runnable) File.SetUnixFileMode(found, mode | Runnable);
        }
        catch (UnauthorizedAccessException e) when ((mode & UnixFileMode.OtherExecute) == 0)
        {
            throw new DriverException($"failed to launch command with executor: rpc error: code = Unknown desc = failed to make {found} executable: {e.Message}", inner: e);
        }
        catch (UnauthorizedAccessException)
        {
            // Somebody else's, but anybody may run it.
        }

        return found;
    }

    private static IEnumerable<string> Candidates(string taskFolder, string command, string? path)
    {
        if (command.Length == 0) yield break;
        yield return Path.Join(taskFolder, "local", command);
        yield return Path.Join(taskFolder, command);
        if (command.Contains('/'))
        {
            if (Path.IsPathRooted(command)) yield return command;
            yield break;
        }

        foreach (var folder in (path ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").Split(':', StringSplitOptions.RemoveEmptyEntries))
            yield return Path.Join(folder, command);
    }
}
