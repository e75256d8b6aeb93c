// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>Makes the folders of a node, readable only by their owner.</summary>
internal static class Folders
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <exception cref="ProblemException"><c>storage/unwritable</c>.</exception>
    public static void Create(NodePaths paths)
    {
        foreach (var folder in (ReadOnlySpan<string>)[paths.Data, paths.Run, paths.Log, paths.Operations, paths.Processes, paths.Lifelines])
        {
            try
            {
                if (!Directory.Exists(folder)) Directory.CreateDirectory(folder, OwnerOnly);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new ProblemException(new("storage/unwritable", $"The folder {folder} could not be created.", e.Message, "Run the agent as a user that may write there, or use another --data-dir."), e);
            }
        }
    }
}
