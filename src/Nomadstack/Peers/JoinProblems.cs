// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>How a join can fail, in words for an operator.</summary>
internal static class JoinProblems
{
    private const string SameVersion = "Run the same version of nomadstack on both nodes.";
    private const string AnotherToken = "Make another one with `nomadstack token create`.";

    public static Problem TokenDamaged(string why) => new(
        "join/malformed-token",
        "The join token is incomplete or damaged.",
        why,
        "Copy it again from `nomadstack token create`. It is one line.");

    public static Problem BadAddress(string text, string why) => new(
        "join/bad-address",
        $"\"{text}\" is not an address to join.",
        why,
        "Write HOST or HOST:PORT of any node of the cluster. Write an IPv6 address with a port as [ADDRESS]:PORT.");

    public static Problem BadRequest(string why) => new("join/bad-request", "The join request is not valid.", why, SameVersion);

    public static Problem BadKey() => new(
        "join/bad-request",
        "The join request has no usable public key.",
        "The key must be an ECDSA key on the curve P-256.",
        SameVersion);

    public static Problem DuplicateName(NodeEntry other) => new(
        "join/duplicate-name",
        $"The cluster already has a node named {other.Name}.",
        $"That node is at {other.Address} and has the id {other.Id}. Names are unique in a cluster.",
        $"Give this node another name. If the other node never returns, run `nomadstack node remove {other.Name}` first.");

    public static Problem AddressInUse(NodeEntry other) => new(
        "join/address-in-use",
        $"The cluster already has a node at {other.Address}.",
        $"{other.Name} ({other.Id}) has the same address and peer port {other.Ports.Peers}.",
        $"Give this node its own address with --bind. If the other node never returns, run `nomadstack node remove {other.Name}` first.");

    public static Problem UsedUp(string token, int uses) => new(
        "join/used-up",
        $"Token {token} was already used.",
        $"It lets in {(uses == 1 ? "one node" : $"{uses} nodes")}, and has done so.",
        "Make another token with `nomadstack token create`, for more nodes with --uses N.");

    public static Problem OlderRelease(NodeEntry held) => new(
        "join/older-release",
        $"Node {held.Name} ran a newer release before.",
        "The newer release signed its entry. Release 0.1.0 does not sign, so the other nodes would refuse the entry.",
        $"Run the newer release on this node again, or run `nomadstack node remove {held.Name}` and join it again.");

    public static Problem CannotBeClosed(string name) => new(
        "join/open-release",
        $"Node {name} runs release 0.1.0.",
        "This cluster is closed with TLS and access control, and that release can only run open servers and clients.",
        "Run this cluster's release of nomadstack on the node.");

    public static Problem UnknownToken(string id) => new(
        "join/unknown-token",
        "The cluster does not know this token.",
        $"No token has the id {id}.",
        "If the token was made just now, try again in a few seconds. Otherwise make one with `nomadstack token create`.");

    public static Problem WrongSecret(string id) => new(
        "join/wrong-secret",
        "The secret in the token is wrong.",
        $"The cluster knows token {id}, but with another secret.",
        "Copy the token again, or make one with `nomadstack token create`.");

    public static Problem Revoked(string id) => new("join/revoked", $"Token {id} was revoked.", "An operator revoked it.", AnotherToken);

    public static Problem Expired(string id, DateTimeOffset? end, DateTimeOffset now) => new(
        "join/expired",
        $"Token {id} has expired.",
        $"It was valid until {end:u}. Now it is {now:u}.",
        AnotherToken);

    public static Problem ClockSkew(DateTimeOffset joining, DateTimeOffset cluster, TimeSpan skew, TimeSpan most) => new(
        "join/clock-skew",
        $"The clocks of this node and the cluster differ by {skew.TotalMinutes:0} minutes.",
        $"This node's clock says {joining:u}, the cluster's says {cluster:u}. Certificates and tokens allow {most.TotalMinutes:0} minutes.",
        "Set both clocks (NTP), then try again.");

    public static Problem MembersClockOff(string name, string words) => new(
        "join/clock-off",
        $"{name} lets in no node while its clock is wrong.",
        $"Its clock is {words} those of most other nodes. A certificate that it issues would not be valid for them.",
        $"Join through another node, or set the clock of {name} (NTP).");

    public static Problem Cloned(NodeEntry held, string why) => new(
        "join/cloned",
        $"Another machine already is node {held.Id}.",
        $"The cluster knows this id as {held.Name} at {held.Address}, and {why}. The data folder is a copy, or the machine's image was made after its first start.",
        "On the copy, stop the agent, move its data folder away and join again. It then gets its own id.")
    { Unsafe = true };

    public static Problem Full(int most) => new(
        "join/full",
        "The cluster accepts no more nodes.",
        $"It keeps at most {most} nodes, including removed ones.",
        "Make a second cluster.");

    public static Problem WrongCluster(string clusterId) => new(
        "join/wrong-cluster",
        "This node is a member of another cluster.",
        $"It belongs to cluster {clusterId}. The token belongs to a cluster with another CA.",
        "Use a token of this node's cluster, or use another data folder. To move the node, remove it from its cluster and move its data folder away first.")
    { Unsafe = true };

    public static Problem Unreachable(JoinAddress at, string why) => new(
        "join/unreachable",
        $"{at} cannot be reached.",
        why,
        "Check the address. Check that an agent of the cluster runs there and that the network allows its peer port (4640 by default). You may name any node of the cluster.");

    public static Problem NoAnswer(JoinAddress at, TimeSpan deadline) => new(
        "join/no-answer",
        $"{at} accepts connections but did not answer within {deadline.TotalSeconds:0} s.",
        "The agent there is stuck, its machine is overloaded, or another program listens there.",
        "Check the load of that machine and the log of its agent, then try again. You may name any other node of the cluster.");

    public static Problem LargePacketsLost(JoinAddress at) => new(
        "join/large-packets-lost",
        $"Large packets between this machine and {at} are lost on the way.",
        $"The agent there answers when no packet is larger than {PeerProbe.SmallSegment} bytes, and nothing comes otherwise. Something between has a lower MTU than both machines, and the message that says so (ICMP \"fragmentation needed\", for IPv6 \"packet too big\") does not arrive.",
        "Let ICMP through, or set the MTU of this machine's interface to what the way allows (a tunnel takes 50 to 80 bytes of 1500). `ping -M do -s 1472 HOST` finds the largest packet that passes.");

    public static Problem NotAnAgent(JoinAddress at, string why) => new(
        "join/not-an-agent",
        $"The program that answers at {at} is not a nomadstack agent.",
        why,
        "Give the address of a cluster node and its peer port (4640 by default).");

    public static Problem WrongCa(JoinAddress at, string why) => new(
        "join/wrong-ca",
        $"{at} does not belong to the token's cluster.",
        $"{why} The secret of the token was not sent.",
        "Check the address, and make the token in the cluster that you join. If both are right, somebody may be intercepting the connection.")
    { Unsafe = true };

    public static Problem BadAnswer() => new(
        "join/bad-answer",
        "The cluster's answer to the join is not consistent.",
        "Its certificate, CA, key or membership is not the one that was requested.",
        "Run the same version of nomadstack on both nodes, then try again.");

    public static Problem KnownElsewhere(string cluster, string address, JoinAddress at, string caller) => new(
        "bootstrap/known-elsewhere",
        $"Cluster {cluster} has this machine as one of its nodes.",
        $"The agent at {at} calls {address} as its peer, but the data folder here is empty. The disk was replaced or wiped.",
        $"To join again: run `nomadstack node remove` for the old entry and `nomadstack token create` on {caller}, then `nomadstack agent --join {caller} --token-file F` here. To make a new cluster, remove the old entry there first.")
    { Unsafe = true };
}
