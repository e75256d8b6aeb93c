// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Nomadstack.Relay;
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Relay;

/// <summary>What passes, in both directions.</summary>
public sealed class ForwarderTests
{
    [Fact]
    public async Task TheProductHearsOurTokenAndNothingThatABrowserSaysOfItself()
    {
        await using var room = await RelayRoom.EnteredAsync();
        IHeaderDictionary seen = new HeaderDictionary();
        room.Answer = http =>
        {
            seen = new HeaderDictionary(http.Request.Headers.ToDictionary());
            return Task.CompletedTask;
        };

        using var answer = await room.SendAsync("/v1/jobs", headers:
        [
            ("X-Nomad-Token", "stolen"), ("X-Consul-Token", ""), ("Authorization", "Bearer stolen"), ("Origin", room.Address.GetLeftPart(UriPartial.Authority)), ("Referer", room.Address + "ui/"),
            ("X-Forwarded-For", "10.0.0.9"), ("Connection", "X-Mine"), ("X-Mine", "of this connection"), ("X-Nomad-Index", "passes"), ("Accept-Encoding", "gzip"),
        ]);

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        seen["X-Nomad-Token"].ToString().ShouldBe(RelayRoom.Token);
        seen["X-Nomad-Index"].ToString().ShouldBe("passes");
        seen.AcceptEncoding.ToString().ShouldBe("gzip");
        seen.Host.ToString().ShouldNotBe(room.Address.Authority);
        foreach (var gone in new[] { "Cookie", "X-Consul-Token", "Authorization", "Origin", "Referer", "Sec-Fetch-Site", "X-Forwarded-For", "X-Mine" }) seen.ContainsKey(gone).ShouldBeFalse(gone);
    }

    [Fact]
    public async Task TheProductPutsNothingIntoTheBrowserAndNoOtherPageMayReadItsAnswers()
    {
        await using var room = await RelayRoom.EnteredAsync();
        room.Answer = http =>
        {
            http.Response.StatusCode = 418;
            http.Response.Headers.SetCookie = "a=b";
            http.Response.Headers.AccessControlAllowOrigin = "*";
            http.Response.Headers["X-Nomad-Index"] = "42";
            http.Response.ContentType = "text/html";
            return http.Response.WriteAsync("<script>of a job</script>");
        };

        using var answer = await room.SendAsync("/v1/client/fs/cat/a?path=x");

        ((int)answer.StatusCode).ShouldBe(418);
        answer.Headers.GetValues("X-Nomad-Index").ShouldBe(["42"]);
        answer.Headers.Contains("Set-Cookie").ShouldBeFalse();
        answer.Headers.Contains("Access-Control-Allow-Origin").ShouldBeFalse();
        answer.Headers.GetValues("Referrer-Policy").ShouldBe(["no-referrer"]);
        // What a job has written can be no page of ours.
        answer.Headers.GetValues("Content-Security-Policy").ShouldBe(["sandbox"]);
        answer.Headers.GetValues("X-Content-Type-Options").ShouldBe(["nosniff"]);
        answer.Headers.GetValues("Cross-Origin-Resource-Policy").ShouldBe(["same-origin"]);
    }

    [Fact]
    public async Task ThePageItselfIsNoSandbox()
    {
        await using var room = await RelayRoom.EnteredAsync();

        using var answer = await room.SendAsync("/ui/");

        answer.Headers.Contains("Content-Security-Policy").ShouldBeFalse();
        (await answer.Content.ReadAsStringAsync()).ShouldBe("the page");
    }

    [Theory]
    [InlineData("/v1/job/a%2Fb%20c?namespace=*&x=%2F..%2F")]
    [InlineData("//evil.example/x")]
    [InlineData("/ui/../v1/%2e%2e/jobs?")]
    public async Task APathPassesAsItWasWritten(string target)
    {
        await using var room = await RelayRoom.EnteredAsync();
        room.Answer = http => http.Response.WriteAsync(http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);

        using var answer = await room.SendAsync(target);

        (await answer.Content.ReadAsStringAsync()).ShouldBe(target);
    }

    [Theory]
    [InlineData("HEAD", 200, 5L)]
    [InlineData("GET", 204, null)]
    [InlineData("GET", 304, null)]
    [InlineData("DELETE", 200, 5L)]
    public async Task AnAnswerHasTheLengthThatTheProductSaid(string method, int status, long? length)
    {
        await using var room = await RelayRoom.EnteredAsync();
        room.Answer = async http =>
        {
            http.Response.StatusCode = status;
            if (status != 200) return;
            http.Response.ContentLength = 5;
            if (method != "HEAD") await http.Response.WriteAsync("12345");
        };

        for (var i = 0; i < 2; i++)
        {
            using var answer = await room.SendAsync("/v1/jobs", new HttpMethod(method));
            ((int)answer.StatusCode).ShouldBe(status);
            if (length is not null) answer.Content.Headers.ContentLength.ShouldBe(length);
            (await answer.Content.ReadAsStringAsync()).ShouldBe(method != "HEAD" && length is not null ? "12345" : "");
        }
    }

    [Fact]
    public async Task ARedirectStaysOnTheRelay()
    {
        await using var room = await RelayRoom.EnteredAsync();
        var to = "";
        room.Answer = http =>
        {
            http.Response.StatusCode = 307;
            http.Response.Headers.Location = to.Replace("{own}", $"http://{http.Request.Host}", StringComparison.Ordinal);
            return Task.CompletedTask;
        };

        foreach (var (said, heard) in new[] { ("{own}/ui/jobs?a=b#c", "/ui/jobs?a=b#c"), ("{own}", "/"), ("/ui/", "/ui/"), ("jobs", "jobs"), ("https://login.example/x", "https://login.example/x") })
        {
            to = said;
            using var answer = await room.SendAsync("/");
            answer.Headers.GetValues("Location").ShouldBe([heard]);
        }
    }

    /// <summary>Keys are replaced and clusters are closed while a page is open.</summary>
    [Theory]
    [InlineData(400, true)]
    [InlineData(401, true)]
    [InlineData(403, true)]
    [InlineData(404, false)]
    [InlineData(500, false)]
    public async Task AfterARefusalTheAgentIsAskedAnew(int status, bool anew)
    {
        await using var room = await RelayRoom.EnteredAsync();
        room.Answer = http =>
        {
            http.Response.StatusCode = status;
            return Task.CompletedTask;
        };
        ((int)(await room.SendAsync("/v1/jobs")).StatusCode).ShouldBe(status);

        room.AgentProblem = new("agent/asked", "The agent was asked.", "", "");

        ((int)(await room.SendAsync("/v1/jobs")).StatusCode).ShouldBe(anew ? 503 : status);
    }

    [Fact]
    public async Task AProductThatIsDownIsToldAndServesAgainWhenItIsBackElsewhere()
    {
        await using var room = await RelayRoom.EnteredAsync();
        (await room.SendAsync("/ui/")).StatusCode.ShouldBe(HttpStatusCode.OK);
        await room.StopProductAsync();

        using (var call = await room.SendAsync("/v1/jobs"))
        {
            call.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
            call.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
            (await call.Content.ReadAsStringAsync()).ShouldContain("\"code\":\"ui/away\"");
        }

        using (var page = await room.SendAsync("/ui/"))
        {
            page.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
            var text = await page.Content.ReadAsStringAsync();
            text.ShouldContain("Nomad at http://127.0.0.1:");
            text.ShouldContain("http-equiv=\"refresh\"");
        }

        await room.StartProductAsync();

        using var back = await room.SendAsync("/ui/");
        (await back.Content.ReadAsStringAsync()).ShouldBe("the page");
    }

    [Fact]
    public async Task AnAgentThatIsDownIsToldInItsOwnWords()
    {
        await using var room = await RelayRoom.EnteredAsync();
        room.AgentProblem = new("agent/unreachable", "No agent answers.", "It is off.", "Start it.");

        using (var answer = await room.SendAsync("/v1/jobs")) (await answer.Content.ReadAsStringAsync()).ShouldContain("\"code\":\"agent/unreachable\"");

        room.AgentProblem = null;
        (await room.SendAsync("/v1/jobs")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task AProductThatTheClusterDoesNotHaveIsTold()
    {
        var upstream = new Upstream(Role.Row(Role.Consul), _ => Task.FromResult(FakeAgentService.At("http://127.0.0.1:1", null)));

        (await Should.ThrowAsync<Nomadstack.Cluster.ProblemException>(() => upstream.FindAsync(CancellationToken.None))).Problem.Code.ShouldBe("ui/no-product");
    }
}
