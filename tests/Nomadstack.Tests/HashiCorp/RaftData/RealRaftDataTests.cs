// SPDX-License-Identifier: MPL-2.0
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Nomadstack.Consul;
using Nomadstack.HashiCorp.RaftData;
using Nomadstack.Nomad;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.HashiCorp.RaftData;

/// <summary>What real servers write, read while they run and afterwards, against what they say themselves. Skipped where there is no such program.</summary>
public sealed class RealRaftDataTests : IDisposable
{
    private const int Sigterm = 15;
    private static readonly HttpClient s_http = new();

    private readonly TemporaryFolder _folder = new();
    private string _address = "";

    public void Dispose() => _folder.Dispose();

    [SkippableFact]
    public async Task WhatANomadServerSaysIsOnItsDisk()
    {
        Skip.IfNot(RealAgent.Has("nomad"), "no nomad program on PATH");
        var ports = Role.FreePorts(RealAgent.FreePort, Role.Nomad);
        _address = $"http://127.0.0.1:{ports.Of("nomadServerHttp")}";
        var site = Role.Site(Role.Nomad, _folder.Sub("s"), ports, "127.0.0.1");
        var configuration = (NomadServerConfig.For(site, []) with { Bootstrap = true }).Render();
        var raft = Path.Combine(site.DataFolder, "server", "raft");

        await CompareAsync("nomad", configuration, raft, "stats", "/v1/operator/snapshot", async number =>
        {
            // Some entries are larger than a page.
            var job = $$$"""{"Job":{"ID":"job{{{number}}}","Name":"job{{{number}}}","Type":"batch","Datacenters":["dc1"],"Meta":{"filler":"{{{new string('x', 500 * number)}}}"},"TaskGroups":[{"Name":"g","Tasks":[{"Name":"t","Driver":"raw_exec","Config":{"command":"/bin/true"}}]}]}}""";
            using var content = new StringContent(job, Encoding.UTF8, "application/json");
            (await s_http.PostAsync(_address + "/v1/jobs", content)).EnsureSuccessStatusCode();
        });
    }

    [SkippableFact]
    public async Task WhatAConsulServerSaysIsOnItsDisk()
    {
        Skip.IfNot(RealAgent.Has("consul"), "no consul program on PATH");
        var version = (await new ProgramProbe(TimeProvider.System).ProbeAsync(Role.Row(Role.Consul), null, null, null, default)).OrThrow().Version;
        var ports = Role.FreePorts(RealAgent.FreePort, Role.Consul);
        _address = $"http://127.0.0.1:{ports.Of("consulServerHttp")}";
        var site = Role.Site(Role.Consul, _folder.Sub("s"), ports, "127.0.0.1");
        var configuration = (ConsulServerConfig.For(site, [], version) with { Bootstrap = true, MinQuorum = 1 }).Render();

        await CompareAsync("consul", configuration, Path.Combine(site.DataFolder, "raft"), "Stats", "/v1/snapshot", async number =>
        {
            using var content = new StringContent(new string('x', 500 * number));
            (await s_http.PutAsync($"{_address}/v1/kv/key{number}", content)).EnsureSuccessStatusCode();
        });
    }

    /// <param name="stats">Where in its answer an agent has its counters.</param>
    /// <param name="write">Makes the server write some entries.</param>
    private async Task CompareAsync(string product, string configuration, string raft, string stats, string snapshot, Func<int, Task> write)
    {
        RaftDataFolder.Read(raft, default).ShouldBe(RaftOnDisk.Blank);
        RaftOnDisk atTheEnd;
        await using (var agent = RealAgent.Start(product, _folder.Path, configuration))
        {
            await agent.EventuallyAsync("it leads", async () => (await LeaderAsync()) is { Length: > 0 });
            for (var number = 1; number <= 40; number++) await write(number);
            await SameAsync(agent, raft, stats);

            // It is read while others write, and never damaged.
            var writing = Task.Run(async () =>
            {
                for (var number = 1; number <= 60; number++) await write(number);
            });
            long last = 0;
            while (!writing.IsCompleted)
            {
                var found = RaftDataFolder.Read(raft, default);
                found.Why.ShouldBeNull();
                found.LastIndex.ShouldBeGreaterThanOrEqualTo(last);
                last = found.LastIndex;
            }

            await writing;
            atTheEnd = await SameAsync(agent, raft, stats);

            // It takes a snapshot of its own for this one.
            (await s_http.GetAsync(_address + snapshot)).EnsureSuccessStatusCode();
            await agent.EventuallyAsync("it has a snapshot", () => Task.FromResult(RaftSnapshot.Names(raft).Count > 0));
            await SameAsync(agent, raft, stats);
            agent.Signal(Sigterm);
            await agent.ExitAsync();
        }

        var stopped = RaftDataFolder.Read(raft, default);
        stopped.Why.ShouldBeNull();
        stopped.LastIndex.ShouldBeGreaterThanOrEqualTo(atTheEnd.LastIndex);
        List<string> damage = [];
        var taken = RaftSnapshot.Newest(raft, RaftSnapshot.Names(raft), damage, default).ShouldNotBeNull();
        damage.ShouldBeEmpty();
        taken.Last.Index.ShouldBeInRange(atTheEnd.LastIndex, stopped.LastIndex);

        // What the log no longer has is in the snapshot.
        File.Move(Path.Combine(raft, "raft.db"), Path.Combine(_folder.Path, "raft.db"));
        var fromSnapshot = RaftDataFolder.Read(raft, default);
        (fromSnapshot.LastIndex, fromSnapshot.LastTerm, fromSnapshot.PeersIndex).ShouldBe((taken.Last.Index, taken.Last.Term, stopped.PeersIndex));
        fromSnapshot.Peers.ShouldBe(stopped.Peers);
        File.Move(Path.Combine(_folder.Path, "raft.db"), Path.Combine(raft, "raft.db"));

        // It takes peers that are written, and its data stays.
        IReadOnlyList<RaftPeer> peers = [stopped.Peers!.Single(), new("11111111-2222-3333-4444-555555555555", "127.0.0.1:1", false)];
        PeersFile.Write(Role.Row(product), raft, peers);
        await using (var agent = RealAgent.Start(product, _folder.Path, configuration))
        {
            await agent.EventuallyAsync("it leads with the new configuration", async () => (await LeaderAsync()) is { Length: > 0 } && RaftDataFolder.Read(raft, default).Peers!.Count >= 2);
            File.Exists(Path.Combine(raft, "peers.json")).ShouldBeFalse();
            var recovered = RaftDataFolder.Read(raft, default);
            recovered.Peers.ShouldBe(peers, ignoreOrder: true);
            recovered.LastIndex.ShouldBeGreaterThanOrEqualTo(stopped.LastIndex);
            agent.Signal(Sigterm);
            await agent.ExitAsync();
        }
    }

    /// <summary>The disk says what the server says, as soon as nothing is written.</summary>
    private async Task<RaftOnDisk> SameAsync(RealAgent agent, string raft, string stats)
    {
        RaftOnDisk? found = null;
        var (disk, says) = ("", "");
        try
        {
            await agent.EventuallyAsync("the disk says what the server says", async () =>
            {
                var counters = await StatsAsync(stats);
                found = RaftDataFolder.Read(raft, default);
                found.Why.ShouldBeNull();
                disk = $"{found.Term} {found.LastTerm} {found.LastIndex}";
                says = string.Join(' ', new[] { "term", "last_log_term", "last_log_index" }.Select(name => counters.GetProperty(name).GetString()));
                return disk == says;
            });
        }
        catch (TimeoutException)
        {
            disk.ShouldBe(says);
            throw;
        }

        var configuration = await s_http.GetFromJsonAsync<JsonElement>(_address + "/v1/operator/raft/configuration");
        var members = configuration.GetProperty("Servers").EnumerateArray().Select(s => new RaftPeer(s.GetProperty("ID").GetString()!, s.GetProperty("Address").GetString()!, s.GetProperty("Voter").GetBoolean()));
        found!.Peers.ShouldBe(members);
        // The first entry of a new cluster. These versions say 0 for it themselves.
        found.PeersIndex.ShouldBe(1);
        return found;
    }

    private async Task<JsonElement> StatsAsync(string stats) => (await s_http.GetFromJsonAsync<JsonElement>(_address + "/v1/agent/self")).GetProperty(stats).GetProperty("raft");

    private async Task<string?> LeaderAsync()
    {
        try
        {
            return await s_http.GetFromJsonAsync<string>(_address + "/v1/status/leader");
        }
        catch (Exception e) when (e is HttpRequestException or JsonException)
        {
            return null;
        }
    }
}
