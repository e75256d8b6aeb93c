// SPDX-License-Identifier: MPL-2.0

namespace Nomadstack.Driver;

/// <summary>An allocation's claim on the server of one role on this node. The server belongs to the node; the claim is temporary.</summary>
/// <param name="TaskId">Nomad's task id, <c>ALLOC/TASK/SUFFIX</c>; new at every StartTask, the same at RecoverTask.</param>
/// <param name="Version">The version of the product that the job asks for; null for the node's own choice.</param>
internal sealed record ServerClaim(string TaskId, string AllocId, string TaskName, string JobId, string Role, string? Version);

/// <summary>What the task driver asks of the servers of this node. Each call may be repeated with the same arguments.</summary>
internal interface IServerHost
{
    /// <summary>The roles whose servers this node can run.</summary>
    IReadOnlyCollection<string> Roles { get; }

    /// <summary>
    /// Claims the server of <see cref="ServerClaim.Role"/>: adopts the running process if its spec is the same, starts it if none runs,
    /// and changes it through a hand-over if the spec differs. Replaces an older claim on the same role, whose <see cref="ReleasedAsync"/> then completes.
    /// Returns when the process runs.
    /// </summary>
    /// <exception cref="Cluster.ProblemException">The role is unknown, or the server cannot be started.</exception>
    Task ClaimAsync(ServerClaim claim, CancellationToken cancel);

    /// <summary>Releases the claim (StopTask). The process lingers until the cluster no longer needs it. Unknown task ids are ignored.</summary>
    Task ReleaseAsync(string taskId, CancellationToken cancel);

    /// <summary>Completes when the claim has ended, by release or by a newer claim. A crash of the process does not end a claim: the agent restarts it.</summary>
    Task ReleasedAsync(string taskId, CancellationToken cancel);

    /// <summary>Whether the claim is held now.</summary>
    bool Holds(string taskId);

    /// <summary>Pid of the server of this role, or null while none runs.</summary>
    int? Pid(string role);

    /// <summary>The file with the standard output and error of the server of this role.</summary>
    string LogFile(string role);

    /// <summary>Sends a signal by number to the server of this role.</summary>
    /// <exception cref="Cluster.ProblemException">No such process, or a signal that would stop the server (stopping goes through ReleaseAsync).</exception>
    void Signal(string role, int signal);

    /// <summary>Task events ("server restarted after exit 1") for present claims. One reader gets all events from its call on.</summary>
    IAsyncEnumerable<ServerEvent> EventsAsync(CancellationToken cancel);
}

/// <summary>One line in the events of the claiming allocation.</summary>
internal sealed record ServerEvent(ServerClaim Claim, DateTimeOffset At, string Message);
