// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cli.Output;
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class ProgressTests
{
    private static Operation Running => FakeAgentService.Running("bootstrap", "start the Nomad bootstrap server", "waits for\u001b[31m a leader\r\nof its own, which takes an election that has not been won by anybody for quite a while now") with
    {
        Done = [new StepDone("start the Consul bootstrap server", 2.13), new StepDone(string.Join(' ', Enumerable.Repeat("word", 40)), 61)],
    };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void PlainLinesHaveNoControlCharactersAndFit80Columns(bool unicode)
    {
        var typed = new Typed { Unicode = unicode, Width = 200 };
        var progress = new ProgressWriter(typed.Here);

        progress.Show(Running);
        progress.Clear();

        var text = typed.Error.ToString();
        text.Replace("\n", "", StringComparison.Ordinal).Any(char.IsControl).ShouldBeFalse();
        text.Split('\n').ShouldAllBe(l => l.Length <= 80);
        if (!unicode) text.ShouldAllBe(c => c < 128);
        text.Split('\n')[0].ShouldBe((unicode ? "✓ " : "ok") + " start the Consul bootstrap server".PadRight(73) + "2.1 s");
        text.ShouldContain("waits for [31m a leader of its own");
    }

    [Fact]
    public void PlainLinesComeOnlyWhenSomethingChanged()
    {
        var typed = new Typed();
        var progress = new ProgressWriter(typed.Here);

        for (var i = 0; i < 5; i++) progress.Show(Running with { Reason = "waits for a leader" });
        var once = typed.Error.ToString();
        progress.Show(Running with { Reason = "waits for a voter" });

        once.Split("start the Nomad bootstrap server").Length.ShouldBe(2);
        once.Split("start the Consul bootstrap server").Length.ShouldBe(2);
        typed.Error.ToString().ShouldBe(once + ".. start the Nomad bootstrap server: waits for a voter\n");
    }

    [Fact]
    public void AStepThatIsOverAtOnceHasNoWaitingLine()
    {
        var typed = new Typed();

        new ProgressWriter(typed.Here).Show(Running with { Done = [], StepStartedAt = DateTimeOffset.UtcNow });

        typed.Error.ToString().ShouldBeEmpty();
    }

    [Fact]
    public void ATerminalHasOneLiveLineThatIsTakenBack()
    {
        var typed = new Typed { Live = true, Width = 60 };
        var progress = new ProgressWriter(typed.Here);

        progress.Show(Running with { Done = [] });
        progress.Show(Running with { Done = [], StepStartedAt = DateTimeOffset.UtcNow.AddSeconds(-65) });
        progress.Done("start");

        var pieces = typed.Error.ToString().Split('\r');
        pieces.Length.ShouldBe(4);
        pieces[1].ShouldMatch("^[.][.] start the Nomad bootstrap server: waits for .*[.]{3}  [0-9][.][0-9] s\u001b\\[K$");
        pieces[2].ShouldMatch("  1 m 0[5-9] s\u001b\\[K$");
        pieces[1].Length.ShouldBeLessThanOrEqualTo(59 + "\u001b[K".Length);
        pieces[3].ShouldBe("\u001b[Kok start\n");
    }

    [Fact]
    public async Task FollowsToTheEndAndTellsEveryStepOnce()
    {
        await using var host = await AgentHost.StartAsync();
        var one = Running with { Done = [new("first", 1.5)], Reason = "" };
        host.Agent.Script(one, one, one with { Step = "third", Done = [new("first", 1.5), new("second", 0.5)] }, one with { State = Operation.Finished, EndedAt = one.StartedAt.AddSeconds(41), Done = [new("first", 1.5), new("second", 0.5), new("third", 2)] });
        var typed = new Typed();

        (await typed.RunAsync("bootstrap", "--json", "--data-dir", host.Paths.Data)).ShouldBe(0);

        typed.Error.ToString().Split('\n').Select(l => l.Split("  ")[0]).Where(l => l.StartsWith("ok", StringComparison.Ordinal)).ShouldBe(["ok first", "ok second", "ok third"]);
        typed.Out.ToString().ShouldStartWith("{\n  \"id\": \"bootstrap-1\"");
    }
}
