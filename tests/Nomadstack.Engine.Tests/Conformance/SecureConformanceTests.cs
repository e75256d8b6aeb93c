// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Tests.Http;
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Conformance;

public sealed class EmbeddedSecureConformanceTests(SecureEmbeddedEngine engine) : SecureConformanceTests(engine), IClassFixture<SecureEmbeddedEngine>;

public sealed class HashiCorpSecureConformanceTests(SecureHashiCorpEngine engine) : SecureConformanceTests(engine), IClassFixture<SecureHashiCorpEngine>;

/// <summary>What both engines do alike where everything is secured. HashiCorp's is the reference: a difference is a bug of ours.</summary>
public abstract class SecureConformanceTests(EngineUnderTest engine)
{
    private const string Hcl =
        """
        job "spoken" {
          datacenters = ["dc1"]
          group "g" {
            task "t" {
              driver = "raw_exec"
              config {
                command = "/bin/sh"
                args    = ["-c", "echo said; exec sleep 600"]
              }
            }
          }
        }
        """;

    [SkippableFact]
    public async Task Plain_http_is_told_that_the_port_speaks_https()
    {
        Need();
        using var plain = new HttpClient();
        using var answer = await plain.GetAsync(new UriBuilder(engine.Address) { Scheme = "http" }.Uri);
        ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync()).ShouldBe((400, "Client sent an HTTP request to an HTTPS server.\n"));
    }

    [SkippableFact]
    public async Task A_caller_without_a_certificate_is_sent_away()
    {
        Need();
        using var stranger = TestPki.Client(TlsConfig.Off with { CaFile = engine.CommandLine["NOMAD_CACERT"] }, engine.Address.ToString());
        await Should.ThrowAsync<HttpRequestException>(() => stranger.GetAsync(new Uri(engine.Address, "/v1/status/leader")));
    }

    [SkippableFact]
    public async Task The_node_says_that_it_speaks_tls()
    {
        Need();
        var id = (string)(await engine.GetAsync("/v1/nodes"))[0]!["ID"]!;
        ((bool)(await engine.GetAsync($"/v1/node/{id}"))["TLSEnabled"]!).ShouldBeTrue();
        ((bool)(await engine.GetAsync("/v1/agent/self"))["config"]!["TLSConfig"]!["EnableHTTP"]!).ShouldBeTrue();
    }

    [SkippableFact]
    public async Task The_first_token_is_made_once()
    {
        Need();
        var (status, text, _) = await engine.SendAsync("PUT", "/v1/acl/bootstrap");
        (status, text[..text.IndexOf(':', StringComparison.Ordinal)]).ShouldBe((400, "ACL bootstrap already done (reset index"));
    }

    [SkippableFact]
    public async Task Without_a_token_only_what_is_for_all_is_answered()
    {
        Need();
        foreach (var path in new[] { "/v1/status/leader", "/v1/status/peers", "/v1/agent/health", "/v1/regions", "/v1/metrics" })
            (await engine.SendAsync("GET", path, token: "")).Status.ShouldBe(200, path);
        foreach (var (method, path) in new[]
        {
            ("GET", "/v1/agent/self"), ("GET", "/v1/agent/members"), ("GET", "/v1/agent/servers"), ("PUT", "/v1/agent/force-leave?node=x"), ("GET", "/v1/jobs"), ("GET", "/v1/nodes"), ("GET", "/v1/evaluations"),
            ("GET", "/v1/allocations"), ("GET", "/v1/deployments"), ("GET", "/v1/operator/raft/configuration"), ("GET", "/v1/operator/autopilot/configuration"), ("GET", "/v1/operator/snapshot"), ("PUT", "/v1/system/gc"),
            ("GET", "/v1/acl/tokens"), ("GET", "/v1/client/stats"),
        })
            (await engine.SendAsync(method, path, token: "")).ShouldBe((403, "Permission denied", 0), path);
    }

    [SkippableFact]
    public async Task An_unknown_token_is_not_found()
    {
        Need();
        var (status, text, _) = await engine.SendAsync("GET", "/v1/jobs", token: "99999999-2222-4333-8444-555555555555");
        (status, text).ShouldBe((403, "ACL token not found"));
    }

    [SkippableFact]
    public async Task A_policy_grants_what_it_says()
    {
        Need();
        var readers = await TokenAsync("readers", "namespace \"default\" {\n policy = \"read\"\n}\nagent {\n policy = \"read\"\n}\n");
        foreach (var (method, path, status) in new[]
        {
            ("GET", "/v1/jobs", 200), ("GET", "/v1/allocations", 200), ("GET", "/v1/agent/self", 200), ("GET", "/v1/acl/token/self", 200), ("GET", "/v1/acl/policy/readers", 200), ("GET", "/v1/acl/policies", 200),
            ("GET", "/v1/nodes", 403), ("PUT", "/v1/agent/force-leave?node=x", 403), ("DELETE", "/v1/job/none", 403), ("GET", "/v1/acl/policy/none", 403), ("GET", "/v1/acl/tokens", 403), ("PUT", "/v1/system/gc", 403),
        })
            (await engine.SendAsync(method, path, token: readers)).Status.ShouldBe(status, path);

        // With everything that a policy can say, and still no management.
        var writers = await TokenAsync("writers", "namespace \"default\" {\n policy = \"write\"\n}\nagent {\n policy = \"write\"\n}\nnode {\n policy = \"write\"\n}\noperator {\n policy = \"write\"\n}\n");
        (await engine.SendAsync("GET", "/v1/nodes", token: writers)).Status.ShouldBe(200);
        foreach (var (method, path) in new[] { ("GET", "/v1/operator/raft/configuration"), ("GET", "/v1/operator/snapshot"), ("PUT", "/v1/system/gc"), ("DELETE", "/v1/operator/raft/peer?id=x") })
            (await engine.SendAsync(method, path, token: writers)).Status.ShouldBe(403, path);
    }

    [SkippableFact]
    public async Task A_token_is_shown_changed_and_deleted()
    {
        Need();
        await TokenAsync("shown", "agent {\n policy = \"read\"\n}\n");
        var listed = (await engine.GetAsync("/v1/acl/tokens")).AsArray().Single(t => (string?)t!["Name"] == "shown")!;
        listed["SecretID"].ShouldBeNull();
        var path = $"/v1/acl/token/{listed["AccessorID"]}";
        var token = await engine.GetAsync(path);
        token["Policies"]!.AsArray().Select(p => (string)p!).ShouldBe(["shown"]);
        token["Name"] = "renamed";
        ((string)(await engine.SendOkAsync("PUT", path, token.DeepClone()))["Name"]!).ShouldBe("renamed");
        token["AccessorID"] = "99999999-2222-4333-8444-555555555555";
        (await engine.SendAsync("PUT", path, token)).Status.ShouldBe(400);
        (await engine.SendAsync("DELETE", path)).Status.ShouldBe(200);
        (await engine.SendAsync("GET", path)).Status.ShouldBe(404);
        (await engine.SendAsync("PUT", "/v1/acl/token", new JsonObject { ["Type"] = "client" })).Status.ShouldBe(400);
    }

    [SkippableFact]
    public async Task A_gossip_key_is_installed_used_and_removed()
    {
        Need();
        var other = Convert.ToBase64String(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));
        await engine.SendOkAsync("PUT", "/v1/agent/keyring/install", new JsonObject { ["Key"] = other });
        var list = await engine.GetAsync("/v1/agent/keyring/list");
        ((int)list["NumNodes"]!, (int)list["Keys"]![other]!, (int)list["Keys"]![EngineUnderTest.GossipKey]!).ShouldBe((1, 1, 1));
        await engine.SendOkAsync("PUT", "/v1/agent/keyring/use", new JsonObject { ["Key"] = other });
        var (status, text, _) = await engine.SendAsync("PUT", "/v1/agent/keyring/remove", new JsonObject { ["Key"] = other });
        (status, text).ShouldBe((500, "1/1 nodes reported failure"));
        await engine.SendOkAsync("PUT", "/v1/agent/keyring/remove", new JsonObject { ["Key"] = EngineUnderTest.GossipKey });
        (await engine.GetAsync("/v1/agent/keyring/list"))["Keys"]!.AsObject().Select(k => k.Key).ShouldBe([other]);
        (await engine.SendAsync("PUT", "/v1/agent/keyring/install", new JsonObject { ["Key"] = "?" })).Status.ShouldBe(500);
        (await engine.SendAsync("GET", "/v1/agent/keyring/list", token: "")).Status.ShouldBe(403);
        ((string)(await engine.GetAsync("/v1/agent/self"))["stats"]!["serf"]!["encrypted"]!).ShouldBe("true");
    }

    [SkippableFact]
    public async Task The_command_line_works_with_a_certificate_and_a_token()
    {
        Need();
        var program = HashiCorpCliTests.Find();
        Skip.If(program is null, "No HashiCorp nomad here: put one on the PATH or name it in NOMADSTACK_NOMAD.");
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, Hcl);
            var run = await NomadAsync(program, "job", "run", file);
            run.Code.ShouldBe(0, run.Text);
            (await NomadAsync(program, "status")).Text.ShouldContain("spoken");
            (await NomadAsync(program, "acl", "token", "self")).Text.ShouldContain("management");
            (await NomadAsync(program, "acl", "policy", "list")).Code.ShouldBe(0);
            (await NomadAsync(program, "acl", "token", "create", "-type", "management", "-name", "second")).Text.ShouldContain("second");
            (await NomadAsync(program, "acl", "token", "list")).Text.ShouldContain("second");
            string? id = null;
            await engine.EventuallyAsync("it runs", async () => (id = (string?)(await engine.GetAsync("/v1/job/spoken/allocations")).AsArray().FirstOrDefault(a => (string?)a!["ClientStatus"] == "running")?["ID"]) is not null);
            await engine.EventuallyAsync("it has said something", async () => (await NomadAsync(program, "alloc", "logs", id!)) is (0, var said) && said.Contains("said", StringComparison.Ordinal));
        }
        finally
        {
            File.Delete(file);
        }
    }

    private async Task<string> TokenAsync(string name, string rules)
    {
        await engine.SendOkAsync("PUT", $"/v1/acl/policy/{name}", new JsonObject { ["Name"] = name, ["Rules"] = rules });
        return (string)(await engine.SendOkAsync("PUT", "/v1/acl/token", new JsonObject { ["Name"] = name, ["Type"] = "client", ["Policies"] = new JsonArray(name) }))["SecretID"]!;
    }

    private Task<(int Code, string Text)> NomadAsync(string program, params string[] arguments) => HashiCorpCliTests.RunAsync(program, engine.Address, arguments, environment: engine.CommandLine);

    private void Need() => Skip.If(engine.Missing is not null, engine.Missing);
}
