// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Http;

/// <summary>What a page in a browser would send.</summary>
public sealed class CallersTests
{
    [Theory]
    [InlineData("Host", "evil.example", "The host \"evil.example\" is neither an IP address")]
    [InlineData("Host", "evil.example:4646", "The host \"evil.example\" is neither an IP address")]
    [InlineData("Origin", "http://evil.example", "The origin http://evil.example is another site's")]
    [InlineData("Origin", "null", "The origin null is another site's")]
    [InlineData("Origin", "http://127.0.0.1:1", "The origin http://127.0.0.1:1 is another site's")]
    [InlineData("Sec-Fetch-Site", "cross-site", "A page of another site")]
    public async Task IsRefusedOnEveryPort(string header, string value, string why)
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        foreach (var address in new[] { agent.Server.Config.Advertise.Http, agent.Server.Config.Advertise.Rpc })
        {
            foreach (var (method, path) in new[] { ("PUT", "/v1/system/gc"), ("GET", "/v1/jobs"), ("GET", "/"), ("GET", "/v1/nothing"), ("DELETE", "/v1/job/web") })
            {
                var (status, text) = await SendAsync(agent, method, $"http://{address}{path}", header, value);
                (status, text.StartsWith(why, StringComparison.Ordinal)).ShouldBe((403, true), $"{method} {address}{path}: {text}");
            }
        }
    }

    [Theory]
    [InlineData("Host", "localhost:4646")]
    [InlineData("Host", "192.0.2.1:4646")]
    [InlineData("Host", "[::1]:4646")]
    [InlineData("Host", "s1")]
    [InlineData("Sec-Fetch-Site", "none")]
    public async Task IsAnsweredWhenItIsNoOtherSites(string header, string value)
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        (await SendAsync(agent, "PUT", $"http://{agent.Server.Config.Advertise.Http}/v1/system/gc", header, value)).Status.ShouldBe(200);
    }

    [Fact]
    public async Task APageOfTheAgentsOwnMayAsk()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        (await SendAsync(agent, "GET", $"http://{agent.Server.Config.Advertise.Http}/v1/jobs", "Origin", $"http://{agent.Server.Config.Advertise.Http}")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task AnImageDoesNotCollectGarbage()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        foreach (var path in new[] { "/v1/client/gc", "/v1/client/allocation/00000000-0000-0000-0000-000000000000/gc" })
            (await SendAsync(agent, "GET", $"http://{agent.Server.Config.Advertise.Http}{path}", "User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")).Status.ShouldBe(403, path);
        (await SendAsync(agent, "GET", $"http://{agent.Server.Config.Advertise.Http}/v1/jobs", "User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")).Status.ShouldBe(200);
    }

    private static async Task<(int Status, string Text)> SendAsync(RunningAgent agent, string method, string url, string header, string value)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), url);
        request.Headers.TryAddWithoutValidation(header, value);
        using var response = await agent.Http.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }
}
