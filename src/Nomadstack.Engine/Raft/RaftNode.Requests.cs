// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;

namespace Nomadstack.Engine.Raft;

/// <summary>What can be asked of a running server. Each waits for as long as the caller's token allows; giving up a wait takes nothing back.</summary>
internal sealed partial class RaftNode
{
    /// <summary>Appends a command to the log, and answers when it is committed on a majority and applied here.</summary>
    public Task<RaftOutcome> ProposeAsync(ReadOnlyMemory<byte> command, CancellationToken cancel) => AskAsync(
        (core, answer) =>
        {
            if (command.Length > _options.MaxCommandBytes) answer.TrySetResult(new RaftOutcome.Refused($"A command has {command.Length} bytes; at most {_options.MaxCommandBytes} are allowed."));
            else if (core.Propose(command) is { } at) _proposals.Add(at.Index, (at.Term, answer));
            else answer.TrySetResult(core.IsTransferring ? new RaftOutcome.Refused("Leadership is being transferred.") : NotLeader(core));
        },
        cancel);

    /// <summary>Answers when everything that was committed anywhere before the call is applied here: what is read then is linearizable.</summary>
    public Task<RaftOutcome> ReadIndexAsync(CancellationToken cancel) => AskAsync(
        (core, answer) =>
        {
            _reads.Add(++_readId, answer);
            core.Read(_readId);
        },
        cancel);

    /// <summary>Adds a server that gets the log and has no vote, or changes a member's address.</summary>
    public Task<RaftOutcome> AddNonVoterAsync(string id, string address, CancellationToken cancel) => ChangeAsync(core => core.AddServer(id, address, promote: false), cancel);

    /// <summary>Adds a server and answers when it has caught up and has a vote.</summary>
    public async Task<RaftOutcome> AddVoterAsync(string id, string address, CancellationToken cancel)
    {
        var outcome = await ChangeAsync(core => core.AddServer(id, address, promote: true), cancel);
        if (outcome is not RaftOutcome.Done) return outcome;
        var status = await WaitUntilAsync(s => !s.Leads || (s.Configuration.IsVoter(id) && s.ConfigurationCommitted) || s.Configuration.Find(id) is null, cancel);
        return status.Configuration.IsVoter(id) && status.ConfigurationCommitted ? outcome
            : status.Leads ? new RaftOutcome.Refused($"{id} was removed before it had caught up.")
            : new RaftOutcome.Unknown($"{id} is a member; the next leader makes it a voter once it has caught up.");
    }

    /// <summary>Removes a server. A leader that removes itself leads until that is committed.</summary>
    public Task<RaftOutcome> RemoveAsync(string id, CancellationToken cancel) => ChangeAsync(core => core.RemoveServer(id), cancel);

    /// <summary>Gives leadership to a voter, the most advanced one when none is named. Answers when this server leads no more.</summary>
    public async Task<RaftOutcome> TransferLeadershipAsync(string? target, CancellationToken cancel)
    {
        var outcome = await AskAsync(
            (core, answer) => answer.TrySetResult(
                core.Role != RaftRole.Leader ? NotLeader(core)
                : core.TransferLeadership(target) is { } refusal ? new RaftOutcome.Refused(refusal)
                : new RaftOutcome.Done(core.Commit)),
            cancel);
        if (outcome is not RaftOutcome.Done) return outcome;
        var status = await WaitUntilAsync(s => !s.Leads || !s.Transferring, cancel);
        return status.Leads ? new RaftOutcome.Refused("The other server did not take over in time.") : outcome;
    }

    /// <summary>Takes a snapshot now and answers when it is durable, with the index it stands for.</summary>
    public async Task<RaftOutcome> SnapshotAsync(CancellationToken cancel)
    {
        Task<RaftOutcome>? snapshot = null;
        var begun = await AskAsync(
            (core, answer) =>
            {
                snapshot = BeginSnapshot();
                answer.TrySetResult(new RaftOutcome.Done(core.Applied));
            },
            cancel);
        return snapshot is null ? begun : await snapshot.WaitAsync(cancel);
    }

    /// <summary>Waits for a status.</summary>
    /// <exception cref="OperationCanceledException">The caller gave up, or the node was stopped.</exception>
    public Task<RaftStatus> WaitUntilAsync(Func<RaftStatus, bool> until, CancellationToken cancel)
    {
        var answer = NewAnswer<RaftStatus>();
        if (!_inputs.Writer.TryWrite(_ => _watchers.Add((until, answer)))) answer.TrySetCanceled(CancellationToken.None);
        return answer.Task.WaitAsync(cancel);
    }

    private Task<RaftOutcome> ChangeAsync(Func<RaftCore, ChangeAnswer> change, CancellationToken cancel) => AskAsync(
        (core, answer) =>
        {
            var changed = core.Role == RaftRole.Leader ? change(core) : null;
            if (changed?.Position is { } at) _proposals.Add(at.Index, (at.Term, answer));
            else answer.TrySetResult(changed?.Refusal is { } refusal ? new RaftOutcome.Refused(refusal) : NotLeader(core));
        },
        cancel);

    private Task<RaftOutcome> AskAsync(Action<RaftCore, TaskCompletionSource<RaftOutcome>> ask, CancellationToken cancel)
    {
        var answer = NewAnswer<RaftOutcome>();
        if (!_inputs.Writer.TryWrite(core => ask(core, answer))) answer.TrySetResult(new RaftOutcome.NotLeader(null));
        return answer.Task.WaitAsync(cancel);
    }

    private static TaskCompletionSource<T> NewAnswer<T>() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static RaftOutcome.NotLeader NotLeader(RaftCore core) => new(StatusOf(core) is { Leads: false } status ? status.LeaderServer : null);

    private static RaftStatus StatusOf(RaftCore core) => new(
        core.Role, core.Term, core.LeaderId, core.Last.Index, core.Commit, core.Applied, core.SnapshotIndex,
        core.Configuration, core.IsConfigurationCommitted, core.ContactAt, core.IsTransferring);

    /// <summary>Makes the new status known.</summary>
    private void Publish()
    {
        var (before, now) = (Status, StatusOf(_core));
        Status = now;
        if ((before.Role, before.Term, before.Leader) != (now.Role, now.Term, now.Leader))
        {
            if (before.Leads != now.Leads || (now.Leader is not null && before.Leader != now.Leader))
                _log.LogInformation("{Server} is now {Role} in term {Term}; the leader is {Leader}", Id, now.Role, now.Term, now.Leader ?? "not known");
            LeadershipChanged?.Invoke(now);
        }

        if (_watchers.Count == 0) return;
        foreach (var watcher in _watchers.Where(w => w.Until(now)).ToList())
        {
            watcher.Answer.TrySetResult(now);
            _watchers.Remove(watcher);
        }
    }
}
