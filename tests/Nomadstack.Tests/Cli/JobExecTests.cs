// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class JobExecTests : IAsyncLifetime
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
    public async Task InputGoesInOutputComesOutAndTheExitCodeIsTheCommands()
    {
        Allocations(Allocation(Two, "failed", "web.g[0]"), Allocation(One, "running", "web.g[1]"));
        var typed = new Typed { Input = "hello\n", ["NOMAD_TOKEN"] = "secret" };

        (await RunAsync(typed, "web", "cat", "-n", "--help")).ShouldBe(7);

        typed.Out.ToString().ShouldBe("HELLO\n");
        typed.Error.ToString().ShouldBe("a warning\n");
        _tasks.Ran.ShouldHaveSingleItem().ShouldBe($"{One}/app tty=false [\"cat\",\"-n\",\"--help\"] < hello\n");
        _nomad.Tokens.ShouldAllBe(t => t == "secret");
    }

    [Fact]
    public async Task WhyACommandCouldNotBeRunIsTold()
    {
        Allocations(Allocation(One, "running", "web.g[0]"));
        var typed = new Typed();

        (await RunAsync(typed, "web", "missing")).ShouldBe(1);

        typed.Error.ToString().ShouldContain("why:   exec: missing: not found");
    }

    [Fact]
    public async Task AnEngineWithoutItIsToldByItsOwnWords()
    {
        Allocations(Allocation(One, "running", "web.g[0]"));
        _nomad.First = _ => Task.FromResult(false);
        _nomad.Refuse($"GET /v1/client/allocation/{One}/exec", 501, "nomadstack's embedded engine does not answer GET …/exec; HashiCorp's Nomad does.");
        var typed = new Typed();

        (await RunAsync(typed, "web", "ls")).ShouldBe(1);

        typed.Error.ToString().ShouldContain("why:   nomadstack's embedded engine does not answer GET");
    }

    [Fact]
    public async Task SeveralAllocationsOrTasksMustBeChosenFrom()
    {
        Allocations(Allocation(One, "running", "web.g[0]"), Allocation(Two, "running", "web.g[1]"));
        _nomad.Refuse("GET /v1/job/aaaabbbb", 404, "job not found").On("GET /v1/allocations", $"[{Allocation(One, "running", "web.g[0]", "app", "proxy")}]");
        var (job, allocation) = (new Typed(), new Typed());

        (await RunAsync(job, "web", "ls")).ShouldBe(1);
        (await RunAsync(allocation, "aaaabbbb", "ls")).ShouldBe(1);

        job.Error.ToString().ShouldContain("They are aaaabbbb, aaaacccc.");
        allocation.Error.ToString().ShouldContain("Allocation aaaabbbb has several tasks.");
        _tasks.Ran.ShouldBeEmpty();
    }

    /// <summary>The keys of a terminal go to the command, Ctrl-C too, and the terminal is as before when it has ended.</summary>
    [SkippableFact]
    public async Task ATerminalIsLentToTheCommandAndGivenBack()
    {
        Skip.IfNot(File.Exists("/usr/bin/script"), "no script program (util-linux)");
        Allocations(Allocation(One, "running", "web.g[0]"));
        var data = _host.Paths.Data;
        var command = $"stty -echo cols 83 rows 27; stty -a >{data}/before; $nomadstack --data-dir {data} job exec web sh; echo code $? >{data}/code; stty -a >{data}/after; touch {data}/done";
        using var process = Built.Start($"exec script -qec '{command}' /dev/null", _host.Paths.Run);
        try
        {
            using var limit = new CancellationTokenSource(Built.Deadline);
            (await _tasks.Size.Task.WaitAsync(Built.Deadline)).ShouldBe("83x27");
            await process.StandardInput.WriteAsync("stop\u0003");
            await process.StandardInput.FlushAsync(limit.Token);
            while (!File.Exists(Path.Combine(_host.Paths.Data, "done")))
            {
                limit.IsCancellationRequested.ShouldBeFalse(string.Join('\n', _tasks.Ran));
                await Task.Delay(50);
            }

            // Sent as it was typed, not acted on.
            _tasks.Ran.ShouldHaveSingleItem().ShouldBe($"{One}/app tty=true [\"sh\"] < stop\u0003");
            (await File.ReadAllTextAsync(Path.Combine(_host.Paths.Data, "code"))).ShouldBe("code 7\n");
            (await File.ReadAllTextAsync(Path.Combine(_host.Paths.Data, "after"))).ShouldBe(await File.ReadAllTextAsync(Path.Combine(_host.Paths.Data, "before")));
        }
        finally
        {
            process.Kill(entireProcessTree: true);
        }
    }

    private static string Allocation(string id, string status, string name, params string[] tasks) =>
        $$$"""{"ID":"{{{id}}}","Name":"{{{name}}}","ClientStatus":"{{{status}}}","DesiredStatus":"run","TaskStates":{ {{{string.Join(',', (tasks.Length > 0 ? tasks : ["app"]).Select(t => $"\"{t}\":{{}}"))}}} }}""";

    private void Allocations(params string[] allocations) => _nomad.On("GET /v1/job/web/allocations", $"[{string.Join(',', allocations)}]");

    private Task<int> RunAsync(Typed typed, params string[] args) => typed.RunAsync(["--data-dir", _host.Paths.Data, "job", "exec", .. args]);
}
