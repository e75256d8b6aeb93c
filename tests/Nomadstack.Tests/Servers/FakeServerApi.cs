// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Products;

namespace Nomadstack.Tests.Servers;

/// <summary>A server that answers with a raft configuration given to it, or, without one, not at all.</summary>
internal sealed class FakeServerApi(string role, Uri http, Func<RaftConfiguration?> configuration) : IServerApi
{
    private static readonly RaftStats s_follower = new("Follower", 2, 10, 10, 10, 0, 3, []);

    public string Role => role;

    public string BaseAddress { get; } = http.ToString();

    public Task<Answer<AgentSelf>> AgentSelfAsync(TimeSpan deadline, CancellationToken cancel) =>
        From(new AgentSelf("1.0.0", true, "id", "name", "alive", s_follower, null, []));

    public Task<string?> LeaderAsync(bool stale, TimeSpan deadline, CancellationToken cancel) =>
        Task.FromResult(configuration()?.Leader?.Address);

    public Task<Answer<RaftConfiguration>> RaftConfigurationAsync(bool stale, TimeSpan deadline, CancellationToken cancel) => From(configuration()!);

    public Task<Answer<Done>> RemovePeerAsync(string id, TimeSpan deadline, CancellationToken cancel) => From(default(Done)!);

    public Task<LeadershipTransfer> TransferLeadershipAsync(string id, TimeSpan deadline, CancellationToken cancel) =>
        Task.FromResult<LeadershipTransfer>(new LeadershipTransfer.NotSupported());

    public Task<Answer<AutopilotHealth>> AutopilotHealthAsync(TimeSpan deadline, CancellationToken cancel) => From(new AutopilotHealth());

    public Task<Answer<AutopilotConfiguration>> GetAutopilotConfigurationAsync(TimeSpan deadline, CancellationToken cancel) => From(new AutopilotConfiguration([]));

    public Task<Answer<bool>> PutAutopilotConfigurationAsync(AutopilotConfiguration configuration, TimeSpan deadline, CancellationToken cancel) => From(true);

    public Task<Answer<Done>> BarrierAsync(TimeSpan deadline, CancellationToken cancel) => From(default(Done)!);

    public Task<Answer<IReadOnlyList<GossipMember>>> MembersAsync(TimeSpan deadline, CancellationToken cancel) => From<IReadOnlyList<GossipMember>>([]);

    public Task<Answer<Done>> ForceLeaveAsync(string member, bool prune, TimeSpan deadline, CancellationToken cancel) => From(default(Done)!);

    public Task<Answer<Done>> JoinAsync(string address, TimeSpan deadline, CancellationToken cancel) => From(default(Done)!);

    private Task<Answer<T>> From<T>(T value) =>
        Task.FromResult<Answer<T>>(configuration() is null ? new Answer<T>.Unreachable("nobody listens") : new Answer<T>.Ok(value));
}
