// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>Makes the folders of a node, readable by their owner alone.</summary>
internal static class Folders
{
    /// <exception cref="ProblemException"><c>storage/unwritable</c>, <c>agent/run-folder</c>.</exception>
    public static void Create(NodePaths paths)
    {
        foreach (var folder in (ReadOnlySpan<string>)[paths.Data, paths.Run, paths.Log, paths.Operations, paths.Processes, paths.Lifelines])
        {
            try
            {
                if (folder == paths.Run) RunFolder.Prepare(folder);
                else DurableFolders.Create(folder, DurableFolders.OwnerOnly);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new ProblemException(new("storage/unwritable", $"The folder {folder} cannot be made.", e.Message, "Run the agent as a user that may write there, or give another folder with --data-dir."), e);
            }
        }
    }
}
