// SPDX-License-Identifier: MPL-2.0
using System.IO.Compression;
using Nomadstack.Engine.Raft;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Server;

/// <summary>What the log is about: commands, and now and then a whole state that an operator restores from a snapshot.</summary>
internal sealed class ServerState(TimeProvider time) : IStateMachine
{
    /// <summary>The first byte of an entry that replaces the state; a command begins with a brace.</summary>
    private const byte RestoreMark = 1;

    /// <summary>As <see cref="RestoreMark"/>, packed by gzip. Release 0.1.0 does not read it, and refused a state of that size.</summary>
    private const byte PackedRestoreMark = 2;

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
    /// <param name="limit">Of an entry, in bytes; a state that is longer is packed, and may then be longer still.</param>
    public static byte[] RestoreEntry(ReadOnlySpan<byte> saved, int limit)
    {
        if (saved.Length < limit) return [RestoreMark, .. saved];
        using var packed = new MemoryStream();
        packed.WriteByte(PackedRestoreMark);
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true)) gzip.Write(saved);
        return packed.ToArray();
    }

    public object? Apply(long index, long term, ReadOnlyMemory<byte> command)
    {
        Sample(index);
        if (command.Span is [RestoreMark or PackedRestoreMark, ..])
        {
            using var saved = new MemoryStream(command[1..].ToArray());
            using Stream state = command.Span[0] == PackedRestoreMark ? new GZipStream(saved, CompressionMode.Decompress) : saved;
            Store.RestoreAt(index, state);
            Replaced?.Invoke();
            return new Applied.Done(index);
        }

        var decoded = Command.FromBytes(command.Span);
        var result = Store.Apply(index, decoded);
        if (result is State.Applied.Done) Applied?.Invoke(decoded, Store.Current);
        return result;
    }

    public Action<Stream> Snapshot()
    {
        var snapshot = Store.Current;
        return to => StateStore.Save(snapshot, to);
    }

    public void Restore(Stream snapshot)
    {
        Store.Restore(snapshot);
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
