// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Recovery;

/// <summary>Why no cluster is made from an archive, as a person reads it.</summary>
internal static class RestoreProblems
{
    public static Problem NotASnapshot(string path, string kind) => new(
        "restore/not-a-snapshot",
        $"{path} is a {kind}, not a snapshot of a cluster.",
        "It has keys and addresses, and no state of a product.",
        "Name a file that `nomadstack snapshot save` or the schedule wrote.");

    public static Problem OtherEngine(string path, string there, string here) => new(
        "restore/other-engine",
        $"{path} was made with the engine {there}, and this machine has {here}.",
        "One engine cannot read the other's state.",
        there == ClusterEngineEmbedded ? "Start the agent with --engine embedded." : "Put the program `nomad` on the PATH, or start the agent with --engine nomad.");

    public static Problem BadMembership(string path, string why) => new(
        "restore/bad-membership",
        $"The membership in {path} cannot be used.",
        why,
        "Take another archive. Nothing was changed.");

    public static Problem NoKey(string path, string why) => new(
        "restore/no-key",
        $"The recovery key in {path} cannot be read.",
        why.TrimEnd('.') + ".",
        "Give the key again: `nomadstack restore ARCHIVE --key FILE`.");

    public static Problem WrongPath(string path) => new(
        "restore/no-archive",
        $"There is no file {path}.",
        "The agent of this machine reads it, so the path must be absolute there.",
        "Copy the archive to this machine, and name its path.");

    private const string ClusterEngineEmbedded = "embedded";
}
