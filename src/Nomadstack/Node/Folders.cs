// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>
/// Makes the folders of a node. Its own are readable by their owner alone; those on the way down to the tasks of the scheduler's client can be passed by everybody, as a task with a
/// <c>user</c> of its own has to (Nomad makes the rest of that way passable itself).
/// </summary>
internal static class Folders
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Passable = OwnerOnly | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Nothing that this process or a child of it makes is writable for others, whatever whoever started it allowed.</summary>
    private const int NotForOthers = 0x12;

    /// <exception cref="ProblemException"><c>storage/unwritable</c>, <c>agent/run-folder</c>.</exception>
    public static void Create(NodePaths paths, ProductTable table)
    {
        _ = Libc.Umask(Libc.Umask(NotForOthers) | NotForOthers);
        var client = paths.Client(table.Scheduler.Name);
        List<string> passed = [paths.Data, Path.GetDirectoryName(client)!, client, Path.Combine(client, "data")];
        var own = table.Stack.Where(p => !p.Schedules).Select(p => Path.GetDirectoryName(paths.Client(p.Name))!)
            .Concat([paths.Run, paths.Log, paths.Operations, paths.Processes, paths.Lifelines, paths.Pki, paths.Secrets, paths.Binaries, paths.Programs, paths.Retired, paths.Plugins, Path.Combine(paths.Data, "servers")]);
        var at = paths.Data;
        try
        {
            // The data folder is opened last: what is inside is closed by then.
            DurableFolders.CreateOwn(paths.Data);
            foreach (var folder in own.Concat(passed.Skip(1)).Append(paths.Data))
            {
                at = folder;
                if (folder == paths.Run)
                {
                    RunFolder.Prepare(folder);
                    continue;
                }

                var wanted = passed.Contains(folder) ? Passable : OwnerOnly;
                DurableFolders.Create(folder, wanted);
                var mode = File.GetUnixFileMode(folder);
                // An operator's own mode of the data folder stays, as far as tasks can pass.
                var better = folder == paths.Data ? mode | (Passable & ~OwnerOnly) : wanted;
                if (mode != better) File.SetUnixFileMode(folder, better);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(new("storage/unwritable", $"The folder {at} cannot be made.", e.Message, "Run the agent as a user that may write there, or give another folder with --data-dir."), e);
        }
    }
}
