// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Raft;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Server;

/// <summary>What the log is about: commands, and now and then a whole state that an operator restores from a snapshot.</summary>
internal sealed class ServerState(TimeProvider time) : IStateMachine
{
    /// <summary>The first byte of an entry that replaces the state; a command begins with a brace.</summary>
    private const byte RestoreMark = 1;

    private static readonly TimeSpan s_sampleEvery = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_sampleFor = TimeSpan.FromDays(3);

    private readonly Lock _gate = new();
    private readonly List<(DateTimeOffset At, long Index)> _samples = [];

    public StateStore Store { get; } = new();

    public StateSnapshot Current => Store.Current;

    /// <summary>A command was applied. Called in the order of the log, on raft's loop: whoever listens must be quick.</summary>
    public event Action<Command, StateSnapshot>? Applied;

    /// <summary>The whole state is another.</summary>
    public event Action? Replaced;

    /// <summary>The entry that puts a saved state in the place of what there is.</summary>
    public static byte[] RestoreEntry(ReadOnlySpan<byte> saved) => [RestoreMark, .. saved];

    public static byte[] Save(StateSnapshot snapshot)
    {
        using var buffer = new MemoryStream();
        StateStore.Save(snapshot, buffer);
        return buffer.ToArray();
    }

    public object? Apply(long index, long term, ReadOnlyMemory<byte> command)
    {
        Sample(index);
        if (command.Span is [RestoreMark, ..])
        {
            using var saved = new MemoryStream(command[1..].ToArray());
            Store.RestoreAt(index, saved);
            Replaced?.Invoke();
            return new Applied.Done(index);
        }

        var decoded = Command.FromBytes(command.Span);
        var result = Store.Apply(index, decoded);
        if (result is State.Applied.Done) Applied?.Invoke(decoded, Store.Current);
        return result;
    }

    public Func<ReadOnlyMemory<byte>> Snapshot()
    {
        var snapshot = Store.Current;
        return () => Save(snapshot);
    }

    public void Restore(ReadOnlyMemory<byte> snapshot)
    {
        using var saved = new MemoryStream(snapshot.ToArray());
        Store.Restore(saved);
        Replaced?.Invoke();
    }

    /// <summary>The log's index at a time, as far as this server was there to see it; 0 before.</summary>
    public long IndexAt(DateTimeOffset at)
    {
        lock (_gate) return _samples.LastOrDefault(s => s.At <= at).Index;
    }

    private void Sample(long index)
    {
        var now = time.GetUtcNow();
        lock (_gate)
        {
            if (_samples.Count > 0 && now - _samples[^1].At < s_sampleEvery) return;
            _samples.Add((now, index));
            _samples.RemoveAll(s => now - s.At > s_sampleFor);
        }
    }
}
