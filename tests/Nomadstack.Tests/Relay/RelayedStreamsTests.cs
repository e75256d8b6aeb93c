// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Microsoft.AspNetCore.Http;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Relay;

/// <summary>What takes long, is large, or ends before its end.</summary>
public sealed class RelayedStreamsTests
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(20);

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
}
