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
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(20);

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

    [Fact]
    public async Task AStreamWithoutEndComesAsItIsMade()
    {
        await using var room = await RelayRoom.EnteredAsync();
        var more = new SemaphoreSlim(0);
        room.Answer = async http =>
        {
            for (var i = 1; ; i++)
            {
                await http.Response.WriteAsync($"line {i}\n");
                await http.Response.Body.FlushAsync();
                await more.WaitAsync(http.RequestAborted);
            }
        };
        using var request = room.Request("/v1/event/stream");

        using var answer = await room.Browser.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync());

        for (var i = 1; i < 4; i++)
        {
            (await lines.ReadLineAsync().WaitAsync(s_deadline)).ShouldBe($"line {i}");
            more.Release();
        }
    }

    [Fact]
    public async Task ThatThereIsALogIsToldBeforeItsFirstLine()
    {
        await using var room = await RelayRoom.EnteredAsync();
        room.Answer = async http =>
        {
            await http.Response.Body.FlushAsync();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
        };
        using var request = room.Request("/v1/client/fs/logs/a?follow=true");

        using var answer = await room.Browser.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(s_deadline);

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ABrowserThatGoesAwayEndsTheRequest(bool answered)
    {
        await using var room = await RelayRoom.EnteredAsync();
        var (arrived, gone) = (new TaskCompletionSource(), new TaskCompletionSource());
        room.Answer = async http =>
        {
            http.RequestAborted.Register(() => gone.TrySetResult());
            if (answered) await http.Response.Body.FlushAsync();
            arrived.SetResult();
            await gone.Task;
        };
        using var leaves = new CancellationTokenSource();
        using var request = room.Request("/v1/jobs?index=7&wait=10m");
        var asking = room.Browser.SendAsync(request, leaves.Token);
        await arrived.Task.WaitAsync(s_deadline);

        await leaves.CancelAsync();

        await gone.Task.WaitAsync(s_deadline);
        await Should.ThrowAsync<OperationCanceledException>(() => asking);
    }

    [Fact]
    public async Task AnUploadPassesWhole()
    {
        await using var room = await RelayRoom.EnteredAsync();
        room.Answer = async http =>
        {
            using var all = new MemoryStream();
            await http.Request.Body.CopyToAsync(all);
            await http.Response.WriteAsync($"{http.Request.Method} {http.Request.ContentType} {http.Request.ContentLength} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(all.ToArray()))}");
        };
        // More than Kestrel takes by default.
        var bytes = new byte[40 << 20];
        new Random(1).NextBytes(bytes);
        using var request = room.Request("/v1/operator/snapshot", HttpMethod.Put);
        request.Content = new ByteArrayContent(bytes) { Headers = { ContentType = new("application/octet-stream") } };

        using var answer = await room.Browser.SendAsync(request);

        (await answer.Content.ReadAsStringAsync()).ShouldBe($"PUT application/octet-stream {bytes.Length} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(bytes))}");
    }

    [Fact]
    public async Task WhatChangesSomethingIsNotDoneTwiceWhenTheConnectionBreaks()
    {
        await using var room = await RelayRoom.EnteredAsync();
        var asked = 0;
        // A connection that is used again is one on which .NET would try once more.
        (await room.SendAsync("/v1/status/leader")).Dispose();
        room.Answer = http =>
        {
            Interlocked.Increment(ref asked);
            http.Abort();
            return Task.CompletedTask;
        };

        using var answer = await room.SendAsync("/v1/system/gc", HttpMethod.Put);

        answer.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await answer.Content.ReadAsStringAsync()).ShouldContain("\"code\":\"ui/broken-off\"");
        asked.ShouldBe(1);
    }

    [Fact]
    public async Task AnAnswerThatBreaksOffIsNotTakenForTheWhole()
    {
        await using var room = await RelayRoom.EnteredAsync();
        var heard = new TaskCompletionSource();
        room.Answer = async http =>
        {
            await http.Response.WriteAsync("half");
            await http.Response.Body.FlushAsync();
            await heard.Task;
            http.Abort();
        };
        using var request = room.Request("/v1/jobs");
        using var answer = await room.Browser.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await using var body = await answer.Content.ReadAsStreamAsync();
        await body.ReadExactlyAsync(new byte[4]);

        heard.SetResult();

        (await Should.ThrowAsync<IOException>(() => body.ReadExactlyAsync(new byte[1]).AsTask())).ShouldNotBeOfType<EndOfStreamException>();
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
