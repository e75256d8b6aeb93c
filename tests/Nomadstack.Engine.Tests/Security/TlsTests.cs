// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Http;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.Tests.Conformance;
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Security;

public sealed class TlsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-tls-").FullName;
    private readonly TestPki _pki;

    public TlsTests()
    {
        _pki = new TestPki(Path.Combine(_folder, "pki"));
        _pki.Issue("server", "server.global.nomad", "client.global.nomad");
        _pki.Issue("client", "client.global.nomad");
        _pki.Issue("node", "node.global.nomad");
        _pki.Issue("star", "*.global.nomad");
        _pki.Issue("cn", "CN=client.global.nomad", both: true);
        _pki.Issue("serveronly", "CN=x", both: false, "client.global.nomad");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task ThreeServersAndAClientSpeakTlsAmongThemselvesAndWithUsers()
    {
        await using var cluster = new AgentCluster();
        cluster.Configure("s1", expect: 1)["tls"] = _pki.Block("server");
        cluster.Configure("s2", expect: 0, "s1")["tls"] = _pki.Block("server");
        cluster.Configure("s3", expect: 0, "s2")["tls"] = _pki.Block("server");
        foreach (var name in new[] { "s1", "s2", "s3" }) await cluster.StartAsync(name);
        var (s1, s3) = (cluster.Agents["s1"], cluster.Agents["s3"]);
        await cluster.EventuallyAsync("three voters", async () => await VotersAsync(s3) == 3);

        // Through a follower to the leader, and to a client.
        await using var client = await FakeClient.StartAsync("n1", _pki.Settings("client"), s3.Server.Config.Advertise.Rpc);
        var follower = s1.Server.Session is null ? s1 : s3;
        await follower.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web"));
        await cluster.EventuallyAsync("it runs", async () => (await s3.GetAsync("/v1/job/web/allocations"))!.AsArray().Any(a => (string?)a!["ClientStatus"] == "running"));
        ((bool)(await s1.GetAsync("/v1/agent/self"))!["config"]!["TLSConfig"]!["EnableRPC"]!).ShouldBeTrue();
    }

    [Fact]
    public async Task AServerPassesACallOnToTheHttpsPortOfAClient()
    {
        await using var cluster = await OneAsync(_pki.Block("server"));
        var ports = cluster.Configure("c1", expect: 0);
        ports.Remove("server");
        ports["client"] = new JsonObject { ["enabled"] = true, ["network_interface"] = "lo", ["servers"] = new JsonArray(cluster.Agents["s1"].Server.Config.Advertise.Rpc) };
        ports["tls"] = _pki.Block("client", askClients: true);
        var config = ConfigReader.Read(ports);
        var (log, stop) = (new MemoryLog(), new CancellationTokenSource());
        using var loggers = new OneLog(log);
        var tls = AgentTls.Open(config);
        await using var client = await NomadClient.StartAsync(config, tls, TimeProvider.System, loggers, CancellationToken.None);
        await using var api = new ApiHost(new AgentParts(config, tls, TimeProvider.System, null, client), log);
        await api.StartAsync(CancellationToken.None);
        var running = client.RunAsync(stop.Token);
        var agent = cluster.Agents["s1"];
        await cluster.EventuallyAsync("the node is ready", async () => (await agent.GetAsync("/v1/nodes"))!.AsArray().Any(n => (string?)n!["Status"] == "ready"));

        (await agent.GetAsync($"/v1/client/stats?node_id={client.Agent.Node.ID}"))!["Memory"].ShouldNotBeNull();
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task WhoSpeaksPlainHttpToThePortIsTold()
    {
        await using var cluster = await OneAsync(_pki.Block("server"));
        var http = cluster.Agents["s1"].Server.Config.Ports.Http;
        (await TalkAsync(http, "GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n")).ShouldBe("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");

        // Between agents there is nobody to tell but the log.
        (await TalkAsync(cluster.Agents["s1"].Server.Config.Ports.Rpc, "GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n")).ShouldBe("");
        (await TalkAsync(cluster.Agents["s1"].Server.Config.Ports.Serf, "GET /rpc/ping HTTP/1.1\r\nHost: localhost\r\n\r\n")).ShouldBe("");
        cluster.Agents["s1"].Log.ShouldContain("Non-TLS connection attempted with RequireTLS set");
    }

    [Fact]
    public async Task AServerWithoutTlsSaysThatItWasAskedForIt()
    {
        await using var cluster = await AgentCluster.OneAsync();
        await Should.ThrowAsync<NoServerException>(() => FakeClient.StartAsync("n1", _pki.Settings("client"), cluster.Agents["s1"].Server.Config.Advertise.Rpc));
        cluster.Agents["s1"].Log.ShouldContain("TLS connection attempted, server not configured for TLS");
    }

    [Theory]
    [InlineData("server", true)]
    [InlineData("client", true)]
    [InlineData("cn", true)]
    [InlineData("node", false)]
    [InlineData("star", false)]
    [InlineData("serveronly", false)]
    public async Task ANodeRegistersWithACertificateOfTheRightNameAlone(string certificate, bool registers)
    {
        await using var cluster = await OneAsync(_pki.Block("server"));
        var rpc = cluster.Agents["s1"].Server.Config.Advertise.Rpc;
        if (registers)
        {
            await using var client = await FakeClient.StartAsync("n1", _pki.Settings(certificate), rpc);
            return;
        }

        await Should.ThrowAsync<NoServerException>(() => FakeClient.StartAsync("n1", _pki.Settings(certificate), rpc));
        cluster.Agents["s1"].Log.ShouldContain(certificate == "serveronly" ? "failed TLS handshake" : "invalid role or region for certificate");
    }

    [Fact]
    public async Task AnyNameOfTheCaWillDoWhereNamesAreNotVerified()
    {
        await using var cluster = await OneAsync(_pki.Block("server", verify: false));
        await using var client = await FakeClient.StartAsync("n1", _pki.Settings("node"), cluster.Agents["s1"].Server.Config.Advertise.Rpc);
    }

    [Fact]
    public async Task AClientBelievesNoServerWithoutAServersName()
    {
        await using var cluster = await OneAsync(_pki.Block("client", verify: false));
        await Should.ThrowAsync<NoServerException>(() => FakeClient.StartAsync("n1", _pki.Settings("client"), cluster.Agents["s1"].Server.Config.Advertise.Rpc));
        var other = new TestPki(Path.Combine(_folder, "other"));
        other.Issue("server", "server.global.nomad");
        await Should.ThrowAsync<NoServerException>(() => FakeClient.StartAsync("n1", other.Settings("server"), cluster.Agents["s1"].Server.Config.Advertise.Rpc));
    }

    [Fact]
    public async Task AClientsCertificateOpensNeitherRaftNorTheServersList()
    {
        await using var cluster = await OneAsync(_pki.Block("server"));
        var (agent, tls) = (cluster.Agents["s1"], AgentTls.Open(AgentConfigs.Client("n1", _pki.Settings("client"))));
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, agent.Server.Config.Ports.Rpc);
        await using var raft = await tls.SecureAsync(new NetworkStream(socket), CancellationToken.None);
        await raft.WriteAsync(new byte[] { 9, 0, 0, 0, 1, 0, 0, 0, (byte)'x', 0, 0, 0, 0 });
        (await raft.ReadAtLeastAsync(new byte[1], 1, throwOnEndOfStream: false)).ShouldBe(0);
        agent.Log.ShouldContain("The raft connection of 127.0.0.1");

        using var http = new PeerHttp(tls);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{agent.Server.Config.Advertise.Serf}{RpcNames.Members}") { Content = new StringContent("{}") };
        using var answer = await http.SendAsync(request, CancellationToken.None);
        ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync()).ShouldBe((403, "invalid role or region for certificate"));
    }

    [Fact]
    public async Task TheHttpsPortAsksForACertificateWhereItIsTold()
    {
        await using var cluster = await OneAsync(_pki.Block("server", askClients: true));
        var agent = cluster.Agents["s1"];
        (await agent.GetAsync("/v1/agent/health"))!["server"]!["ok"]!.GetValue<bool>().ShouldBeTrue();

        using var stranger = TestPki.Client(agent.Server.Config.Tls with { CertFile = "" }, $"https://{agent.Server.Config.Advertise.Http}");
        await Should.ThrowAsync<HttpRequestException>(() => stranger.GetAsync("/v1/agent/health"));
    }

    [Fact]
    public async Task ARunningClusterGoesToTlsAndToNewCertificatesWithoutARestart()
    {
        await using var cluster = new AgentCluster();
        cluster.Configure("s1", expect: 1);
        cluster.Configure("s2", expect: 0, "s1");
        foreach (var name in new[] { "s1", "s2" }) await cluster.StartAsync(name);
        var (s1, s2) = (cluster.Agents["s1"], cluster.Agents["s2"]);
        await cluster.EventuallyAsync("two voters", async () => await VotersAsync(s2) == 2);
        await s2.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("before"));
        var term = s1.Server.Raft.Node!.Status.Term;

        var final = _pki.Settings("server") with { VerifyHttpsClient = true };
        foreach (var agent in cluster.Agents.Values) agent.Tls.Reload(final).ShouldBeTrue();
        s1.Tls.Reload(final).ShouldBeFalse();

        using var secure = TestPki.Client(final, $"https://{s2.Server.Config.Advertise.Http}");
        await cluster.EventuallyAsync("a write through a follower", async () => (await secure.PutAsync("/v1/jobs", new StringContent(JobsOf.Service("after")))).IsSuccessStatusCode);
        s1.Server.Raft.Node.Status.Term.ShouldBe(term);
        (await TalkAsync(s2.Server.Config.Ports.Http, "GET / HTTP/1.1\r\n\r\n")).ShouldContain("HTTP request to an HTTPS server");

        // A new CA: first both are believed, then the new one alone.
        var next = new TestPki(Path.Combine(_folder, "next"));
        var (cert, key) = next.Issue("server", "server.global.nomad");
        var both = Path.Combine(_folder, "both.pem");
        await File.WriteAllTextAsync(both, await File.ReadAllTextAsync(_pki.Ca) + "\n" + await File.ReadAllTextAsync(next.Ca));
        foreach (var step in new[] { final with { CaFile = both }, final with { CaFile = both, CertFile = cert, KeyFile = key }, next.Settings("server") })
        {
            foreach (var agent in cluster.Agents.Values) agent.Tls.Reload(step);
            using var caller = TestPki.Client(step with { CaFile = both }, $"https://{s2.Server.Config.Advertise.Http}");
            await cluster.EventuallyAsync("a write through a follower", async () => (await caller.PutAsync("/v1/jobs", new StringContent(JobsOf.Service("rotated")))).IsSuccessStatusCode);
        }

        s1.Server.Raft.Node.Status.Term.ShouldBe(term);
        using var old = TestPki.Client(final, $"https://{s2.Server.Config.Advertise.Http}");
        await Should.ThrowAsync<HttpRequestException>(() => old.GetAsync("/v1/agent/health"));
    }

    [Fact]
    public async Task UpgradeModeTakesAgentsThatDoNotSpeakTlsYet()
    {
        var block = _pki.Block("server", http: false, verify: false);
        block["rpc_upgrade_mode"] = true;
        await using var cluster = await OneAsync(block);
        var rpc = cluster.Agents["s1"].Server.Config.Advertise.Rpc;
        await using var plain = await FakeClient.StartAsync("n1", rpc);
        await using var secured = await FakeClient.StartAsync("n2", _pki.Settings("client"), rpc);
    }

    [Theory]
    [InlineData("""{ "rpc": true }""", "VerifyOutgoing set, and no CA certificate provided!")]
    [InlineData("""{ "rpc": true, "ca_file": "CA" }""", "VerifyIncoming set, and no Cert/Key pair provided!")]
    [InlineData("""{ "rpc": true, "ca_file": "KEY", "cert_file": "CERT", "key_file": "KEY" }""", "Failed to parse any valid certificates in CA file: KEY")]
    [InlineData("""{ "http": true, "ca_file": "CA", "cert_file": "CERT", "key_file": "CA" }""", "Failed to load cert/key pair: CERT")]
    [InlineData("""{ "http": true, "ca_file": "CA", "cert_file": "ED25519", "key_file": "KEY" }""", "Unsupported signature algorithm ed25519.PrivateKey; RSA and ECDSA only are supported.")]
    public void FilesThatCannotBeUsedAreRefusedInNomadsWords(string block, string complaint)
    {
        // Signed by itself, for a key that is kept nowhere.
        const string ed25519 =
            """
            -----BEGIN CERTIFICATE-----
            MIIBUzCCAQWgAwIBAgIUGCOVwYutbfcjZIgr0cMivrsdSDIwBQYDK2VwMB4xHDAa
            BgNVBAMME3NlcnZlci5nbG9iYWwubm9tYWQwIBcNMjYxMTI3MTk0ODQ1WhgPMjEy
            NjExMDMxOTQ4NDVaMB4xHDAaBgNVBAMME3NlcnZlci5nbG9iYWwubm9tYWQwKjAF
            BgMrZXADIQAEXNrIPRlQL3XQFguUuOKhN+mPHcCdiHxW9Bfl5PSyx6NTMFEwHQYD
            VR0OBBYEFC6bOCG39mlANZ629FVCns5/7orLMB8GA1UdIwQYMBaAFC6bOCG39mlA
            NZ629FVCns5/7orLMA8GA1UdEwEB/wQFMAMBAf8wBQYDK2VwA0EA6W3J6DWlAcPl
            7WiUzuqOO//RRL+0WY53tivs39dJpKuNBTcwzC09WGm0IZ+cAxeqKLypeaT/wp5t
            y8MYLEN6AQ==
            -----END CERTIFICATE-----
            """;
        var other = Path.Combine(_folder, "ed25519.pem");
        File.WriteAllText(other, ed25519);
        var (cert, key) = _pki.Issue("good", "server.global.nomad");
        string Named(string text) => text.Replace("ED25519", other, StringComparison.Ordinal).Replace("CERT", cert, StringComparison.Ordinal).Replace("KEY", key, StringComparison.Ordinal).Replace("\"CA\"", $"\"{_pki.Ca}\"", StringComparison.Ordinal);
        var json = new JsonObject { ["data_dir"] = "/x", ["server"] = new JsonObject { ["enabled"] = true }, ["tls"] = JsonNode.Parse(Named(block)) };

        Should.Throw<ConfigException>(() => AgentTls.Open(ConfigReader.Read(json))).Message.ShouldStartWith(Named(complaint));
    }

    [Theory]
    [InlineData("tls_min_version", "tls10", "tls.tls_min_version: \"tls10\" is not spoken by the embedded engine, only tls12 and tls13")]
    [InlineData("tls_cipher_suites", "TLS_RSA", "tls.tls_cipher_suites: the embedded engine takes the system's cipher suites; remove the key")]
    [InlineData("tls_prefer_server_cipher_suites", "true", "tls.tls_prefer_server_cipher_suites: the embedded engine does not know this key")]
    public void WhatIsNotObeyedIsRefusedByName(string key, string value, string complaint) =>
        Should.Throw<ConfigException>(() => ConfigReader.Read(new JsonObject { ["data_dir"] = "/x", ["server"] = new JsonObject { ["enabled"] = true }, ["tls"] = new JsonObject { [key] = value } }))
            .Message.ShouldBe(complaint);

    private static async Task<AgentCluster> OneAsync(JsonObject tls)
    {
        var cluster = new AgentCluster();
        cluster.Configure("s1", expect: 1)["tls"] = tls;
        await (await cluster.StartAsync("s1")).WithLeaderAsync();
        return cluster;
    }

    /// <summary>All that a port answers until it closes the connection.</summary>
    private static async Task<string> TalkAsync(int port, string text)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, port);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(text));
        using var reader = new StreamReader(stream, Encoding.ASCII);
        return await reader.ReadToEndAsync();
    }

    private static async Task<int> VotersAsync(RunningAgent agent)
    {
        var (status, text) = await agent.SendAsync("GET", "/v1/operator/raft/configuration");
        return status == 200 ? JsonNode.Parse(text)!["Servers"]!.AsArray().Count(s => (bool)s!["Voter"]!) : 0;
    }
}
