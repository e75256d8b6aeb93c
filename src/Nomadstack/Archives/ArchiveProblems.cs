// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Archives;

/// <summary>Why an archive cannot be used. Nothing was changed where one of these is told.</summary>
internal static class ArchiveProblems
{
    private const string Another = "Use another archive: `nomadstack snapshot list` shows those of this cluster.";

    public static Problem Foreign(string name) => new("archive/foreign", $"{name} is not an archive of nomadstack.", "It does not begin as one.", "Name the file that `nomadstack snapshot save` or `nomadstack kit export` has written.") { Lasting = true };

    public static Problem Truncated(string name) => new("archive/truncated", $"{name} is not whole.", "It ends before its end: a copy of it was cut off, or a disk was full.", Another) { Lasting = true };

    public static Problem Corrupted(string name, string why) => new("archive/corrupted", $"{name} is damaged.", why, Another) { Lasting = true };

    public static Problem WrongKey(string name) => new(
        "archive/wrong-key", $"{name} does not open with this key.", "The key is another cluster's, an older one, or the first bytes of the file are damaged.",
        "Give the recovery key of the cluster that made it. `nomadstack snapshot key` shows it on a server node; the kit of `nomadstack kit export` contains it.")
    { Lasting = true };

    public static Problem BadKey() => new(
        "archive/bad-key", "This is not a recovery key.", "A recovery key has six groups of five characters, the last four of which check the others.",
        "Compare it with the key that was written down, character by character.")
    { Lasting = true };

    public static Problem NewerFormat(string name, int format, int known) => new(
        "archive/newer-format", $"{name} was made by a newer nomadstack.", $"Its format is {format}. This version reads formats up to {known}.",
        "Use the version of nomadstack that made it, or a newer one.")
    { Lasting = true };

    public static Problem NewerProduct(string name, string product, string there, string here) => new(
        "archive/newer-product", $"{name} holds the state of {product} {there}, and {product} {here} is here.",
        "An older version does not know all that a newer one writes, and its leader ends when it reads that.",
        $"Install {product} {there} or newer first.")
    { Lasting = true, Unsafe = true };

    public static Problem OtherCluster(string name, string theirs, string ours) => new(
        "archive/other-cluster", $"{name} is of another cluster.", $"It is of cluster {theirs}, and this node belongs to cluster {ours}.",
        "To restore it, use blank machines. " + Another)
    { Lasting = true, Unsafe = true };

    public static Problem Lacks(string name, string what) => new("archive/incomplete", $"{name} does not contain {what}.", "It was made without it.", Another) { Lasting = true };

    public static Problem Unreadable(string name, string why) => new("archive/unreadable", $"{name} cannot be read.", why, "Check the path, and that you may read the file.");
}
