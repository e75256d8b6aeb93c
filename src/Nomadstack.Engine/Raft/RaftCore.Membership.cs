// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>What became of a wish for a change: the entry that makes it, or why it was refused.</summary>
internal sealed record ChangeAnswer(LogPosition? Position, string? Refusal);

/// <summary>The membership, changed by one server at a time, and leadership given away.</summary>
internal sealed partial class RaftCore
{
    private (string Target, TimeSpan Deadline, bool Told)? _transfer;

    public bool IsTransferring => _transfer is not null;

    /// <summary>Adds a server that has no vote yet, or takes a new address down. <paramref name="promote"/>: it becomes a voter once it has caught up.</summary>
    public ChangeAnswer AddServer(string id, string address, bool promote)
    {
        var suffrage = Configuration.Find(id)?.Suffrage == Suffrage.Voter ? Suffrage.Voter : promote ? Suffrage.Staging : Suffrage.NonVoter;
        return Change(Configuration.With(new(id, address, suffrage)));
    }

    /// <summary>Removes a server. A leader may remove itself: it leads until that is committed, and then sees to a successor.</summary>
    public ChangeAnswer RemoveServer(string id) =>
        Configuration.Find(id) is null ? new(null, $"{id} is not a member.")
        : Configuration.IsVoter(id) && Configuration.Voters.Count() == 1 ? new(null, $"{id} is the last voter.")
        : Change(Configuration.Without(id));

    /// <summary>Gives leadership to a voter, the most advanced one when none is named. New proposals are refused until it has it, or gives up after a while.</summary>
    /// <returns>Why not, or null.</returns>
    public string? TransferLeadership(string? target)
    {
        if (Role != RaftRole.Leader) return "This server is not the leader.";
        if (_transfer is not null) return "A leadership transfer is already in progress.";
        target ??= BestSuccessor()?.Id;
        if (target is null || target == Id || !Configuration.IsVoter(target)) return $"{target ?? "No other server"} is not another voter.";
        _transfer = (target, _now + (_options.ElectionTimeout * 2), Told: false);
        HandOverWhenCaughtUp();
        return null;
    }

    private Progress? BestSuccessor() =>
        _progress.Values.Where(p => Configuration.IsVoter(p.Id)).OrderByDescending(p => p.Match).ThenByDescending(p => p.Contact).FirstOrDefault();

    private void HandOverWhenCaughtUp()
    {
        if (_transfer is not { Told: false } transfer || _progress.GetValueOrDefault(transfer.Target)?.Match != _log.Last.Index) return;
        _transfer = transfer with { Told = true };
        Send(new TimeoutNow(Id, transfer.Target, Term));
    }

    /// <summary>
    /// One change at a time, and none before something of this term is committed: only then do two majorities always have a server in common.
    /// </summary>
    private ChangeAnswer Change(RaftConfiguration configuration)
    {
        if (Role != RaftRole.Leader) return new(null, "This server is not the leader.");
        if (_transfer is not null) return new(null, "Leadership is being transferred.");
        if (!HasCommittedInTerm || _configurations.LatestIndex > Commit) return new(null, "An earlier membership change is not committed yet.");
        var position = AppendOwn(EntryKind.Configuration, configuration.Encode());
        FollowConfiguration();
        AdvanceCommit();
        return new(position, null);
    }

    /// <summary>Keeps progress for exactly the other members.</summary>
    private void FollowConfiguration()
    {
        foreach (var server in Configuration.Servers.Where(s => s.Id != Id))
            if (!_progress.ContainsKey(server.Id)) _progress.Add(server.Id, new(server.Id, _log.Last.Index + 1, _now));
        foreach (var gone in _progress.Values.Where(p => Configuration.Find(p.Id) is null).ToList())
        {
            // The last it hears from us is that it was let go: one that waits for that need not wait in vain.
            Replicate(gone);
            _progress.Remove(gone.Id);
        }

        // With it its share in a hand-over is gone too.
        if (_transfer is { } transfer && !_progress.ContainsKey(transfer.Target)) _transfer = null;
    }

    private void PromoteWhenCaughtUp(Progress follower)
    {
        if (Configuration.Find(follower.Id) is not { Suffrage: Suffrage.Staging } server || follower.Match < Commit || follower.Match < _firstOfTerm) return;
        // Refused while another change is under way: the next answer tries again.
        Change(Configuration.With(server with { Suffrage = Suffrage.Voter }));
    }

    /// <returns>True when this server has committed its own removal and leads no more.</returns>
    private bool LeaveWhenRemoved()
    {
        if (_configurations.LatestIndex > Commit || Configuration.IsVoter(Id)) return false;
        if (BestSuccessor() is { } successor) Send(new TimeoutNow(Id, successor.Id, Term));
        Resign();
        return true;
    }
}
