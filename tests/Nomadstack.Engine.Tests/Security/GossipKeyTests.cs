// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Security;

public sealed class GossipKeyTests : IDisposable
{
    private static readonly string s_one = NewKey(32), s_two = NewKey(16);

    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-keyring-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task AServerWithAnotherKeyOrNoneDoesNotJoinAndBothSidesSayThatItIsTheGossipKey()
    {
        await using var cluster = new AgentCluster();
        Configure(cluster, "s1", 1, s_one);
        Configure(cluster, "same", 0, s_one, "s1");
        Configure(cluster, "other", 0, s_two, "s1");
        Configure(cluster, "none", 0, null, "s1");
        foreach (var name in new[] { "s1", "same", "other", "none" }) await cluster.StartAsync(name);
        var (s1, other, none) = (cluster.Agents["s1"], cluster.Agents["other"], cluster.Agents["none"]);
        await cluster.EventuallyAsync("the one with the key is a voter", async () => await VotersAsync(s1) == 2);
        await cluster.EventuallyAsync("the others were refused", () => Task.FromResult(s1.Log.Contains("Encryption is configured but remote state is not encrypted", StringComparison.Ordinal)
            && s1.Log.Contains("No installed keys could decrypt the message", StringComparison.Ordinal)));

        (await MembersAsync(s1)).ShouldBe(["s1.global", "same.global"], ignoreOrder: true);
        foreach (var outside in new[] { other, none })
        {
            (await MembersAsync(outside, "?stale")).ShouldHaveSingleItem();
            ((string)(await outside.JsonAsync("PUT", $"/v1/agent/join?address={cluster.Serf("s1")}"))!["error"]!).ShouldContain("the gossip keys are not the same");
        }

        // From the inside to one without a key.
        ((string)(await s1.JsonAsync("PUT", $"/v1/agent/join?address={cluster.Serf("none")}"))!["error"]!).ShouldContain("Remote state is encrypted and encryption is not configured");
        ((string)(await s1.GetAsync("/v1/agent/self"))!["stats"]!["serf"]!["encrypted"]!).ShouldBe("true");
    }

    [Fact]
    public async Task KeysAreInstalledUsedAndRemovedOnAllServersAndOneThatWasAwayNeedsTheNewFile()
    {
        await using var cluster = new AgentCluster();
        Configure(cluster, "s1", 1, s_one);
        foreach (var name in new[] { "s2", "s3", "s4" }) Configure(cluster, name, 0, s_one, "s1");
        foreach (var name in new[] { "s1", "s2", "s3", "s4" }) await cluster.StartAsync(name);
        var (s1, s2) = (cluster.Agents["s1"], cluster.Agents["s2"]);
        await cluster.EventuallyAsync("four voters", async () => await VotersAsync(s1) == 4);
        await cluster.StopAsync("s4");
        await cluster.EventuallyAsync("one has failed", async () => (await s2.GetAsync("/v1/agent/members"))!["Members"]!.AsArray().Any(m => (string?)m!["Status"] == "failed"));

        await s2.JsonAsync("PUT", "/v1/agent/keyring/install", Body(s_two));
        var list = (await s1.GetAsync("/v1/agent/keyring/list"))!;
        ((int)list["NumNodes"]!, (int)list["Keys"]![s_one]!, (int)list["Keys"]![s_two]!, (int)list["PrimaryKeys"]![s_one]!).ShouldBe((3, 3, 3, 3));
        await s2.JsonAsync("PUT", "/v1/agent/keyring/use", Body(s_two));
        (await s1.SendAsync("PUT", "/v1/agent/keyring/remove", Body(s_two))).ShouldBe((500, "3/3 nodes reported failure"));
        await s1.JsonAsync("PUT", "/v1/agent/keyring/remove", Body(s_one));
        list = (await s2.GetAsync("/v1/agent/keyring/list"))!;
        list["Keys"]!.AsObject().Select(k => (k.Key, (int)k.Value!)).ShouldBe([(s_two, 3)]);
        await s2.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web"));

        // Its file has the old key, whatever the configuration says.
        Configure(cluster, "s4", 0, s_two, "s1", keepPorts: true);
        var s4 = await cluster.StartAsync("s4");
        s4.Log.ShouldContain("keyring exists but -encrypt given, using keyring");
        await cluster.EventuallyAsync("it is refused", () => Task.FromResult(s1.Log.Contains("No installed keys could decrypt the message", StringComparison.Ordinal)));
        await cluster.StopAsync("s4");
        File.Delete(Path.Combine(cluster.DataDir("s4"), "server", "serf.keyring"));
        await cluster.StartAsync("s4");
        await cluster.EventuallyAsync("it is back", async () => (await s1.GetAsync("/v1/agent/members"))!["Members"]!.AsArray().All(m => (string?)m!["Status"] == "alive"));
    }

    [Fact]
    public async Task WhatCannotBeDoneWithAKeyIsSaid()
    {
        await using var plain = await AgentCluster.OneAsync();
        (await plain.Agents["s1"].SendAsync("GET", "/v1/agent/keyring/list")).ShouldBe((500, "Keyring is empty (encryption not enabled)"));
        await using var cluster = new AgentCluster();
        Configure(cluster, "s1", 1, s_one);
        var agent = await cluster.StartAsync("s1");
        (await agent.SendAsync("PUT", "/v1/agent/keyring/install", Body("?"))).ShouldBe((500, "illegal base64 data at input byte 0"));
        (await agent.SendAsync("PUT", "/v1/agent/keyring/install", Body(NewKey(7)))).ShouldBe((500, "key size must be 16, 24 or 32 bytes"));
        (await agent.SendAsync("PUT", "/v1/agent/keyring/use", Body(s_two))).ShouldBe((500, "1/1 nodes reported failure"));
        (await agent.SendAsync("PUT", "/v1/agent/keyring/remove", Body(s_one))).ShouldBe((500, "1/1 nodes reported failure"));
    }

    [Fact]
    public void TheFileIsTheOwnersAloneAndItsFirstKeyIsTheOneInUse()
    {
        var ring = KeyRing.Open(_folder, s_one, NullLogger.Instance);
        ring.Do(KeyringAsked.Install, s_two).ShouldBeNull();
        ring.Do(KeyringAsked.Use, s_two).ShouldBeNull();

        var file = Path.Combine(_folder, "serf.keyring");
        File.GetUnixFileMode(file).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        JsonNode.Parse(File.ReadAllText(file))!.AsArray().Select(k => (string)k!).ShouldBe([s_two, s_one]);
        KeyRing.Open(_folder, null, NullLogger.Instance).Keys.ShouldBe([s_two, s_one]);
    }

    [Theory]
    [InlineData("not base64", "Invalid key: illegal base64 data at input byte 0")]
    [InlineData("AAAA", "Invalid key: key size must be 16, 24 or 32 bytes")]
    public void AKeyThatIsNoneIsRefused(string key, string complaint) => Should.Throw<ConfigException>(() => KeyRing.Open(_folder, key, NullLogger.Instance)).Message.ShouldBe(complaint);

    [Fact]
    public void ADamagedFileIsRefusedAndKept()
    {
        var file = Path.Combine(_folder, "serf.keyring");
        foreach (var content in new[] { "[\"AAAA\"]", "{", "[]" })
        {
            File.WriteAllText(file, content);
            Should.Throw<ConfigException>(() => KeyRing.Open(_folder, s_one, NullLogger.Instance)).Message.ShouldContain(file);
            File.ReadAllText(file).ShouldBe(content);
        }
    }

    [Fact]
    public void AMessageIsForItsPurposeAlone()
    {
        var ring = KeyRing.Open(_folder, s_one, NullLogger.Instance);
        var message = ring.Seal("hello"u8, "ask"u8);
        Encoding.ASCII.GetString(ring.Unseal(message, "ask"u8)).ShouldBe("hello");
        Should.Throw<GossipKeyException>(() => ring.Unseal(message, "answer"u8));
        message[^1] ^= 1;
        Should.Throw<GossipKeyException>(() => ring.Unseal(message, "ask"u8));
        Should.Throw<GossipKeyException>(() => ring.Unseal([1, 2, 3], "ask"u8)).Message.ShouldBe("the message is cut off");
    }

    private static void Configure(AgentCluster cluster, string name, int expect, string? key, string? join = null, bool keepPorts = false)
    {
        var config = keepPorts ? cluster.ConfigurationOf(name) : cluster.Configure(name, expect, join is null ? [] : [join]);
        if (key is not null) config["server"]!["encrypt"] = key;
    }

    private static string Body(string key) => new JsonObject { ["Key"] = key }.ToJsonString();

    private static string NewKey(int bytes) => Convert.ToBase64String(RandomNumberGenerator.GetBytes(bytes));

    private static async Task<IEnumerable<string>> MembersAsync(RunningAgent agent, string query = "") =>
        (await agent.GetAsync($"/v1/agent/members{query}"))!["Members"]!.AsArray().Select(m => (string)m!["Name"]!);

    private static async Task<int> VotersAsync(RunningAgent agent)
    {
        var (status, text) = await agent.SendAsync("GET", "/v1/operator/raft/configuration");
        return status == 200 ? JsonNode.Parse(text)!["Servers"]!.AsArray().Count(s => (bool)s!["Voter"]!) : 0;
    }
}
