// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>What the log is about. Called by one thread, and deterministic: the same commands make the same state on every server.</summary>
internal interface IStateMachine
{
    /// <returns>The answer for who proposed the command, on the server where it did.</returns>
    object? Apply(long index, long term, ReadOnlyMemory<byte> command);

    /// <summary>Holds on to the state as it is now, quickly. The function that is returned writes it out, on another thread and while commands go on.</summary>
    Action<Stream> Snapshot();

    /// <param name="snapshot">Holds it to its end, and nothing else.</param>
    void Restore(Stream snapshot);
}
