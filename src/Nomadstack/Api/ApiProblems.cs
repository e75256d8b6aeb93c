// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Api;

/// <summary>What can go wrong between a command and its agent, in words for an operator.</summary>
internal static class ApiProblems
{
    public static Problem NotYourAgent(NodePaths paths) => new(
        AgentPresence.ProblemCode,
        NoAnswer(paths),
        "The socket belongs to the user that runs the agent. You are another user.",
        $"Run the command as that user, usually root: sudo nomadstack ... {Folder(paths)}");

    public static Problem SocketClosed(NodePaths paths, int pid) => new(
        AgentPresence.ProblemCode,
        NoAnswer(paths),
        $"An agent (pid {pid}) holds {paths.Data}, but its socket is not open. The agent is starting, stopping, or stuck.",
        $"Try again in a moment. If this stays, read the agent's log in {paths.Log}.");

    /// <param name="waitsFor">As the agent wrote it into its lock file.</param>
    public static Problem SocketNotYet(NodePaths paths, int pid, string waitsFor) => new(
        AgentPresence.ProblemCode,
        NoAnswer(paths),
        $"The agent (pid {pid}) has not opened it yet. First it has to {waitsFor}.",
        "It goes on by itself as soon as that is there.");

    public static Problem ConnectionLost(NodePaths paths, int pid) => new(
        AgentPresence.ProblemCode,
        NoAnswer(paths),
        $"The agent (pid {pid}) closed the connection. It may be restarting.",
        "Try again in a moment. The agent continues its work by itself.");

    public static Problem NoAgent(NodePaths paths) => new(
        AgentPresence.ProblemCode,
        NoAnswer(paths),
        $"No agent runs on the data folder {paths.Data}.",
        $"Start one: `nomadstack agent {Folder(paths)}`, or `nomadstack up {Folder(paths)}` in the foreground. To use another data folder, give --data-dir.");

    public static Problem NoFolder(NodePaths paths) => new(
        AgentPresence.ProblemCode,
        NoAnswer(paths),
        $"The data folder {paths.Data} does not exist, so no agent ever ran on it.",
        $"Name the agent's data folder with --data-dir or NOMADSTACK_DATA_DIR, or start an agent: `nomadstack up {Folder(paths)}`.");

    public static Problem NotAnswering(NodePaths paths, TimeSpan deadline) => new(
        "agent/not-answering",
        $"The agent behind {paths.AgentSocket} did not answer within {deadline.TotalSeconds:0} s.",
        "It accepts connections, but it is stuck, or gets no CPU time or no answer from its disk.",
        $"Read the agent's log in {paths.Log}. You may restart the agent: that does not interrupt any server.");

    public static Problem AgentFailed(NodePaths paths, string call, int status) => new(
        "agent/failed",
        $"The agent failed on {call} ({status}).",
        "This is a bug in the agent, or the agent has another version than this command.",
        $"Read the agent's log in {paths.Log}. `nomadstack version` prints the version of this command, `nomadstack status` the agent's.");

    public static Problem ForeignAnswer(NodePaths paths) => new(
        "agent/foreign-answer",
        $"The answer on {paths.AgentSocket} is not one that this command can read.",
        "The agent has another version, or another program listens there.",
        "Restart the agent with this binary. That does not interrupt any server.");

    public static Problem ProcessUnknown(string file) => new(
        "agent/processes-unknown",
        $"{file} does not name its process.",
        "The file cannot be read, or a newer nomadstack wrote it.",
        "Run this command as the user that runs the agent, with the agent's version of nomadstack.");

    public static Problem MalformedBody(string call, string? at) => new(
        "request/malformed",
        $"The body of {call} cannot be read.",
        $"It is not JSON of the expected form. The error is near {(string.IsNullOrEmpty(at) ? "its start" : at)}.",
        "Use the agent's version of nomadstack, or correct the request.");

    public static Problem UnknownOperation(string id) => new(
        "request/unknown-operation",
        $"There is no operation {id} on this node.",
        "The id is wrong, or the operation ended long ago and its record was deleted.",
        "`nomadstack status` shows the operations of this node.");

    private static string NoAnswer(NodePaths paths) => $"No agent answers on {paths.AgentSocket}.";

    private static string Folder(NodePaths paths) => $"--data-dir {paths.Data}";
}
