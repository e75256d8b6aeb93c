// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Text;
using Nomadstack.Engine.Raft;

namespace Nomadstack.Engine.Tests.Raft;

/// <summary>Remembers how many commands it has seen, and the last one.</summary>
internal sealed class CountingMachine : IStateMachine
{
    private readonly Lock _lock = new();
    private (long Count, string Last) _state = (0, "");

    public (long Count, string Last) State
    {
        get
        {
            lock (_lock) return _state;
        }
    }

    public object? Apply(long index, long term, ReadOnlyMemory<byte> command)
    {
        lock (_lock)
        {
            _state = (_state.Count + 1, Encoding.UTF8.GetString(command.Span));
            return _state.Count;
        }
    }

    public Action<Stream> Snapshot()
    {
        var (count, last) = State;
        return to =>
        {
            var bytes = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(bytes, count);
            to.Write([.. bytes, .. Encoding.UTF8.GetBytes(last)]);
        };
    }

    public void Restore(Stream snapshot)
    {
        var count = new byte[8];
        snapshot.ReadExactly(count);
        using var rest = new StreamReader(snapshot, Encoding.UTF8);
        lock (_lock) _state = (BinaryPrimitives.ReadInt64LittleEndian(count), rest.ReadToEnd());
    }
}
