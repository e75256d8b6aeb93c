// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;

namespace Nomadstack.Engine.State;

/// <summary>
/// The current snapshot, and those who wait for the next one. One writer applies commands in the order of the log; any number of readers
/// take the snapshot they find.
/// </summary>
internal sealed class StateStore
{
    private readonly Lock _gate = new();
    private readonly Signal _changed = new();
    private volatile StateSnapshot _current = StateSnapshot.Empty;

    public StateSnapshot Current => _current;

    /// <param name="index">Of the log entry; always higher than the last.</param>
    public Applied Apply(long index, Command command)
    {
        lock (_gate)
        {
            if (index <= _current.Index) throw new ArgumentOutOfRangeException(nameof(index), index, $"the state is already at {_current.Index}");
            var (next, result) = StateChange.Apply(_current, index, command);
            Publish(next);
            return result;
        }
    }

    /// <summary>
    /// A blocking query: the first snapshot in which <paramref name="indexOf"/> is above <paramref name="above"/>, or the one there is when the time is over.
    /// An index of 0 never waits.
    /// </summary>
    public async Task<StateSnapshot> WaitAsync(long above, Func<StateSnapshot, long> indexOf, TimeSpan deadline, TimeProvider time, CancellationToken cancel)
    {
        if (above <= 0 || deadline <= TimeSpan.Zero) return _current;
        using var over = new CancellationTokenSource(deadline, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(over.Token, cancel);
        while (true)
        {
            // The signal first: a change between the two would be missed the other way round.
            var (changed, snapshot) = (_changed.Next, _current);
            if (indexOf(snapshot) > above) return snapshot;
            try
            {
                await changed.WaitAsync(either.Token);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                return _current;
            }
        }
    }

    public static void Save(StateSnapshot snapshot, Stream to) => JsonSerializer.Serialize(to, StoredState.Of(snapshot), StateJson.Default.StoredState);

    /// <summary>Replaces everything, also when that takes the index back; all who wait look again.</summary>
    /// <exception cref="JsonException">The stream holds no snapshot of ours; the state is as it was.</exception>
    public void Restore(Stream from)
    {
        var stored = JsonSerializer.Deserialize(from, StateJson.Default.StoredState) ?? throw new JsonException("the snapshot is empty");
        var snapshot = stored.ToSnapshot();
        lock (_gate) Publish(snapshot);
    }

    /// <summary>Replaces everything as one more change, at <paramref name="index"/>: indexes go on, and every query that waits is answered.</summary>
    /// <exception cref="JsonException">The stream holds no snapshot of ours; the state is as it was.</exception>
    public void RestoreAt(long index, Stream from)
    {
        var stored = JsonSerializer.Deserialize(from, StateJson.Default.StoredState) ?? throw new JsonException("the snapshot is empty");
        var snapshot = stored.ToSnapshot();
        lock (_gate)
        {
            Publish(snapshot with
            {
                Index = index,
                Nodes = snapshot.Nodes.At(index),
                Jobs = snapshot.Jobs.At(index),
                JobVersions = snapshot.JobVersions.At(index),
                JobSummaries = snapshot.JobSummaries.At(index),
                Evaluations = snapshot.Evaluations.At(index),
                Allocations = snapshot.Allocations.At(index),
                Deployments = snapshot.Deployments.At(index),
                AclTokens = snapshot.AclTokens.At(index),
                AclPolicies = snapshot.AclPolicies.At(index),
            });
        }
    }

    private void Publish(StateSnapshot next)
    {
        _current = next;
        _changed.Raise();
    }
}
