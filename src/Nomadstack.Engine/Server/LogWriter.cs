// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Raft;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Server;

/// <summary>Brings commands into the log, and answers when they are applied here.</summary>
internal sealed class LogWriter(RaftHost raft)
{
    /// <returns>The index of the command.</returns>
    /// <exception cref="ServerException">It does not fit the state, or what became of it is not known.</exception>
    /// <exception cref="NotLeaderException">Nothing was done.</exception>
    public Task<long> ApplyAsync(Command command, CancellationToken cancel) => WriteAsync(command.ToBytes(), cancel);

    /// <summary>Replaces the state by a saved one.</summary>
    public Task<long> RestoreAsync(ReadOnlyMemory<byte> saved, CancellationToken cancel) =>
        WriteAsync(ServerState.RestoreEntry(saved.Span, new RaftOptions().MaxCommandBytes), cancel);

    /// <summary>As <see cref="ApplyAsync"/>, for a command of which it is no failure that the state refuses it.</summary>
    /// <returns>Whether it was taken, and its index.</returns>
    public async Task<(bool Taken, long Index)> TryApplyAsync(Command command, CancellationToken cancel)
    {
        var done = await ProposeAsync(command.ToBytes(), cancel);
        return (done.Result is not Applied.Refused, done.Index);
    }

    private async Task<long> WriteAsync(byte[] entry, CancellationToken cancel)
    {
        var done = await ProposeAsync(entry, cancel);
        return done.Result is Applied.Refused refused ? throw ServerException.Failed(refused.Reason) : done.Index;
    }

    private async Task<RaftOutcome.Done> ProposeAsync(byte[] entry, CancellationToken cancel)
    {
        if (raft.Node is not { } node) throw new NotLeaderException();
        return await node.ProposeAsync(entry, cancel) switch
        {
            RaftOutcome.Done done => done,
            RaftOutcome.NotLeader => throw new NotLeaderException(),
            RaftOutcome.Refused refused => throw ServerException.Failed(refused.Why),
            RaftOutcome.Unknown unknown => throw ServerException.Failed($"leadership lost while committing log: {unknown.Why}"),
            var other => throw new InvalidOperationException(other.ToString()),
        };
    }
}
