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

    public Func<ReadOnlyMemory<byte>> Snapshot()
    {
        var (count, last) = State;
        return () =>
        {
            var bytes = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(bytes, count);
            return (byte[])[.. bytes, .. Encoding.UTF8.GetBytes(last)];
        };
    }

    public void Restore(ReadOnlyMemory<byte> snapshot)
    {
        lock (_lock) _state = (BinaryPrimitives.ReadInt64LittleEndian(snapshot.Span), Encoding.UTF8.GetString(snapshot.Span[8..]));
    }
}
