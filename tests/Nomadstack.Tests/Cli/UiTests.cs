// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Doctor;
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class UiTests : IAsyncLifetime, IDisposable
{
    private readonly CancellationTokenSource _interrupt = new();
    private AgentHost _host = null!;
    private FakeNomad _nomad = null!;

    public async Task InitializeAsync()
    {
        _host = await AgentHost.StartAsync();
        _nomad = await FakeNomad.StartAsync();
        _nomad.On("GET /ui/", "the page");
        _host.Agent.Where = FakeAgentService.At(_nomad.Address, null);
    }

    public async Task DisposeAsync()
    {
        await _nomad.DisposeAsync();
        await _host.DisposeAsync();
    }

    public void Dispose() => _interrupt.Dispose();

    [Fact]
    public async Task TheBrowserIsOpenedWithTheAddressThatIsPrintedAndCtrlCEndsIt()
    {
        _host.Agent.Where = FakeAgentService.At(_nomad.Address, "http://127.0.0.1:8500");
        var opened = new TaskCompletionSource<string>();
        var typed = new Typed { User = new User("alice", false, 1024), ["DISPLAY"] = ":0", Browse = address => Opened(opened, address) };

        var running = typed.RunAsync(_interrupt.Token, "ui", "--data-dir", _host.Paths.Data);
        var address = await opened.Task.WaitAsync(TimeSpan.FromSeconds(20));
        var page = await EnterAsync(address);
        await _interrupt.CancelAsync();

        (await running).ShouldBe(0);
        page.ShouldBe("the page");
        typed.Out.ToString().ShouldBe(address + "\n");
        typed.Error.ToString().ShouldContain("Nomad's own page: opened in the browser.");
        typed.Error.ToString().ShouldContain("`nomadstack ui consul`");
        await Should.ThrowAsync<HttpRequestException>(() => EnterAsync(address));
    }

    [Theory]
    [InlineData("alice", "", "there is no display here")]
    [InlineData("root", ":0", "no browser is started as root")]
    public async Task WhereNoBrowserCanBeOpenedTheOperatorIsTold(string user, string display, string why)
    {
        var typed = new Typed { User = new User(user, user == "root", 1024), ["DISPLAY"] = display, Browse = _ => throw new InvalidOperationException("a browser was opened") };

        await UntilPrintedAsync(typed, "ui");

        typed.Error.ToString().ShouldContain(why + ", open the address yourself");
        // This cluster has no other product.
        typed.Error.ToString().ShouldNotContain("nomadstack ui");
    }

    [Fact]
    public async Task PrintUrlPrintsTheAddressAndNothingElse()
    {
        var typed = new Typed { User = new User("alice", false, 1024), ["DISPLAY"] = ":0", Browse = _ => throw new InvalidOperationException("a browser was opened") };

        await UntilPrintedAsync(typed, "ui", "--print-url");

        typed.Error.ToString().ShouldBeEmpty();
        new Uri(typed.Out.ToString().Trim()).AbsolutePath.ShouldBe("/enter");
    }

    [Fact]
    public async Task JsonNamesTheProductTheAddressAndItsEnd()
    {
        var typed = new Typed();

        await UntilPrintedAsync(typed, "ui", "nomad", "--json");

        using var document = JsonDocument.Parse(typed.Out.ToString());
        document.RootElement.GetProperty("product").GetString().ShouldBe("nomad");
        document.RootElement.GetProperty("url").GetString()!.ShouldStartWith("http://127.0.0.1:");
        document.RootElement.GetProperty("validUntil").GetDateTimeOffset().ShouldBeInRange(DateTimeOffset.UtcNow, DateTimeOffset.UtcNow.AddMinutes(2));
        typed.Error.ToString().ShouldBeEmpty();
    }

    /// <summary>The agent's own <c>--port NAME=PORT</c> is NOMADSTACK_PORT.</summary>
    [Fact]
    public async Task ThePortIsOnesChoiceAndItsVariableIsNotTheAgents()
    {
        var port = Nomadstack.Tests.Peers.TestNode.FreePort("127.0.0.1");
        var typed = new Typed { ["NOMADSTACK_UI_PORT"] = port.ToString(System.Globalization.CultureInfo.InvariantCulture), ["NOMADSTACK_PORT"] = "nomad-client-http=14646" };

        await UntilPrintedAsync(typed, "ui", "--print-url");

        new Uri(typed.Out.ToString().Trim()).Port.ShouldBe(port);
    }

    [Fact]
    public async Task AProductThatTheClusterDoesNotHaveIsAFailure()
    {
        var typed = new Typed();

        (await typed.RunAsync("ui", "consul", "--data-dir", _host.Paths.Data)).ShouldBe(1);

        typed.Error.ToString().ShouldContain("This cluster has no Consul.");
    }

    [Fact]
    public async Task AClientNodeLetsNobodyIn()
    {
        _host.Agent.Where = FakeAgentService.At(_nomad.Address, null) with { Client = new("node/client", "n1 is a client node.", "It has no token.", "Use a server node.") };
        var typed = new Typed();

        (await typed.RunAsync("ui", "--data-dir", _host.Paths.Data)).ShouldBe(1);

        typed.Error.ToString().ShouldContain("n1 is a client node.");
        typed.Out.ToString().ShouldBeEmpty();
    }

    [Fact]
    public async Task AnythingElseIsNoProduct() => (await new Typed().RunAsync("ui", "vault", "--data-dir", _host.Paths.Data)).ShouldBe(2);

    [Fact]
    public async Task WithoutAnAgentItSaysSo()
    {
        await _host.StopAsync();

        (await new Typed().RunAsync("ui", "--data-dir", _host.Paths.Data)).ShouldBe(5);
    }

    private static string? Opened(TaskCompletionSource<string> opened, string address)
    {
        opened.SetResult(address);
        return null;
    }

    private static async Task<string> EnterAsync(string address)
    {
        using var browser = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        return await browser.GetStringAsync(address);
    }

    /// <summary>Ends it when its address is there: that is the last thing it does.</summary>
    private async Task UntilPrintedAsync(Typed typed, params string[] args)
    {
        var running = typed.RunAsync(_interrupt.Token, [.. args, "--data-dir", _host.Paths.Data]);
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!typed.Out.ToString().Contains('\n') && !running.IsCompleted) await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, deadline.Token);
        await _interrupt.CancelAsync();
        (await running).ShouldBe(0);
    }
}
