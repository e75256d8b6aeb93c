// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using Nomadstack.Ground.Http;
using Nomadstack.Nomad;
using Nomadstack.Products;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Nomad;

public sealed class NomadApiTests
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(5);

    private static readonly Endpoint s_endpoint = new(new Uri("http://nomad.test:4646"));

    private static NomadApi Api(int status, string body) => new(s_endpoint, TimeProvider.System, CannedHttp.Answering(status, body));

    private static (NomadApi Api, CannedHttp Server) Recording(int status, string body, long index = 0)
    {
        var server = new CannedHttp(_ => (status, body)) { Index = index };
        return (new(s_endpoint, TimeProvider.System, new HttpMessageInvoker(server)), server);
    }

    [Fact]
    public async Task ReadsWhatAServerSaysOfItself()
    {
        var api = Api(200, """
            {"config":{"Version":{"Version":"1.1.2"}},
             "member":{"Name":"n1.global","Addr":"10.0.0.1","Port":4648,"Status":"alive","Tags":{"id":"aaaa","port":"4647","rpc_addr":"10.0.0.1"}},
             "stats":{"nomad":{"server":"true"},
                      "raft":{"state":"Follower","term":"7","last_log_index":"19","commit_index":"18","applied_index":"17","last_snapshot_index":"3","protocol_version":"3",
                              "latest_configuration":"[{Suffrage:Voter ID:aaaa Address:10.0.0.1:4647} {Suffrage:Nonvoter ID:bbbb Address:10.0.0.2:4647}]"}}}
            """);

        (await api.AgentSelfAsync(s_deadline, default)).Try(out var self).ShouldBeTrue();

        self!.Server.ShouldBeTrue();
        self.Version.ShouldBe("1.1.2");
        self.ServerId.ShouldBe("aaaa");
        self.ClientNodeId.ShouldBeNull();
        self.Raft!.AppliedIndex.ShouldBe(17);
        self.Raft.LastLogIndex.ShouldBe(19);
        self.Raft.IsLeader.ShouldBeFalse();
        self.Raft.Peers.ShouldBe([new("aaaa", "10.0.0.1:4647", true), new("bbbb", "10.0.0.2:4647", false)]);
    }

    /// <summary>The raft configuration is for management tokens alone; a client node has none.</summary>
    [Fact]
    public async Task WhoMayNotReadTheRaftConfigurationReadsWhatAutopilotSaysOfTheServers()
    {
        var server = new CannedHttp(request => request.RequestUri!.AbsolutePath switch
        {
            "/v1/agent/self" => (200, """{"config":{"Version":{"Version":"1.1.2"}},"stats":{"nomad":{"server":"true"},"raft":{"state":"Leader","applied_index":"17","last_log_index":"17"}}}"""),
            "/v1/status/leader" => (200, "\"10.0.0.1:4647\""),
            "/v1/operator/autopilot/health" => (200, """{"Healthy":true,"Servers":[{"ID":"aaaa","Address":"10.0.0.1:4647","Leader":true,"Voter":true,"Healthy":true},{"ID":"bbbb","Address":"10.0.0.2:4647","Leader":false,"Voter":true,"Healthy":false}]}"""),
            _ => (403, "Permission denied"),
        });

        var view = await new NomadApi(s_endpoint, TimeProvider.System, new HttpMessageInvoker(server)).ObserveAsync(default);

        view!.Members.ShouldBe([new("aaaa", "10.0.0.1:4647", true, true, true), new("bbbb", "10.0.0.2:4647", true, false, false)]);
    }

    /// <summary>After a restart without a leader a closed server has not applied its log, and the tokens are in it.</summary>
    [Theory]
    [InlineData("\"\"", false)]
    [InlineData("\"10.0.0.1:4647\"", true)]
    public async Task AServerThatKnowsNoTokenYetAnswersAndHasNoLeader(string leader, bool silent)
    {
        var server = new CannedHttp(request => request.RequestUri!.AbsolutePath == "/v1/status/leader" ? (200, leader) : (403, "ACL token not found"));

        var view = await new NomadApi(s_endpoint, TimeProvider.System, new HttpMessageInvoker(server)).ObserveAsync(default);

        (view is null).ShouldBe(silent, "beside a leader it is our token that is wrong");
        view?.HasLeader.ShouldBeFalse();
    }

    [Fact]
    public async Task ReadsWhatAClientSaysOfItself()
    {
        var api = Api(200, """{"config":{"Version":{"Version":"1.1.2"}},"member":{"Name":"","Addr":null,"Port":0,"Status":"none","Tags":null},"stats":{"client":{"node_id":"cccc","known_servers":"10.0.0.1:4647,10.0.0.2:4647"}}}""");

        (await api.AgentSelfAsync(s_deadline, default)).Try(out var self).ShouldBeTrue();

        self!.Server.ShouldBeFalse();
        self.ServerId.ShouldBeNull();
        self.Raft.ShouldBeNull();
        self.ClientNodeId.ShouldBe("cccc");
        self.KnownServers.ShouldBe(["10.0.0.1:4647", "10.0.0.2:4647"]);
    }

    [Theory]
    [InlineData(200, "\"10.0.0.1:4647\"", "10.0.0.1:4647")]
    [InlineData(200, "\"\"", null)]
    [InlineData(500, "No cluster leader", null)]
    public async Task TheLeaderIsAnAddressOrNull(int status, string body, string? leader) =>
        (await Api(status, body).LeaderAsync(s_deadline, default)).ShouldBe(leader);

    [Fact]
    public async Task AsksStaleOnlyWhenTold()
    {
        // Nomad 1.1 takes any mention of stale for true, "stale=false" included.
        var (api, server) = Recording(200, "{}");

        await api.RaftConfigurationAsync(stale: false, s_deadline, default);
        await api.RaftConfigurationAsync(stale: true, s_deadline, default);

        server.Asked.Select(a => a.Call).ShouldBe(["GET /v1/operator/raft/configuration", "GET /v1/operator/raft/configuration?stale"]);
    }

    [Theory]
    [InlineData("No cluster leader")]
    [InlineData("rpc error: No cluster leader\n")]
    [InlineData("Not ready to serve consistent reads")]
    public async Task NoLeaderIsAnAnswerOfItsOwn(string text) =>
        (await Api(500, text).NodesAsync(s_deadline, default)).ShouldBeOfType<Answer<IReadOnlyList<NodeFacts>>.NoLeader>();

    [Fact]
    public async Task ARefusalKeepsNomadsWords()
    {
        var refused = (await Api(403, "Permission denied\n").NodesAsync(s_deadline, default)).ShouldBeOfType<Answer<IReadOnlyList<NodeFacts>>.Refused>();

        refused.Status.ShouldBe(403);
        refused.Text.ShouldBe("Permission denied");
    }

    [Fact]
    public async Task NobodyListeningIsUnreachable()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        var port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();

        var answer = await new NomadApi(Role.Endpoint(port), TimeProvider.System).NodesAsync(s_deadline, default);

        answer.ShouldBeOfType<Answer<IReadOnlyList<NodeFacts>>.Unreachable>().Why.ShouldContain($"127.0.0.1:{port}");
    }

    [Fact]
    public async Task SilencePastTheDeadlineIsUnreachable()
    {
        var api = new NomadApi(s_endpoint, TimeProvider.System, new HttpMessageInvoker(new SilentHttp()));

        var answer = await api.NodesAsync(TimeSpan.FromMilliseconds(50), default);

        answer.ShouldBeOfType<Answer<IReadOnlyList<NodeFacts>>.Unreachable>().Why.ShouldContain("did not answer within");
    }

    [Fact]
    public async Task TheCallersCancellationIsThrown()
    {
        using var caller = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        var api = new NomadApi(s_endpoint, TimeProvider.System, new HttpMessageInvoker(new SilentHttp()));

        await Should.ThrowAsync<OperationCanceledException>(() => api.NodesAsync(s_deadline, caller.Token));
    }

    [Fact]
    public async Task AReplyOfAnotherShapeIsARefusal() =>
        (await Api(200, "<html>a proxy</html>").NodesAsync(s_deadline, default)).ShouldBeOfType<Answer<IReadOnlyList<NodeFacts>>.Refused>();

    [Fact]
    public async Task AnUnhealthyClusterIsAnAnswerNotAnError()
    {
        var api = Api(429, """{"Healthy":false,"FailureTolerance":0,"Servers":[{"ID":"a","Name":"n1.global","Address":"10.0.0.1:4647","SerfStatus":"failed","Version":"1.1.2","Leader":false,"LastContact":"1m2s","LastIndex":9,"Healthy":false,"Voter":true,"StableSince":"2026-11-22T21:58:51Z"}]}""");

        (await api.AutopilotHealthAsync(s_deadline, default)).Try(out var health).ShouldBeTrue();

        health!.Healthy.ShouldBeFalse();
        health.Servers.ShouldHaveSingleItem().SerfStatus.ShouldBe("failed");
    }

    [Fact]
    public async Task ANullListIsAnEmptyOne()
    {
        (await Api(200, """{"Healthy":true,"Servers":null}""").AutopilotHealthAsync(s_deadline, default)).Try(out var health).ShouldBeTrue();

        health!.Servers.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(404, "Invalid method", typeof(LeadershipTransfer.NotSupported))]
    [InlineData(200, """{"From":{},"To":{},"Noop":false,"Err":null}""", typeof(LeadershipTransfer.Asked))]
    [InlineData(400, "id \"x\" was not found in the Raft configuration", typeof(LeadershipTransfer.Failed))]
    [InlineData(500, "No cluster leader", typeof(LeadershipTransfer.Failed))]
    public async Task TellsAVersionWithoutTransferFromATransferThatFailed(int status, string body, Type expected) =>
        (await Api(status, body).TransferLeadershipAsync("x", s_deadline, default)).ShouldBeOfType(expected);

    [Fact]
    public async Task WritesBackAutopilotFieldsItDoesNotKnow()
    {
        var (api, server) = Recording(200, """{"CleanupDeadServers":true,"MinQuorum":0,"ServerStabilizationTime":"10s","LastContactThreshold":"200ms","FromTheFuture":{"a":1},"ModifyIndex":4}""");
        (await api.GetAutopilotConfigurationAsync(s_deadline, default)).Try(out var configuration).ShouldBeTrue();
        configuration!.ServerStabilizationTime.ShouldBe(TimeSpan.FromSeconds(10));
        configuration.LastContactThreshold.ShouldBe(TimeSpan.FromMilliseconds(200));

        await api.PutAutopilotConfigurationAsync(configuration.With(minQuorum: 3, serverStabilizationTime: TimeSpan.FromSeconds(2)), s_deadline, default);

        server.Asked[1].Call.ShouldBe("PUT /v1/operator/autopilot/configuration?cas=4");
        server.Asked[1].Body.ShouldBe("""{"CleanupDeadServers":true,"MinQuorum":3,"ServerStabilizationTime":"2s","LastContactThreshold":"200ms","FromTheFuture":{"a":1},"ModifyIndex":4}""");
        configuration.MinQuorum.ShouldBe(0);
    }

    [Fact]
    public async Task AJobThatIsNotThereIsNull()
    {
        (await Api(404, "job not found").JobAsync("x", s_deadline, default)).Try(out var job).ShouldBeTrue();

        job.ShouldBeNull();
    }

    [Fact]
    public async Task AJobThatCannotBeAskedForIsNotAJobThatIsNotThere() =>
        (await Api(500, "No cluster leader").JobAsync("x", s_deadline, default)).Try(out _).ShouldBeFalse();

    [Fact]
    public async Task ReadsAJob()
    {
        var api = Api(200, """{"ID":"nomad-server","Type":"service","Status":"running","Stop":false,"Version":2,"JobModifyIndex":31,"Meta":null,"TaskGroups":[{"Name":"server","Count":3}]}""");

        (await api.JobAsync("nomad-server", s_deadline, default)).Try(out var job).ShouldBeTrue();

        job!.Count.ShouldBe(3);
        job.Version.ShouldBe(2);
        job.JobModifyIndex.ShouldBe(31);
        job.Stop.ShouldBeFalse();
        job.Meta.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(200, """{"EvalID":"e1","JobModifyIndex":12,"Warnings":""}""", typeof(JobRegistration.Registered))]
    [InlineData(500, "Enforcing job modify index 0: job already exists", typeof(JobRegistration.Conflict))]
    [InlineData(500, "1 error occurred:\n\t* Missing job datacenters", typeof(JobRegistration.Refused))]
    [InlineData(500, "No cluster leader", typeof(JobRegistration.NotReached))]
    public async Task RegisteringEndsInOneOfFourWays(int status, string body, Type expected) =>
        (await Api(status, body).RegisterJobAsync("{}", 0, s_deadline, default)).ShouldBeOfType(expected);

    [Fact]
    public async Task InsistsOnAnIndexOnlyWhenGivenOne()
    {
        var (api, server) = Recording(200, "{}");

        await api.RegisterJobAsync("""{"ID":"a"}""", null, s_deadline, default);
        await api.RegisterJobAsync("""{"ID":"a"}""", 0, s_deadline, default);

        server.Asked.Select(a => a.Body).ShouldBe(["""{"Job":{"ID":"a"}}""", """{"Job":{"ID":"a"},"EnforceIndex":true,"JobModifyIndex":0}"""]);
    }

    [Fact]
    public async Task ReadsAllocations()
    {
        var api = Api(200, """
            [{"ID":"a1","Name":"nomad-server.server[2]","NodeID":"n","NodeName":"n1","TaskGroup":"server","DesiredStatus":"stop","DesiredDescription":"alloc is being migrated",
              "ClientStatus":"running","JobVersion":1,"DesiredTransition":{"Migrate":true},"DeploymentStatus":null,"FollowupEvalID":"","CreateIndex":20,"ModifyIndex":25,"CreateTime":1700000000000000000,
              "TaskStates":{"server":{"Events":[{"Type":"Started","DisplayMessage":"Task started by client","Time":2},{"Type":"Received","DisplayMessage":"Task received by client","Time":1}]}}}]
            """);

        (await api.AllocationsAsync("nomad-server", s_deadline, default)).Try(out var all).ShouldBeTrue();

        var allocation = all!.ShouldHaveSingleItem();
        allocation.Index.ShouldBe(2);
        allocation.Migrating.ShouldBeTrue();
        allocation.FollowupEvalId.ShouldBeNull();
        allocation.ClientTerminal.ShouldBeFalse();
        allocation.CreatedAt.ShouldBe(DateTimeOffset.FromUnixTimeSeconds(1700000000));
        allocation.Events.ShouldBe(["Task received by client", "Task started by client"]);
    }

    [Theory]
    [InlineData(null, """{"DrainSpec":null,"MarkEligible":true}""")]
    [InlineData(60d, """{"DrainSpec":{"Deadline":60000000000,"IgnoreSystemJobs":false},"MarkEligible":true}""")]
    [InlineData(0d, """{"DrainSpec":{"Deadline":-1,"IgnoreSystemJobs":false},"MarkEligible":true}""")]
    public async Task DrainsInNomadsUnits(double? seconds, string body)
    {
        var (api, server) = Recording(200, "{}");

        await api.DrainAsync("n1", seconds is { } s ? new(TimeSpan.FromSeconds(s)) : null, markEligible: true, s_deadline, default);

        server.Asked.ShouldHaveSingleItem().ShouldBe(("POST /v1/node/n1/drain", body));
    }

    [Fact]
    public async Task AConsistentReadNeverAsksStaleAndTellsTheIndex()
    {
        var (api, server) = Recording(200, "[]", index: 42);

        (await api.ConsistentReadAsync(s_deadline, default)).Try(out var index).ShouldBeTrue();

        index.ShouldBe(42);
        server.Asked.ShouldHaveSingleItem().Call.ShouldNotContain("stale");
    }

    [Fact]
    public async Task ABarrierIsOkThoughItsWriteIsTurnedDown() =>
        (await Api(200, "false").BarrierAsync(s_deadline, default)).Try(out _).ShouldBeTrue();

    [Fact]
    public async Task IdsCannotReachAnotherPath()
    {
        var (api, server) = Recording(404, "");

        await api.JobAsync("../../x?y", s_deadline, default);

        server.Asked.ShouldHaveSingleItem().Call.ShouldBe("GET /v1/job/..%2F..%2Fx%3Fy");
    }

    [Fact]
    public async Task ReadsAServerOfTwoDotZero()
    {
        var api = Api(200, """
            {"config":{"Version":{"Revision":"abc","Version":"2.0.5","VersionPrerelease":"","VersionMetadata":"","BuildDate":"2026-07-01T00:00:00Z"},"Consuls":[{"Name":"default"}],"Server":{"ClientIntroduction":{"Enforcement":"warn"}}},
             "member":{"Name":"n1-server.global","Addr":"10.0.0.1","Port":4648,"Status":"alive","Tags":{"id":"aaaa","port":"4647","rpc_addr":"10.0.0.1","expect":"0","mvn":"1"},"ProtocolCur":2},
             "stats":{"nomad":{"server":"true","known_regions":"1"},"runtime":{"version":"go1.26"},"serf":{"coordinate_resets":"0"},
                      "raft":{"state":"Leader","term":"2","last_log_index":"19","commit_index":"19","applied_index":"19","last_snapshot_index":"0","protocol_version":"3","logstore_backend":"boltdb",
                              "latest_configuration":"[{Suffrage:Voter ID:aaaa Address:10.0.0.1:4647}]"}}}
            """);

        (await api.AgentSelfAsync(s_deadline, default)).Try(out var self).ShouldBeTrue();

        (self!.Version, self.Server, self.ServerId, self.Raft!.IsLeader, self.Raft.Peers.Count).ShouldBe(("2.0.5", true, "aaaa", true, 1));
    }

    [Fact]
    public async Task ANodeOfTwoDotZeroTakesServers()
    {
        var api = Api(200, """
            [{"Address":"10.0.0.1","ID":"cccc","Datacenter":"dc1","Name":"n1","NodePool":"gpu","NodeClass":"","Version":"2.0.5","Drain":false,"SchedulingEligibility":"eligible","Status":"ready","StatusDescription":"",
              "Drivers":{"nomadstack":{"Attributes":{"driver.nomadstack":"true"},"Detected":true,"Healthy":true,"HealthDescription":"ready","UpdateTime":"2026-07-01T00:00:00Z"}},
              "HostVolumes":null,"LastDrain":null,"CreateIndex":9,"ModifyIndex":12}]
            """);

        (await api.NodesAsync(s_deadline, default)).Try(out var nodes).ShouldBeTrue();

        nodes!.ShouldHaveSingleItem().TakesServers.ShouldBeTrue();
    }

    [Fact]
    public async Task ReadsTheIdsOfTheKeyring()
    {
        var api = Api(200, """[{"KeyID":"0b1e","Algorithm":"aes256-gcm","CreateTime":1,"CreateIndex":7,"ModifyIndex":7,"State":"active"},{"KeyID":"7c2f","State":"inactive"}]""");

        (await api.KeyringAsync(s_deadline, default)).Try(out var keys).ShouldBeTrue();

        keys.ShouldBe(["0b1e", "7c2f"]);
    }

    /// <summary>Serf locks every agent's list of members for 8 s if one that it takes for alive is pruned.</summary>
    [Theory]
    [InlineData(false, "failed", false)]
    [InlineData(true, "failed", true)]
    [InlineData(true, "left", true)]
    [InlineData(true, "leaving", false)]
    [InlineData(true, "alive", false)]
    public async Task GossipIsAskedToForgetAMemberWhereThatHoldsNobodyUp(bool prune, string status, bool pruned)
    {
        var (api, server) = Recording(200, $$"""{"Members":[{"Name":"other.global","Status":"alive"},{"Name":"n1-bootstrap.global","Status":"{{status}}"}]}""");

        (await api.ForgetMemberAsync("n1-bootstrap.global", prune, TimeSpan.FromSeconds(1), default)).IsOk.ShouldBeTrue();

        server.Asked[^1].Call.ShouldBe("PUT /v1/agent/force-leave?node=n1-bootstrap.global" + (pruned ? "&prune=true" : ""));
    }

    /// <summary>What is stopped without its client is stopped as its client would.</summary>
    [Fact]
    public async Task AnAllocationOfANodeSaysHowItsTasksAreStopped()
    {
        var api = Api(200, """
            [{"ID":"a1","DesiredStatus":"run","ClientStatus":"running","TaskGroup":"g","Job":{"TaskGroups":[{"Name":"other","Tasks":[{"Name":"no"}]},{"Name":"g","Tasks":[
              {"Name":"db","Driver":"docker","KillSignal":"SIGUSR1","KillTimeout":20000000000},
              {"Name":"web","Driver":"raw_exec","KillSignal":"","KillTimeout":5000000000},
              {"Name":"odd","Driver":"podman"}]}]}},
             {"ID":"a2","DesiredStatus":"stop","ClientStatus":"complete","TaskGroup":"g","Job":null}]
            """);

        (await api.AllocationsOnAsync("n1", NomadApi.Quick, default)).Try(out var all).ShouldBeTrue();

        all!.Select(a => (a.Id, a.Live)).ShouldBe([("a1", true), ("a2", false)]);
        all![0].Tasks.ShouldBe([new("db", 10, TimeSpan.FromSeconds(20)), new("web", 2, TimeSpan.FromSeconds(5)), new("odd", 15, TimeSpan.FromSeconds(5))]);
    }
}
