// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class JobTests : IAsyncLifetime
{
    private AgentHost _host = null!;
    private FakeNomad _nomad = null!;
    private string _file = "";

    public async Task InitializeAsync()
    {
        _host = await AgentHost.StartAsync();
        _nomad = await FakeNomad.StartAsync();
        _host.Agent.Where = FakeAgentService.At(_nomad.Address, null);
        _file = Path.Combine(_host.Paths.Data, "web.nomad");
        await File.WriteAllTextAsync(_file, "job \"web\" { }");
        _nomad.On("POST /v1/jobs/parse", """{"ID":"web","Name":"web"}""")
            .On("PUT /v1/jobs", """{"EvalID":"11112222-3333","Warnings":""}""")
            .On("GET /v1/job/web", """{"ID":"web","Version":4,"Type":"service","Status":"running"}""");
    }

    public async Task DisposeAsync()
    {
        await _nomad.DisposeAsync();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task HclGoesThroughTheEnginesParserAndTheJobIsFollowedUntilItRuns()
    {
        _nomad.On("GET /v1/evaluation/11112222-3333", """{"Status":"pending"}""", """{"Status":"complete"}""")
            .On("GET /v1/job/web/allocations",
                """[{"ID":"aaaabbbbcccc","JobVersion":4,"ClientStatus":"pending","DesiredStatus":"run"},{"ID":"old","JobVersion":3,"ClientStatus":"failed","DesiredStatus":"run"}]""",
                """[{"ID":"aaaabbbbcccc","JobVersion":4,"ClientStatus":"running","DesiredStatus":"run"}]""");
        var typed = new Typed { ["NOMAD_TOKEN"] = "secret", ["NOMAD_NAMESPACE"] = "team" };

        (await typed.RunAsync("job", "run", _file, "--data-dir", _host.Paths.Data)).ShouldBe(0);

        typed.Error.ToString().ShouldContain("job web: 1 allocation running or complete");
        _nomad.Changes.Select(c => c.Call).ShouldBe(["POST /v1/jobs/parse?namespace=team", "PUT /v1/jobs?namespace=team"]);
        using var parse = JsonDocument.Parse(_nomad.Changes.First().Body);
        parse.RootElement.GetProperty("JobHCL").GetString().ShouldBe("job \"web\" { }");
        _nomad.Changes.Last().Body.ShouldBe("""{"Job":{"ID":"web","Name":"web"}}""");
        _nomad.Tokens.ShouldAllBe(t => t == "secret");
    }

    [Theory]
    [InlineData("""{"Job":{"ID":"web"}}""")]
    [InlineData("""{"ID":"web"}""")]
    public async Task JsonFromStandardInputNeedsNoParser(string text)
    {
        var typed = new Typed { Input = text };

        (await typed.RunAsync("job", "run", "-", "--detach", "--json", "--data-dir", _host.Paths.Data)).ShouldBe(0);

        _nomad.Changes.ShouldHaveSingleItem().Body.ShouldBe("""{"Job":{"ID":"web"}}""");
        using var answer = JsonDocument.Parse(typed.Out.ToString());
        answer.RootElement.GetProperty("evaluation").GetString().ShouldBe("11112222-3333");
    }

    [Fact]
    public async Task WhatCannotBePlacedIsExplained()
    {
        _nomad.On("GET /v1/evaluation/11112222-3333", """{"Status":"complete","FailedTGAllocs":{"front":{"NodesEvaluated":3,"NodesAvailable":{"dc1":3,"dc2":0},"ConstraintFiltered":{"${attr.kernel.name} = windows":2},"DimensionExhausted":{"memory":1},"CoalescedFailures":1}}}""");
        var typed = new Typed();

        (await typed.RunAsync("job", "run", _file, "--data-dir", _host.Paths.Data)).ShouldBe(1);

        typed.Error.ToString().ShouldContain("why:   Group front: 2 not placed; no node is available in datacenter dc2; 2 nodes filtered by constraint \"${attr.kernel.name} = windows\"; 1 node exhausted: memory.");
    }

    [Fact]
    public async Task AFailedAllocationEndsItWithItsLastEvent()
    {
        _nomad.On("GET /v1/evaluation/11112222-3333", """{"Status":"complete"}""")
            .On("GET /v1/job/web/allocations", """[{"ID":"aaaabbbbcccc","NodeName":"n2","JobVersion":4,"ClientStatus":"failed","DesiredStatus":"run","TaskStates":{"app":{"Events":[{"Time":2,"Type":"Driver Failure","DisplayMessage":"no such file: /bin/app"},{"Time":1,"Type":"Received"}]}}}]""");
        var typed = new Typed();

        (await typed.RunAsync("job", "run", _file, "--data-dir", _host.Paths.Data)).ShouldBe(1);

        typed.Error.ToString().ShouldContain("aaaabbbb on n2, task app: no such file: /bin/app");
    }

    /// <summary>Nomad keeps the last events alone, and those are soon about restarts.</summary>
    [Fact]
    public async Task TheFirstFailureOfATaskIsShownAtOnceWithItsNodeAndStaysTheReason()
    {
        const string Unhealthy = """{"JobVersion":4,"Status":"running","TaskGroups":{"g":{"DesiredTotal":6,"HealthyAllocs":0}}}""";
        _nomad.On("GET /v1/evaluation/11112222-3333", """{"Status":"complete","DeploymentID":"dep"}""")
            .On("GET /v1/deployment/dep", Unhealthy, Unhealthy, """{"JobVersion":4,"Status":"failed","StatusDescription":"Failed due to progress deadline","TaskGroups":{"g":{"DesiredTotal":6,"HealthyAllocs":0}}}""")
            .On("GET /v1/job/web/allocations",
                Allocation("pending", """{"Time":1,"Type":"Received"},{"Time":2,"Type":"Driver Failure","DisplayMessage":"no such file: /bin/app"},{"Time":3,"Type":"Restarting","DisplayMessage":"Task restarting in 15s"}"""),
                Allocation("failed", """{"Time":8,"Type":"Driver Failure","DisplayMessage":"another one"},{"Time":9,"Type":"Not Restarting","DisplayMessage":"Exceeded allowed attempts"}"""));
        var typed = new Typed();

        (await typed.RunAsync("job", "run", _file, "--data-dir", _host.Paths.Data)).ShouldBe(1);

        var said = typed.Error.ToString();
        said.ShouldContain("!! aaaabbbb on n2, task app: no such file: /bin/app\n");
        said.IndexOf("!! aaaabbbb", StringComparison.Ordinal).ShouldBeLessThan(said.IndexOf("error:", StringComparison.Ordinal));
        said.ShouldContain("why:   Failed due to progress deadline. aaaabbbb on n2, task app: no such file: /bin/app");
        said.ShouldNotContain("another one");

        static string Allocation(string status, string events) =>
            $$$$"""[{"ID":"older","NodeName":"n1","JobVersion":3,"TaskStates":{"app":{"Events":[{"Time":0,"Type":"Driver Failure"}]}}},{"ID":"aaaabbbbcccc","NodeName":"n2","JobVersion":4,"ClientStatus":"{{{{status}}}}","DesiredStatus":"run","TaskStates":{"app":{"Events":[{{{{events}}}}]}}}]""";
    }

    [Theory]
    [InlineData("""{"Type":"Terminated","ExitCode":1}""", true)]
    [InlineData("""{"Type":"Terminated","Details":{"exit_code":"137"}}""", true)]
    [InlineData("""{"Type":"Terminated","ExitCode":0,"Details":{"exit_code":"0"}}""", false)]
    [InlineData("""{"Type":"Restarting"}""", false)]
    [InlineData("""{"Type":"Task hook failed"}""", true)]
    public void WhatATaskDidIsToldFromWhatIsDoneAboutIt(string json, bool failure)
    {
        using var document = JsonDocument.Parse(json);

        Nomadstack.Cli.Job.TaskFailures.IsFailure(document.RootElement).ShouldBe(failure);
    }

    [Fact]
    public async Task ADeploymentIsFollowedToItsEndThroughALossOfTheLeader()
    {
        _nomad.On("GET /v1/evaluation/11112222-3333", """{"Status":"complete","DeploymentID":"dep"}""")
            .Refuse("GET /v1/deployment/dep", 500, "No cluster leader")
            .On("GET /v1/job/web/allocations", "[]")
            .On("GET /v1/deployment/dep", """{"Status":"running","TaskGroups":{"g":{"DesiredTotal":2,"HealthyAllocs":1}}}""", """{"Status":"successful","TaskGroups":{"g":{"DesiredTotal":2,"HealthyAllocs":2}}}""");
        var typed = new Typed();

        (await typed.RunAsync("job", "run", _file, "--data-dir", _host.Paths.Data)).ShouldBe(0);

        typed.Error.ToString().ShouldContain("job web: 2 of 2 allocations healthy");
    }

    [Fact]
    public async Task AnInvalidJobIsToldInTheEnginesWords()
    {
        var nomad = await FakeNomad.StartAsync();
        await using (nomad)
        {
            nomad.Refuse("POST /v1/jobs/parse", 400, "input.hcl:1,5-9: Invalid block");
            _host.Agent.Where = FakeAgentService.At(nomad.Address, null);
            var typed = new Typed();

            (await typed.RunAsync("job", "run", _file, "--data-dir", _host.Paths.Data)).ShouldBe(1);

            // With the name of the file that the person wrote, not of the text that the parser was given.
            typed.Error.ToString().ShouldContain($"{Path.GetFileName(_file)}:1,5-9: Invalid block");
        }
    }

    [Fact]
    public async Task FollowingEndsWithTheTimeGiven()
    {
        _nomad.On("GET /v1/evaluation/11112222-3333", """{"Status":"pending"}""");

        (await new Typed().RunAsync("job", "run", _file, "--timeout", "300ms", "--data-dir", _host.Paths.Data)).ShouldBe(3);
    }

    [Fact]
    public async Task StopFollowsUntilNothingRuns()
    {
        _nomad.On("DELETE /v1/job/web", """{"EvalID":"e"}""").On("GET /v1/evaluation/e", """{"Status":"complete"}""")
            .On("GET /v1/job/web/allocations", """[{"ID":"a","ClientStatus":"running"}]""", """[{"ID":"a","ClientStatus":"complete"}]""");
        var typed = new Typed();

        (await typed.RunAsync("job", "stop", "web", "--purge", "--data-dir", _host.Paths.Data)).ShouldBe(0);

        _nomad.Changes.ShouldHaveSingleItem().Call.ShouldBe("DELETE /v1/job/web?purge=true&namespace=default");
        typed.Error.ToString().ShouldContain("job web stopped");
    }

    [Fact]
    public async Task AnUnknownJobIsNotStopped()
    {
        _nomad.Refuse("GET /v1/job/wbe", 404, "job not found");

        (await new Typed().RunAsync("job", "stop", "wbe", "--data-dir", _host.Paths.Data)).ShouldBe(1);

        _nomad.Changes.ShouldBeEmpty();
    }

    [Fact]
    public async Task StatusListsJobsAndAllocations()
    {
        _nomad.On("GET /v1/jobs", """[{"ID":"web","Type":"service","Priority":50,"Status":"running"},{"ID":"old","Type":"batch","Priority":50,"Status":"dead","Stop":true}]""")
            .On("GET /v1/job/web/allocations", """[{"ID":"aaaabbbbcccc","TaskGroup":"g","NodeName":"n1","JobVersion":4,"DesiredStatus":"run","ClientStatus":"running"}]""");
        var (all, one, json) = (new Typed(), new Typed(), new Typed());

        (await all.RunAsync("job", "status", "--data-dir", _host.Paths.Data)).ShouldBe(0);
        (await one.RunAsync("job", "status", "web", "--data-dir", _host.Paths.Data)).ShouldBe(0);
        (await json.RunAsync("job", "status", "web", "--json", "--data-dir", _host.Paths.Data)).ShouldBe(0);

        all.Out.ToString().ShouldContain("old  batch    50        dead (stopped)");
        one.Out.ToString().ShouldStartWith("running: service job web, version 4\n");
        one.Out.ToString().ShouldContain("aaaabbbb    g      n1    4        run      running");
        using var document = JsonDocument.Parse(json.Out.ToString());
        document.RootElement.GetProperty("allocations")[0].GetProperty("ClientStatus").GetString().ShouldBe("running");
    }
}
