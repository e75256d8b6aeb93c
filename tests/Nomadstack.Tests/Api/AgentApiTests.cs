// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using System.Text;
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Api;

public sealed class AgentApiTests
{
    private static readonly BootstrapRequest s_request = new(5, [Role.Consul]);

    [Fact]
    public async Task AnswersEveryCallOverTheSocket()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Script(FakeAgentService.Running("bootstrap", "start"));
        using var client = new AgentClient(host.Paths, TimeProvider.System);

        (await client.StatusAsync(default)).Nodes.Count.ShouldBe(3);
        (await client.BootstrapAsync(s_request, default)).Id.ShouldBe("bootstrap-1");
        (await client.OperationsAsync(default)).ShouldHaveSingleItem().Kind.ShouldBe("bootstrap");
        (await client.OperationAsync("bootstrap-1", default)).Step.ShouldBe("start");
        (await client.CreateTokenAsync(new(TimeSpan.FromMinutes(90).TotalSeconds), default)).ExpiresAt.ShouldBe(FakeAgentService.Then.AddMinutes(90));
        (await client.TokensAsync(default)).Count.ShouldBe(2);
        await client.RevokeTokenAsync("a?b c", default);
        await client.RemoveNodeAsync("n2", default);
        (await client.EndpointsAsync(default)).Of(Role.Nomad).Program.ShouldBe(["nomad"]);
        await client.StopAsync(default);
        var asked = host.Agent.Asked.First().ShouldBeOfType<BootstrapRequest>();
        (asked.Servers, asked.Without).ShouldSatisfyAllConditions(() => asked.Servers.ShouldBe(s_request.Servers), () => asked.Without.ShouldBe(s_request.Without));
        host.Agent.Asked.Skip(1).ShouldBe([new TokenRequest(5400), "a?b c", "n2", "stop"]);
    }

    [Theory]
    [InlineData("node/last-voter", true, HttpStatusCode.Conflict)]
    [InlineData("request/unknown-node", false, HttpStatusCode.BadRequest)]
    [InlineData("storage/torn", false, HttpStatusCode.InternalServerError)]
    public async Task ARefusalArrivesAsTheSameProblem(string code, bool dangerous, HttpStatusCode status)
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Refusal = new Problem(code, "What \"happened\".", "Why – exactly.", "Fix <it>.") { Unsafe = dangerous };
        using var client = new AgentClient(host.Paths, TimeProvider.System);

        (await Should.ThrowAsync<ProblemException>(() => client.RemoveNodeAsync("n1", default))).Problem.ShouldBe(host.Agent.Refusal);

        using var raw = Raw(host.Paths);
        using var response = await raw.GetAsync("http://agent/v1/status");
        response.StatusCode.ShouldBe(status);
        response.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
    }

    [Fact]
    public async Task AnUnknownOperationIsAProblem()
    {
        await using var host = await AgentHost.StartAsync();
        using var client = new AgentClient(host.Paths, TimeProvider.System);

        (await Should.ThrowAsync<ProblemException>(() => client.OperationAsync("nope", default))).Problem.Code.ShouldBe("request/unknown-operation");
    }

    [Fact]
    public async Task AMalformedBodyIsTheCallersFault()
    {
        await using var host = await AgentHost.StartAsync();
        using var raw = Raw(host.Paths);
        using var body = new StringContent("{\"servers\":\"many\"}", Encoding.UTF8, "application/json");

        using var response = await raw.PostAsync("http://agent/v1/bootstrap", body);

        response.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        host.Agent.Asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task NothingAnswersOnTcp()
    {
        await using var host = await AgentHost.StartAsync();
        using var http = new HttpClient();

        using var response = await http.PostAsync(host.TcpAddress + "/v1/stop", null);

        response.StatusCode.ShouldBe(HttpStatusCode.NotFound);
        host.Agent.Asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task OnlyTheOwnerCanOpenTheSocket()
    {
        await using var host = await AgentHost.StartAsync();

        File.GetUnixFileMode(host.Paths.AgentSocket).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.GetUnixFileMode(host.Paths.Run).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    [Fact]
    public async Task TheSocketOfAKilledAgentIsReplaced()
    {
        var paths = new NodePaths(Directory.CreateTempSubdirectory("nomadstack-test-").FullName);
        Directory.CreateDirectory(paths.Run);
        using (var dead = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            dead.Bind(new UnixDomainSocketEndPoint(paths.AgentSocket));
            File.Move(paths.AgentSocket, paths.AgentSocket + ".kept");
        }

        File.Move(paths.AgentSocket + ".kept", paths.AgentSocket);
        await using var host = await AgentHost.StartAsync(paths: paths);
        using var client = new AgentClient(paths, TimeProvider.System);

        (await client.StatusAsync(default)).Schema.ShouldBe(1);
    }

    [Fact]
    public async Task NothingIsSaidToAnotherUsersProcess()
    {
        await using var host = await AgentHost.StartAsync();
        using var client = new AgentClient(host.Paths, TimeProvider.System) { PeerOf = _ => new(77, 65534) };

        var problem = (await Should.ThrowAsync<ProblemException>(() => client.CreateTokenAsync(new(), default))).Problem;

        problem.Code.ShouldBe("agent/not-ours");
        problem.Why.ShouldContain("65534");
        host.Agent.Asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task ARunFolderThatIsSweptAwayIsThereAgainWithinASecond()
    {
        await using var host = await AgentHost.StartAsync();
        using var before = new AgentClient(host.Paths, TimeProvider.System);
        await before.StatusAsync(default);

        for (var sweep = 0; sweep < 3; sweep++)
        {
            Directory.Delete(host.Paths.Run, recursive: true);
            var clock = System.Diagnostics.Stopwatch.StartNew();
            // What was connected stays so.
            await before.StatusAsync(default);
            // Twice the time it has, for a machine that is busy.
            while (!File.Exists(host.Paths.AgentSocket) && clock.Elapsed < TimeSpan.FromSeconds(2)) await Task.Delay(20);
            using var after = new AgentClient(host.Paths, TimeProvider.System);
            (await after.StatusAsync(default)).Schema.ShouldBe(1);
            File.GetUnixFileMode(host.Paths.AgentSocket).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
    }

    [Fact]
    public async Task ASocketThatSomebodyPutInItsPlaceIsReplaced()
    {
        await using var host = await AgentHost.StartAsync();
        File.Delete(host.Paths.AgentSocket);
        await File.WriteAllTextAsync(host.Paths.AgentSocket, "");
        using var client = new AgentClient(host.Paths, TimeProvider.System);
        var clock = System.Diagnostics.Stopwatch.StartNew();

        while (new FileInfo(host.Paths.AgentSocket) is { Exists: true } entry && entry.UnixFileMode != (UnixFileMode.UserRead | UnixFileMode.UserWrite) && clock.Elapsed < TimeSpan.FromSeconds(2)) await Task.Delay(20);

        (await client.StatusAsync(default)).Schema.ShouldBe(1);
    }

    [Fact]
    public async Task NoAgentIsAProblemThatNamesTheSocketAndAWayOut()
    {
        var paths = new NodePaths("/nonexistent/nomadstack-test");
        using var client = new AgentClient(paths, TimeProvider.System);

        var problem = (await Should.ThrowAsync<ProblemException>(() => client.StatusAsync(default))).Problem;

        problem.Code.ShouldBe("agent/unreachable");
        problem.What.ShouldContain(paths.AgentSocket);
        problem.Why.ShouldContain("does not exist");
        problem.Fix.ShouldContain("nomadstack up --data-dir /nonexistent/nomadstack-test");
    }

    [Fact]
    public async Task AnAgentThatHoldsTheFolderWithoutASocketIsNamedByItsPid()
    {
        var paths = new NodePaths(Directory.CreateTempSubdirectory("nomadstack-test-").FullName);
        using (DataFolderLock.Take(paths.Data))
        {
            using var client = new AgentClient(paths, TimeProvider.System);
            (await Should.ThrowAsync<ProblemException>(() => client.StatusAsync(default))).Problem.Why.ShouldContain($"pid {Environment.ProcessId}");
        }

        // The file stays and still names this process, which no longer holds it.
        AgentPresence.HolderOf(paths).ShouldBeNull();
        Directory.Delete(paths.Data, recursive: true);
    }

    [Fact]
    public async Task AnAgentThatWaitsBeforeItOpensItsSocketSaysForWhat()
    {
        var paths = new NodePaths(Directory.CreateTempSubdirectory("nomadstack-test-").FullName);
        using (var owner = DataFolderLock.Take(paths.Data))
        {
            owner.Tell("wait for the address 10.0.0.7");
            using var client = new AgentClient(paths, TimeProvider.System);

            (await Should.ThrowAsync<ProblemException>(() => client.StatusAsync(default))).Problem.Why.ShouldContain("First it has to wait for the address 10.0.0.7.");
            AgentPresence.HolderOf(paths).ShouldBe(Environment.ProcessId);
        }

        Directory.Delete(paths.Data, recursive: true);
    }

    [Fact]
    public async Task AStopIsDoneWhenTheAgentGoesAway()
    {
        await using var host = await AgentHost.StartAsync();
        // It dies with the answer unsent.
        host.Agent.OnStop = () => Task.WhenAll(host.BreakOffAsync(), new TaskCompletionSource().Task);
        using var client = new AgentClient(host.Paths, TimeProvider.System);

        await client.StopAsync(default);

        host.Agent.Asked.ShouldBe(["stop"]);
    }

    private static HttpClient Raw(NodePaths paths) => new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, cancel) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(paths.AgentSocket), cancel);
            return new NetworkStream(socket, ownsSocket: true);
        },
    });
}
