// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Http;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Relay;

/// <summary>WebSockets: a command in a task, and the page's own watching.</summary>
public sealed class RelaySocketTests
{
    private static readonly CancellationToken s_deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;

    [Fact]
    public async Task WhatIsTypedComesBackUntilTheProductCloses()
    {
        await using var room = await RelayRoom.EnteredAsync();
        string? query = null, token = null;
        room.Answer = async http =>
        {
            (query, token) = (http.Request.QueryString.Value, http.Request.Headers["X-Nomad-Token"]);
            using var socket = await http.WebSockets.AcceptWebSocketAsync("echo");
            var buffer = new byte[100];
            while (await socket.ReceiveAsync(buffer, s_deadline) is { MessageType: not WebSocketMessageType.Close } heard)
            {
                if (Encoding.ASCII.GetString(buffer, 0, heard.Count) == "exit") break;
                await socket.SendAsync(buffer.AsMemory(0, heard.Count), heard.MessageType, heard.EndOfMessage, s_deadline);
            }

            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "it has ended", s_deadline);
        };

        using var browser = await ConnectAsync(room, "/v1/client/allocation/a/exec?task=t&ws_handshake=true&tty=true");
        foreach (var word in new[] { "one", "two" })
        {
            await browser.SendAsync(Encoding.ASCII.GetBytes(word), WebSocketMessageType.Text, true, s_deadline);
            (await HearAsync(browser)).ShouldBe(word);
        }

        await browser.SendAsync("exit"u8.ToArray(), WebSocketMessageType.Text, true, s_deadline);
        (await HearAsync(browser)).ShouldBe("closed: it has ended");

        browser.SubProtocol.ShouldBe("echo");
        token.ShouldBe(RelayRoom.Token);
        // The token is in the header: a browser's first message has none.
        query.ShouldBe("?task=t&tty=true");
    }

    [Fact]
    public async Task ABrowserThatGoesAwayEndsTheCommand()
    {
        await using var room = await RelayRoom.EnteredAsync();
        var ended = new TaskCompletionSource();
        room.Answer = async http =>
        {
            using var socket = await http.WebSockets.AcceptWebSocketAsync();
            await Should.ThrowAsync<WebSocketException>(() => socket.ReceiveAsync(new byte[10], s_deadline));
            ended.SetResult();
        };
        var browser = await ConnectAsync(room, "/v1/client/allocation/a/exec");

        browser.Abort();

        await ended.Task.WaitAsync(s_deadline);
    }

    [Fact]
    public async Task AProductThatGoesAwayEndsTheBrowsersSocket()
    {
        await using var room = await RelayRoom.EnteredAsync();
        var accepted = new TaskCompletionSource();
        room.Answer = async http =>
        {
            using var socket = await http.WebSockets.AcceptWebSocketAsync();
            accepted.SetResult();
            await socket.ReceiveAsync(new byte[10], s_deadline);
        };
        using var browser = await ConnectAsync(room, "/v1/client/allocation/a/exec");
        await accepted.Task;

        await room.StopProductAsync();

        await Should.ThrowAsync<WebSocketException>(() => HearAsync(browser));
    }

    [Theory]
    [InlineData("Origin", "http://evil.example")]
    [InlineData("Cookie", "none=1")]
    public async Task AnotherPageGetsNoSocket(string header, string value)
    {
        await using var room = await RelayRoom.EnteredAsync();
        var asked = false;
        room.Answer = _ => Task.FromResult(asked = true);

        await Should.ThrowAsync<WebSocketException>(() => ConnectAsync(room, "/v1/client/allocation/a/exec", (header, value)));

        asked.ShouldBeFalse();
    }

    [Fact]
    public async Task ARefusalIsTheProductsOwn()
    {
        await using var room = await RelayRoom.EnteredAsync();
        room.Answer = http =>
        {
            http.Response.StatusCode = 404;
            return http.Response.WriteAsync("unknown allocation");
        };
        using var request = room.Request("/v1/client/allocation/a/exec", null, ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="));

        using var answer = await room.Browser.SendAsync(request, s_deadline);

        answer.StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await answer.Content.ReadAsStringAsync(s_deadline)).ShouldBe("unknown allocation");
    }

    private static async Task<ClientWebSocket> ConnectAsync(RelayRoom room, string path, params (string Name, string Value)[] headers)
    {
        var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("echo");
        var all = new Dictionary<string, string> { ["Cookie"] = room.Cookie, ["Origin"] = room.Address.GetLeftPart(UriPartial.Authority) };
        foreach (var (name, value) in headers) all[name] = value;
        foreach (var (name, value) in all) socket.Options.SetRequestHeader(name, value);
        await socket.ConnectAsync(new Uri($"ws://{room.Address.Authority}{path}"), s_deadline);
        return socket;
    }

    private static async Task<string> HearAsync(ClientWebSocket socket)
    {
        var buffer = new byte[100];
        var heard = await socket.ReceiveAsync(buffer, s_deadline);
        return heard.MessageType == WebSocketMessageType.Close ? "closed: " + heard.CloseStatusDescription : Encoding.ASCII.GetString(buffer, 0, heard.Count);
    }
}
