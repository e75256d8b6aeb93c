// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Doctor;

/// <summary>What the doctor can find, in words for an operator.</summary>
internal static class DoctorProblems
{
    private const string WhatFills = "Find what takes the space: `du -xh MOUNT | sort -h | tail`. The data of jobs is below nomad/client/data/alloc in the data folder. Stop such a job, or give it a disk of its own.";

    public static Problem NotAnswering(TimeSpan deadline, string logs) => new(
        "agent/not-answering",
        "The agent does not answer.",
        $"Its socket is open, but there was no answer within {deadline.TotalSeconds:0} s. The agent is stuck or gets no CPU time.",
        $"Read the agent's log in {logs}. You may restart the agent: that does not interrupt any server.");

    public static Problem NotHealthy(ClusterStatus cluster) => new(
        "cluster/" + cluster.State,
        $"The cluster is {cluster.State}.",
        cluster.Reason.Length > 0 ? $"{char.ToUpperInvariant(cluster.Reason[0])}{cluster.Reason[1..]}." : "",
        "Follow it with `nomadstack status --watch`. docs/troubleshooting.md explains the reasons.");

    public static Problem NoAddress() => new(
        "node/no-address",
        "This machine has no address that other machines could reach.",
        "It has no default route, so no interface can be chosen.",
        "Name an address with --bind IP. Without one, `nomadstack up` uses 127.0.0.1 and makes a cluster of this machine alone.");

    /// <summary>A member needs no person for it.</summary>
    public static Problem AddressAway(Problem missing) => missing with
    {
        Fix = "The agent waits for it. One that was started without --bind goes by another address of the machine after a while: the cluster finds the node there, and nothing has to be typed. One that was started with it waits until the address is there, or until it is started with another.",
    };

    public static Problem DiskLow(string folder, DiskSpace disk) => new(
        "doctor/disk-low",
        $"The disk of {folder} fills up.",
        $"{char.ToUpperInvariant(disk.InWords()[0])}{disk.InWords()[1..]}. When it is full, raft cannot write and this node's servers stop.",
        WhatFills);

    public static Problem DiskShort(string folder, DiskSpace disk) => new(
        "doctor/disk-short",
        $"The disk of {folder} is nearly full.",
        $"{char.ToUpperInvariant(disk.InWords()[0])}{disk.InWords()[1..]}. When it is full, raft cannot write and this node's servers stop. Our own logs are already kept small.",
        WhatFills);

    public static Problem PeerAway(string name, string at) => new(
        "doctor/peer-away",
        $"No connection to {name} ({at}) can be made.",
        "Its machine or agent is off, or something on the way refuses or drops the connection.",
        "If that machine is meant to run, start its agent, and let its peer port through.");

    public static Problem PeerSilent(string name, string at) => new(
        "doctor/peer-silent",
        $"{name} ({at}) accepts a connection and says nothing.",
        "Its agent is stuck, its machine is overloaded, or another program listens there. Small packets fare no better, so it is not the MTU.",
        "Look at the load of that machine and at the log of its agent.");

    public static Problem GossipDeaf(string name, IReadOnlyList<string> ports) => new(
        "doctor/gossip-deaf",
        $"{name} does not answer gossip over UDP at {string.Join(" and ", ports)}.",
        "The same ports are open for TCP. Something on the way drops UDP, or loses packets of 1400 bytes.",
        "Let UDP through at the same ports as TCP. Without it, nodes take each other for failed now and then.");

    public static Problem SlowDisk(string time) => new(
        "doctor/slow-disk",
        $"A small write takes {time} to be safe on this disk.",
        "Every write to the cluster waits for the disks of a majority of its servers. Under load, a raft election may time out.",
        "Choose a --data-dir on a faster disk. Best is an SSD whose cache survives a power cut.");

    public static Problem ClockOff(string words) => new(
        "doctor/clock-off",
        $"{char.ToUpperInvariant(words[0])}{words[1..]}.",
        "Its certificates and tokens are not valid for them, or theirs for it. This node renews its own certificate and lets nodes join only when its clock is right.",
        "Set the clock, best with a time service (NTP).");

    public static Problem ClocksApart(string words) => new(
        "doctor/clocks-apart",
        $"{char.ToUpperInvariant(words[0])}{words[1..]}.",
        "Nodes whose clocks are minutes apart refuse each other's tokens and certificates.",
        "Find out whose clock is wrong, and set it, best with a time service (NTP).");

    public static Problem ClockNotKept() => new(
        "doctor/clock-not-kept",
        "No time service sets this machine's clock.",
        "The kernel says that the clock is not synchronized. Nodes whose clocks are minutes apart refuse each other's tokens and certificates.",
        "Run a time service: systemd-timesyncd, chrony or ntpd. If this is a virtual machine or container whose host sets the clock, there is nothing to do.");

    public static Problem KernelTooOld(Version kernel) => new(
        "agent/kernel-too-old",
        $"This kernel is Linux {kernel.ToString(3)}.",
        "The agent watches processes that are not its children. That needs Linux 5.4.",
        "Run a kernel of 5.4 or later.");

    public static Problem CgroupsClosed(string nomad) => new(
        "doctor/cgroups-closed",
        $"Nomad {nomad} cannot start a client here.",
        "As root, Nomad makes its own control groups. Those of this container are read-only or cannot be divided.",
        "Start the container with the host's control groups (--privileged --cgroupns=host), run the agent as a user other than root, or use Nomad 1.6.");

    public static Problem NoCgroups() => new(
        "doctor/no-cgroups",
        "No control groups are mounted.",
        "/sys/fs/cgroup is empty, so Nomad cannot limit its tasks or clean up after them. Only the raw_exec driver works.",
        "Mount the control groups (systemd does this at boot). Start a container with the host's cgroup namespace.");

    public static Problem FewOpenFiles(long limit) => new(
        "doctor/few-open-files",
        string.Create(CultureInfo.InvariantCulture, $"A process here may have only {limit} open files."),
        "A server has one open file for each client and log. At the limit it refuses connections.",
        "Raise the hard limit: LimitNOFILE=65536 in the unit, or `ulimit -n` in the shell that starts the agent.");

    public static Problem LittleMemory(string free, string little) => new(
        "doctor/little-memory",
        $"Only {free} of memory are free for an agent.",
        $"Nomad and Consul with their servers take half of {little} when idle. Your jobs need more on top.",
        "Stop something, add memory, or leave Consul out with --no-consul.");

    public static Problem OtherAgents(int count, IEnumerable<string> named, int more) => new(
        "doctor/other-agents",
        $"{(count == 1 ? "Another agent runs" : string.Create(CultureInfo.InvariantCulture, $"{count} other agents run"))} on this machine.",
        string.Join("; ", named) + (more > 0 ? string.Create(CultureInfo.InvariantCulture, $"; and {more} more.") : "."),
        "Stop the agents that you do not need. Two stacks on one host need different ports and data folders.");
}
