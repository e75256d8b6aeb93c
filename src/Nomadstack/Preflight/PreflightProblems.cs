// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Cluster;

namespace Nomadstack.Preflight;

/// <summary>What can keep a node from starting on this machine, in words for an operator.</summary>
internal static class PreflightProblems
{
    public static Problem NotAnAddress(string text, string fix) => new(
        "preflight/bind-not-an-address",
        $"\"{text}\" is not an IP address.",
        "A node binds to one IP address. A name could resolve to another address after a restart.",
        fix);

    public static Problem AnyAddress(string address, string fix) => new(
        "preflight/bind-any",
        $"{address} means every address of this machine.",
        "Other nodes need one address at which they reach this node.",
        fix);

    public static Problem AddressNotHere(string address, string fix) => new(
        "preflight/bind-not-here",
        $"This machine does not have the address {address}.",
        "A node can only listen on an address of its own machine.",
        fix);

    public static Problem PortTwice(int port, IEnumerable<string> purposes) => new(
        "preflight/port-twice",
        $"Port {port} is planned for {string.Join(" and ", purposes)}.",
        "One port serves one purpose.",
        "Change one of them in node.json.");

    public static Problem PortTaken(int port, string address, string purpose, string holder) => new(
        "preflight/port-taken",
        $"Port {port} on {address} is in use. This node needs it for {purpose}.",
        $"The port is used by {holder}.",
        "Stop that process, or give this node other ports.");

    public static Problem NotWritable(string dataFolder, FolderProblem denied) => new(
        "preflight/data-not-writable",
        $"{dataFolder} cannot be used as the data folder.",
        $"The system says about {denied.Folder}: {denied.Why}.",
        "Run the command as a user who may write there, or choose another --data-dir.");

    public static Problem InMemory(string dataFolder, Mount mount) => new(
        "preflight/data-in-memory",
        $"{dataFolder} is on {mount.FileSystem} and would not survive a power cut.",
        $"{mount.Point} is in memory. A server that loses its raft data can cause the loss of the cluster's data.",
        "Choose a --data-dir on a disk.")
    { Unsafe = true };

    public static Problem ReadOnly(string dataFolder, Mount mount) => new(
        "preflight/data-read-only",
        $"{dataFolder} is on a file system that is mounted read-only.",
        $"{mount.Point} has the mount option ro.",
        "Mount it for writing, or choose another --data-dir.");

    public static Problem NoExec(string dataFolder, Mount mount) => new(
        "preflight/data-noexec",
        $"{dataFolder} is on a file system that does not run programs.",
        $"{mount.Point} has the mount option noexec. Nomad starts our task driver from the data folder.",
        "Mount it without noexec, or choose another --data-dir.");

    public static Problem DiskFull(string dataFolder, long free, long least) => new(
        "preflight/disk-full",
        string.Create(CultureInfo.InvariantCulture, $"Only {free >> 20} MiB are free for {dataFolder}."),
        string.Create(CultureInfo.InvariantCulture, $"A node needs at least {least >> 20} MiB to start. Servers stop when the disk is full."),
        "Free space there, or choose another --data-dir.");

    public static Problem Clock(DateTimeOffset now, DateTimeOffset earliest) => new(
        "preflight/clock",
        string.Create(CultureInfo.InvariantCulture, $"This machine's clock shows {now:yyyy-MM-dd}."),
        string.Create(CultureInfo.InvariantCulture, $"This program did not exist before {earliest:yyyy-MM-dd}. With a wrong clock, certificates and tokens are not yet valid."),
        "Set the clock, best with a time service, and start again.");
}
