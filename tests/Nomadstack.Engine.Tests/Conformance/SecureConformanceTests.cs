// SPDX-License-Identifier: MPL-2.0
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
    public async Task The_command_line_works_with_a_certificate()
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
            string? id = null;
            await engine.EventuallyAsync("it runs", async () => (id = (string?)(await engine.GetAsync("/v1/job/spoken/allocations")).AsArray().FirstOrDefault(a => (string?)a!["ClientStatus"] == "running")?["ID"]) is not null);
            await engine.EventuallyAsync("it has said something", async () => (await NomadAsync(program, "alloc", "logs", id!)) is (0, var said) && said.Contains("said", StringComparison.Ordinal));
        }
        finally
        {
            File.Delete(file);
        }
    }

    private Task<(int Code, string Text)> NomadAsync(string program, params string[] arguments) => HashiCorpCliTests.RunAsync(program, engine.Address, arguments, environment: engine.CommandLine);

    private void Need() => Skip.If(engine.Missing is not null, engine.Missing);
}
