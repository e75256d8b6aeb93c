// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Snapshots;

/// <summary>Why a snapshot was not taken, not proved or not restored.</summary>
internal static class SnapshotProblems
{
    private const string Again = "The agent tries again by itself. See `nomadstack status`.";

    public static Problem NoKey() => new("snapshot/no-key", "This node does not have the cluster's recovery key.", "It has just joined, or another server node is making the key now.", Again);

    public static Problem NotSaved(Product product, string complaint) => new("snapshot/not-saved", $"{product.Title}'s state was not saved.", Sentence(complaint), Again);

    public static Problem Empty(Product product) => new("snapshot/empty", $"{product.Title} sent an empty snapshot.", "It answered with success and 0 bytes.", Again);

    public static Problem Unreadable(Product product, string why) => new("snapshot/unreadable", $"What {product.Title} sent is no snapshot that can be restored.", Sentence(why), Again);

    public static Problem Older(Product product, long index, long before) => new(
        "snapshot/older", $"{product.Title} sent a snapshot that is older than its state.", string.Create(CultureInfo.InvariantCulture, $"Its index is {index}, and index {before} was there before it was asked for."), Again);

    public static Problem NoRoom(DiskSpace disk) => new(
        "snapshot/disk", "No snapshot is taken, because the disk is nearly full.", $"{disk.InWords()}; the servers need that.", "Free space on the disk. Snapshots then go on by themselves.");

    public static Problem ThrowAway(Product product, string complaint) => new(
        "snapshot/throw-away", $"The {product.Title} server in which snapshots are proved did not do its part.", Sentence(complaint), $"See its log, {product.Name}-throw-away.log in the data folder's log. " + Again);

    public static Problem Differs(Product product, string kind, long found, long expected) => new(
        "snapshot/differs", $"{product.Title}'s snapshot does not hold what it should.", string.Create(CultureInfo.InvariantCulture, $"After it was restored there were {found} {kind}, and the cluster had {expected}."), Again);

    public static Problem OlderRestored(Product product, long found, long expected) => new(
        "snapshot/differs", $"{product.Title}'s snapshot does not hold what it should.", string.Create(CultureInfo.InvariantCulture, $"After it was restored the index was {found}, and the snapshot's is {expected}."), Again);

    public static Problem NoSuch(string name) => new("snapshot/unknown", $"There is no snapshot {name}.", "It is neither a file nor the name of a snapshot on this node.", "`nomadstack snapshot list` shows the names.");

    public static Problem NotHere() => new("snapshot/not-here", "This node has no snapshots.", "It is a client node, or not a member of a cluster.", "Run the command on a server node. `nomadstack node list` shows them.");

    public static Problem UnderWay(string operation) => new("snapshot/under-way", "Another snapshot or restore is under way on this node.", $"Operation {operation} is not done yet.", "`nomadstack status` shows what it waits for. Run the command again when it is done.");

    public static Problem CopyDiffers(string name, string from) => new("snapshot/copy-differs", $"The copy of snapshot {name} is not the same as the original.", $"What came from {from} does not match its sum.", "The copy was deleted, and is made again by itself. Check that disk.");

    public static Problem Target(string target, string why) => new("snapshot/target", $"{target} does not take copies of snapshots.", Sentence(why), "Check that it is there, has room, and may be read and written.");

    public static Problem BadTarget(string target, string why) => new("snapshot/bad-target", $"{target} is no place for snapshots.", Sentence(why), "Give folder:/PATH, or s3://BUCKET/PREFIX?endpoint=URL&region=REGION.");

    public static Problem BadCredentials() => new("snapshot/bad-credentials", "The file has no credentials for a bucket.", "There is no aws_access_key_id or no aws_secret_access_key in its profile default.", "Give a file with these two lines, as other tools for S3 read it.");

    public static Problem NeedsConsent() => new(
        "snapshot/needs-consent", "Nothing was restored.", "A restore takes back everything that was written since the snapshot, and stops the tasks of jobs that were made since.",
        "See `nomadstack snapshot restore NAME --plan`, then run it with --yes.")
    { Unsafe = true };

    public static Problem NotRestored(Product product, string complaint) => new("snapshot/not-restored", $"{product.Title}'s state was not restored.", Sentence(complaint), "See `nomadstack status`. The restore goes on by itself when there is a leader.");

    private static string Sentence(string text) => text.Length == 0 ? "It gave no reason." : $"{char.ToUpperInvariant(text[0])}{text[1..].TrimEnd('.')}.";
}
