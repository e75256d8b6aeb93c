// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>What a client node is refused, or a node that asks a client node for something.</summary>
internal static class ClientProblems
{
    public static Problem AskedAClientNode(string name) => new(
        "client/asked-client-node",
        $"{name} is a client node and cannot give anything to others.",
        "It has no keys and no secrets of the cluster.",
        "Nothing has to be done: the caller asks the next server node.");

    public static Problem NotKnownYet(string id) => new(
        "client/unknown",
        $"Node {id} is not known here yet.",
        "It was let in through another node, whose news has not arrived.",
        "Nothing has to be done: the caller asks again.");

    public static Problem ForClientsAlone(string name) => new(
        "client/is-server",
        $"{name} is a server node, and makes its credentials itself.",
        "Server nodes have the keys with which they are made.",
        "Nothing has to be done.");

    public static Problem OtherName(string name) => new(
        "client/other-name",
        $"The caller was not let in as {name}.",
        "Its certificate has another name than its entry in the membership. A node cannot change its name, so somebody may have the key of a client node.",
        "Remove that node with `nomadstack node remove`.")
    { Unsafe = true };

    public static Problem NameIsTaken(string name, string by) => new(
        "client/name-taken",
        $"A client node named {name} gets no credentials.",
        $"That is also {by}, and the products' agents are known by their names.",
        "Remove the client node and join it again with another --name.")
    { Unsafe = true };

    public static Problem TooOften(string name) => new(
        "client/too-often",
        $"{name} asks too often.",
        "One request a second is answered.",
        "Nothing has to be done: the node asks again later.");

    public static Problem Busy(string server) => new(
        "client/busy",
        $"{server} answers other client nodes now.",
        "Many ask at once, as after a power cut.",
        "Nothing has to be done: the node asks another server node, or again later.");

    public static Problem BadKeys(string why) => new(
        "client/bad-request",
        "The request for credentials is not valid.",
        why,
        "Run the same version of nomadstack on every node.");

    public static Problem NotRenewed(string why) => new(
        "client/not-renewed",
        "The peer certificate is not renewed.",
        why,
        "If this is about a node of yours, remove it and join it again.")
    { Unsafe = true };

    public static Problem NobodyAnswers(string what) => new(
        "client/nobody-answers",
        $"No server node gives this node {what}.",
        "No agent of a server node answers.",
        "Start the agent of a server node. `nomadstack node list` shows which answer.");

    /// <summary>Why an answer is a <see cref="BadAnswer"/>.</summary>
    public const string ForeignCertificate = "The certificate is not for this node's key, has ended, or is of an authority that is not known here.";

    public static Problem BadAnswer(string product, string why) => new(
        "client/bad-answer",
        $"What a server node gave this node for {product} cannot be used.",
        why,
        "Nothing has to be done if it passes: what the cluster believes may not have arrived here yet. Else run the same version of nomadstack on every node.");

    public static Problem NoTokens(string product, string why) => new(
        "client/no-tokens",
        $"There are no {product} tokens for the node now.",
        why,
        "Nothing has to be done once there is a leader: the node asks again.");
}
