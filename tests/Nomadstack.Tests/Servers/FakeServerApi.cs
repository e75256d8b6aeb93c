// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Products;

namespace Nomadstack.Tests.Servers;

/// <summary>A server that answers with a view given to it, or, without one, not at all. What it is told to do it only counts.</summary>
internal sealed class FakeServerApi(string address, Func<RaftView?> view) : IServerApi
{
    public string BaseAddress { get; } = address;

    public Task<string?> LeaderAsync(TimeSpan deadline, CancellationToken cancel) => Task.FromResult(view()?.LeaderAddress);

    public Task<RaftStanding?> StandingAsync(CancellationToken cancel) => Task.FromResult<RaftStanding?>(view());

    public Task<RaftView?> ObserveAsync(CancellationToken cancel) => Task.FromResult(view());

    public Task<Readiness> ReadinessAsync(CancellationToken cancel) =>
        Task.FromResult(view() switch { null => Readiness.Down, { HasLeader: true } => Readiness.Ready, _ => Readiness.Leaderless });

    public Task<Answer<Done>> BarrierAsync(TimeSpan deadline, CancellationToken cancel) => From(default(Done));

    public Task<LeadershipTransfer> TransferLeadershipAsync(string id, TimeSpan deadline, CancellationToken cancel) =>
        Task.FromResult<LeadershipTransfer>(new LeadershipTransfer.NotSupported());

    public Task<Answer<Done>> RemovePeerAsync(string id, TimeSpan deadline, CancellationToken cancel) => From(default(Done));

    public Task<bool> NamesMemberAsync(string member, TimeSpan deadline, CancellationToken cancel) => Task.FromResult(false);

    public Task<Answer<Done>> ForgetMemberAsync(string member, bool prune, TimeSpan deadline, CancellationToken cancel) => From(default(Done));

    public Task<bool> KeepQuorumAsync(int voters, TimeSpan deadline, CancellationToken cancel) => Task.FromResult(false);

    public Task<IReadOnlyList<SeenClient>> ClientsAsync(TimeSpan deadline, CancellationToken cancel) => Task.FromResult<IReadOnlyList<SeenClient>>([]);

    public Task<Answer<long>> SaveSnapshotAsync(Stream to, TimeSpan deadline, CancellationToken cancel) => From(0L);

    public Task<Answer<StateCounts>> CountAsync(TimeSpan deadline, CancellationToken cancel) => From(new StateCounts(0, new Dictionary<string, long>()));

    public Task<string?> VersionAsync(CancellationToken cancel) => Task.FromResult<string?>(null);

    public Task<Answer<Done>> RestoreSnapshotAsync(Stream from, TimeSpan deadline, CancellationToken cancel) => From(default(Done));

    private Task<Answer<T>> From<T>(T value) =>
        Task.FromResult<Answer<T>>(view() is null ? new Answer<T>.Unreachable("nobody listens") : new Answer<T>.Ok(value));
}
