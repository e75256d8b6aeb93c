// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using Nomadstack.Cluster;
using Nomadstack.Relay;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Relay;

/// <summary>Who is let in, over real connections.</summary>
public sealed class RelayHostTests
{
    [Fact]
    public async Task NothingIsRelayedWithoutTheCookie()
    {
        await using var room = await RelayRoom.EnteredAsync();
        var asked = 0;
        room.Answer = _ =>
        {
            asked++;
            return Task.CompletedTask;
        };

        foreach (var cookie in new[] { null, room.Cookie + "0", room.Cookie[..^1] })
        {
            using var refused = await room.SendAsync("/v1/jobs", headers: ("Cookie", cookie));
            refused.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
            (await refused.Content.ReadAsStringAsync()).ShouldContain("\"code\":\"ui/not-entered\"");
        }

        asked.ShouldBe(0);
    }

    [Fact]
    public async Task ThePageThatRefusesSaysWhatWhyAndWhatToDo()
    {
        await using var room = await RelayRoom.OpenAsync();

        using var refused = await room.SendAsync("/ui/jobs");

        refused.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        refused.Content.Headers.ContentType!.MediaType.ShouldBe("text/html");
        var problem = RelayProblems.NotEntered();
        var page = WebUtility.HtmlDecode(await refused.Content.ReadAsStringAsync());
        page.ShouldContain(problem.What);
        page.ShouldContain(problem.Why);
        page.ShouldContain(problem.Fix);
    }

    [Fact]
    public async Task TheAddressLetsOneBrowserInAndLeadsItToThePage()
    {
        await using var room = await RelayRoom.OpenAsync();

        using var entered = await room.Browser.GetAsync(room.Relay.EntryAddress);
        using var again = await room.Browser.GetAsync(room.Relay.EntryAddress);

        entered.StatusCode.ShouldBe(HttpStatusCode.SeeOther);
        entered.Headers.Location!.OriginalString.ShouldBe("/ui/");
        entered.Headers.GetValues("Referrer-Policy").ShouldBe(["no-referrer"]);
        entered.Headers.CacheControl!.NoStore.ShouldBeTrue();
        again.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        again.Headers.Contains("Set-Cookie").ShouldBeFalse();
    }

    [Fact]
    public async Task AnotherPageDoesNotSpendTheCode()
    {
        await using var room = await RelayRoom.OpenAsync();
        using var led = new HttpRequestMessage(HttpMethod.Get, room.Relay.EntryAddress);
        led.Headers.Add("Sec-Fetch-Site", "cross-site");
        using var head = new HttpRequestMessage(HttpMethod.Head, room.Relay.EntryAddress);

        (await room.Browser.SendAsync(led)).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await room.Browser.SendAsync(head)).StatusCode.ShouldBe(HttpStatusCode.Forbidden);

        (await room.Browser.GetAsync(room.Relay.EntryAddress)).StatusCode.ShouldBe(HttpStatusCode.SeeOther);
    }

    [Theory]
    [InlineData("Host", "evil.example")]
    [InlineData("Origin", "http://evil.example")]
    [InlineData("Sec-Fetch-Site", "cross-site")]
    [InlineData("Sec-Fetch-Site", "same-site")]
    public async Task AnotherPageIsRefusedAlthoughItHasTheCookie(string header, string value)
    {
        await using var room = await RelayRoom.EnteredAsync();
        var asked = false;
        room.Answer = _ => Task.FromResult(asked = true);

        using var refused = await room.SendAsync("/v1/jobs", HttpMethod.Post, (header, value));

        refused.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        asked.ShouldBeFalse();
    }

    [Fact]
    public async Task AnotherUserOfTheMachineIsRefusedBeforeHisCodeIsLookedAt()
    {
        // Everybody but this process's own user, and that is who connects.
        await using var room = await RelayRoom.OpenAsync(operators: new HashSet<uint> { 4711 });

        using var refused = await room.Browser.GetAsync(room.Relay.EntryAddress);

        refused.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        WebUtility.HtmlDecode(await refused.Content.ReadAsStringAsync()).ShouldContain(RelayProblems.OtherUser(Nomadstack.Ground.Kernel.Libc.GetEffectiveUserId()).Why);
        refused.Headers.Contains("Set-Cookie").ShouldBeFalse();
    }

    /// <summary>With the operator's own cookie, as another server of this host might get to see it.</summary>
    [SkippableFact]
    public async Task AProcessOfAnotherUserIsRefusedWithTheRightCookie()
    {
        Skip.IfNot(Nomadstack.Ground.Kernel.Libc.GetEffectiveUserId() == 0 && File.Exists("/usr/bin/setpriv") && File.Exists("/usr/bin/curl"), "only root can be another user, with setpriv and curl");
        await using var room = await RelayRoom.EnteredAsync();

        (await CurlAsync(room)).ShouldBe("200");
        (await CurlAsync(room, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")).ShouldBe("403");
    }

    [Fact]
    public async Task ItListensOn127_0_0_1Alone()
    {
        await using var room = await RelayRoom.OpenAsync();

        foreach (var other in new[] { "127.0.0.2", "::1" })
        {
            using var socket = new Socket(IPAddress.Parse(other).AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            (await Should.ThrowAsync<SocketException>(() => socket.ConnectAsync(other, room.Address.Port))).SocketErrorCode
                .ShouldBeOneOf(SocketError.ConnectionRefused, SocketError.AddressNotAvailable, SocketError.AddressFamilyNotSupported);
        }
    }

    [Fact]
    public async Task APortThatIsTakenIsTold()
    {
        await using var room = await RelayRoom.OpenAsync();

        var refused = await Should.ThrowAsync<ProblemException>(() => RelayHost.StartAsync(new(room.Row, _ => throw new InvalidOperationException()), room.Address.Port, new HashSet<uint>(), TimeProvider.System, CancellationToken.None));

        refused.Problem.Code.ShouldBe("ui/port-taken");
    }

    [Fact]
    public async Task TheEndOfTheRelayEndsWhatIsUnderWay()
    {
        var room = await RelayRoom.EnteredAsync();
        var (arrived, gone) = (new TaskCompletionSource(), new TaskCompletionSource());
        room.Answer = async http =>
        {
            arrived.SetResult();
            http.RequestAborted.Register(gone.SetResult);
            await gone.Task;
        };
        var waiting = room.SendAsync("/v1/jobs?index=7&wait=5m");
        await arrived.Task;

        await room.Relay.DisposeAsync();

        await gone.Task.WaitAsync(TimeSpan.FromSeconds(20));
        await Should.ThrowAsync<HttpRequestException>(() => waiting);
        await room.DisposeAsync();
    }

    private static async Task<string> CurlAsync(RelayRoom room, params string[] before)
    {
        string[] line = [.. before, "curl", "--silent", "--noproxy", "*", "--output", "/dev/null", "--write-out", "%{http_code}", "--cookie", room.Cookie, room.Address + "v1/jobs"];
        using var curl = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(line[0], line[1..]) { RedirectStandardOutput = true })!;
        var code = await curl.StandardOutput.ReadToEndAsync();
        await curl.WaitForExitAsync();
        return code;
    }
}
