// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Storage;

/// <summary>The folder of the sockets: made where it is missing, and never one that another user made, could write to, or leads elsewhere by a link.</summary>
internal static class RunFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const int ForOthers = 0x3F;

    /// <exception cref="ProblemException"><c>agent/run-folder</c>.</exception>
    /// <exception cref="IOException">It cannot be made; so with <see cref="UnauthorizedAccessException"/>.</exception>
    public static void Prepare(string folder)
    {
        // The one above as well where anybody may write to the one above that.
        var above = Path.GetDirectoryName(folder) ?? "/";
        if (above.StartsWith(Path.GetTempPath(), StringComparison.Ordinal) && Path.GetFileName(above).StartsWith("nomadstack-", StringComparison.Ordinal)) PrepareOne(above);
        PrepareOne(folder);
    }

    private static void PrepareOne(string folder)
    {
        // With its parents; those that are there stay as they are, and so does the folder itself.
        Directory.CreateDirectory(folder, OwnerOnly);
        var entry = FileEntry.At(folder) ?? throw new IOException($"{folder}: {Libc.LastError}");
        var user = Libc.GetEffectiveUserId();
        if (!entry.IsFolder) throw NotOurs(folder, "It is a symbolic link or no folder.");
        if (entry.Owner != user) throw NotOurs(folder, $"It belongs to user {entry.Owner}, and this is user {user}.");
        // Ours alone to change, since it is ours.
        if ((entry.Permissions & ForOthers) != 0) File.SetUnixFileMode(folder, OwnerOnly);
    }

    private static ProblemException NotOurs(string folder, string why) => new(new(
        "agent/run-folder",
        $"The folder {folder} cannot hold the agent's sockets.",
        why + " Whoever made it could answer in the agent's place.",
        "Remove it, or have its owner remove it; or give a shorter --data-dir, which then holds the sockets itself.")
    { Unsafe = true });
}
