// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class JobLogsTests : IAsyncLifetime
{
    private const string One = "aaaabbbb-0000-4000-8000-000000000001", Two = "aaaacccc-0000-4000-8000-000000000002";

    private readonly FakeTasks _tasks = new();
    private AgentHost _host = null!;
    private FakeNomad _nomad = null!;

    public async Task InitializeAsync()
    {
        _host = await AgentHost.StartAsync();
        _nomad = await FakeNomad.StartAsync();
        _nomad.First = _tasks.AnswerAsync;
        _host.Agent.Where = FakeAgentService.At(_nomad.Address, null);
        _nomad.On("GET /v1/job/web", """{"ID":"web","Type":"service"}""");
    }

    public async Task DisposeAsync()
    {
        await _nomad.DisposeAsync();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task TheLogOfAnOnlyTaskIsShownAsItIs()
    {
        Allocations(Allocation(One, "web.g[0]"));
        _tasks.Write(One, "app", "one\ntwo");
        _tasks.Write(One, "app", "trouble\n", "stderr");
        var (output, error) = (new Typed(), new Typed());

        (await RunAsync(output, "web")).ShouldBe(0);
        (await RunAsync(error, "web", "--stderr")).ShouldBe(0);

        output.Out.ToString().ShouldBe("one\ntwo");
        error.Out.ToString().ShouldBe("trouble\n");
    }

    [Fact]
    public async Task LinesOfSeveralAllocationsBeginWithTheirNames()
    {
        Allocations(Allocation(Two, "web.g[10]", "failed"), Allocation(One, "web.g[0]"));
        _tasks.Write(One, "app", "one\ntwo\n");
        _tasks.Write(Two, "app", "three");
        var typed = new Typed();

        (await RunAsync(typed, "web")).ShouldBe(0);

        typed.Out.ToString().ShouldBe("web.g[0]  | one\nweb.g[0]  | two\nweb.g[10] | three\n");
    }

    [Fact]
    public async Task OneThatHasNoLogTakesNothingFromTheOthers()
    {
        Allocations(Allocation(One, "web.g[0]"), Allocation(Two, "web.g[1]", "pending"));
        _tasks.Write(One, "app", "one\n");
        var typed = new Typed();

        (await RunAsync(typed, "web")).ShouldBe(1);

        typed.Out.ToString().ShouldBe("web.g[0] | one\n");
        typed.Error.ToString().ShouldStartWith("!! There is no stdout of task app in allocation\n   aaaacccc");
    }

    [Fact]
    public async Task TasksOfOneAllocationAreToldApartAndOneOfThemCanBeChosen()
    {
        Allocations(Allocation(One, "web.g[0]", "running", "app", "proxy"));
        _tasks.Write(One, "app", "a\n");
        _tasks.Write(One, "proxy", "p\n");
        var (all, one, none) = (new Typed(), new Typed(), new Typed());

        (await RunAsync(all, "web")).ShouldBe(0);
        (await RunAsync(one, "web", "--task", "proxy")).ShouldBe(0);
        (await RunAsync(none, "web", "--task", "prox")).ShouldBe(1);

        all.Out.ToString().ShouldBe("web.g[0] app   | a\nweb.g[0] proxy | p\n");
        one.Out.ToString().ShouldBe("p\n");
        none.Error.ToString().ShouldContain("why:   Its tasks are app, proxy.");
    }

    [Fact]
    public async Task TheNewestAllocationOfANameCountsAlsoWhenItHasEnded()
    {
        Allocations(Allocation(One, "web.g[0]", "failed", index: 1), Allocation(Two, "web.g[0]", "failed", index: 2));
        _tasks.Write(One, "app", "old\n");
        _tasks.Write(Two, "app", "new\n");
        var typed = new Typed();

        (await RunAsync(typed, "web")).ShouldBe(0);

        typed.Out.ToString().ShouldBe("new\n");
    }

    [Theory]
    [InlineData("aaaab")]
    [InlineData("aaaabbbb")]
    [InlineData(One)]
    public async Task AnAllocationIsMeantByTheBeginningOfItsId(string typedId)
    {
        _nomad.Refuse($"GET /v1/job/{typedId}", 404, "job not found").On("GET /v1/allocations", $"[{Allocation(One, "web.g[0]", "complete")},{Allocation(Two, "web.g[1]")}]");
        _tasks.Write(One, "app", "one\n");
        var typed = new Typed();

        (await RunAsync(typed, typedId)).ShouldBe(0);

        typed.Out.ToString().ShouldBe("one\n");
    }

    [Theory]
    [InlineData("aaaa", "means several allocations")]
    [InlineData("ffff", "There is no job ffff, and no allocation whose id begins with it.")]
    [InlineData("wbe", "There is no job wbe")]
    public async Task WhatNamesNoneOrSeveralIsSaidSo(string typedId, string said)
    {
        _nomad.Refuse($"GET /v1/job/{typedId}", 404, "job not found").On("GET /v1/allocations", $"[{Allocation(One, "web.g[0]")},{Allocation(Two, "web.g[1]")}]");
        var typed = new Typed();

        (await RunAsync(typed, typedId)).ShouldBe(1);

        typed.Error.ToString().ShouldContain(said);
    }

    /// <summary>Lines that are longer than what is asked for at first.</summary>
    [Theory]
    [InlineData(3)]
    [InlineData(2000)]
    public async Task OnlyTheLastLinesAreShownHoweverLongTheyAre(int lines)
    {
        Allocations(Allocation(One, "web.g[0]"));
        var all = Enumerable.Range(0, 1000).Select(i => $"{i} {new string('x', 500)}\n").ToList();
        _tasks.Write(One, "app", string.Concat(all));
        var typed = new Typed();

        (await RunAsync(typed, "web", "--tail", $"{lines}")).ShouldBe(0);

        typed.Out.ToString().ShouldBe(string.Concat(all.TakeLast(lines)));
        _tasks.Asked.ShouldBeGreaterThan(1);
    }

    [Fact]
    public async Task WhatComesIsShownUntilTheTaskHasEnded()
    {
        Allocations(Allocation(One, "web.g[0]"));
        Detail(Allocation(One, "web.g[0]"));
        _tasks.Write(One, "app", "one\ntwo\n");
        var typed = new Typed();
        var logs = RunAsync(typed, "-f", "web", "--tail", "1");
        await Eventually(() => typed.Out.ToString() == "two\n", typed);

        _tasks.Write(One, "app", "three\n");
        await Eventually(() => typed.Out.ToString() == "two\nthree\n", typed);
        logs.IsCompleted.ShouldBeFalse();
        _tasks.Write(One, "app", "last\n");
        Detail(Allocation(One, "web.g[0]", "complete"));

        (await logs).ShouldBe(0);
        typed.Out.ToString().ShouldBe("two\nthree\nlast\n");
    }

    [Fact]
    public async Task ATaskThatHasNotStartedIsWaitedForAndCtrlCEndsItWithoutAWord()
    {
        Allocations(Allocation(One, "web.g[0]", "pending"));
        Detail($$"""{"ID":"{{One}}","ClientStatus":"pending","TaskStates":null}""");
        var typed = new Typed();
        using var interrupt = new CancellationTokenSource();
        var logs = typed.RunAsync(interrupt.Token, "job", "logs", "web", "--follow", "--data-dir", _host.Paths.Data);

        _tasks.Write(One, "app", "one\n");
        Detail(Allocation(One, "web.g[0]"));
        await Eventually(() => typed.Out.ToString() == "one\n", typed);
        await interrupt.CancelAsync();

        (await logs).ShouldBe(130);
        typed.Error.ToString().ShouldBeEmpty();
    }

    [Fact]
    public async Task JsonIsAnObjectALine()
    {
        Allocations(Allocation(One, "web.g[0]"));
        _tasks.Write(One, "app", "one\n\"two\"\n");
        var typed = new Typed();

        (await RunAsync(typed, "web", "--json")).ShouldBe(0);

        var lines = typed.Out.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement).ToList();
        lines.Select(l => l.GetProperty("line").GetString()).ShouldBe(["one", "\"two\""]);
        lines[0].GetProperty("allocation").GetString().ShouldBe(One);
    }

    private static string Allocation(string id, string name, string status = "running", params string[] tasks) => Allocation(id, name, status, 1, tasks);

    private static string Allocation(string id, string name, string status, int index, params string[] tasks)
    {
        var state = status switch { "running" => "running", "pending" => "pending", _ => "dead" };
        var states = string.Join(',', (tasks.Length > 0 ? tasks : ["app"]).Select(t => $$"""
            "{{t}}":{"State":"{{state}}","StartedAt":"{{(state == "pending" ? "0001-01-01T00:00:00Z" : "2030-01-01T00:00:00Z")}}"}
            """));
        return $$$"""{"ID":"{{{id}}}","Name":"{{{name}}}","ClientStatus":"{{{status}}}","DesiredStatus":"run","CreateIndex":{{{index}}},"TaskStates":{ {{{states}}} }}""";
    }

    private static async Task Eventually(Func<bool> condition, Typed typed)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!condition())
        {
            limit.IsCancellationRequested.ShouldBeFalse(typed.Out.ToString() + typed.Error);
            await Task.Delay(20);
        }
    }

    private void Allocations(params string[] allocations) => _nomad.On("GET /v1/job/web/allocations", $"[{string.Join(',', allocations)}]");

    /// <summary>The last one stays, so this replaces what was said before once that has been read.</summary>
    private void Detail(string allocation) => _nomad.On($"GET /v1/allocation/{One}", allocation);

    private Task<int> RunAsync(Typed typed, params string[] args) => typed.RunAsync(["job", "logs", .. args, "--data-dir", _host.Paths.Data]);
}
