// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Api;

internal static class SocketProblems
{
    public static Problem NotOurs(string socket, PeerCredentials peer) => new(
        "agent/not-ours",
        $"What answers on {socket} is another user's process.",
        $"It runs as user {peer.User} (pid {peer.Pid}), and this command as user {Libc.GetEffectiveUserId()}. Nothing was said to it.",
        "Find out what that process is; run the command as the agent's user.")
    { Unsafe = true };
}
