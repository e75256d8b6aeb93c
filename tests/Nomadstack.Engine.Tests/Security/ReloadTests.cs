// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Http;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Security;

public sealed class ReloadTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-reload-").FullName;
    private readonly TestPki _pki;
    private readonly AgentCluster _ports = new();
    private readonly JsonObject _config;

    public ReloadTests()
    {
        _pki = new TestPki(Path.Combine(_folder, "pki"));
        _pki.Issue("server", "server.global.nomad");
        _config = _ports.Configure("s1", expect: 1);
    }

    private string File => Path.Combine(_folder, "agent.json");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task AnAgentGoesToTlsByAReloadAndEndsWithOneThatItCannotUse()
    {
        await using var ports = _ports;
        Write();
        var http = (int)_config["ports"]!["http"]!;
        var running = EngineAgent.RunAsync(["agent", "-config", File], CancellationToken.None);
        using var plain = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{http}") };
        await _ports.EventuallyAsync("it leads", async () => await AnswersAsync(plain));

        _config["tls"] = _pki.Block("server");
        Write();
        using (var hangUp = Process.Start("kill", ["-HUP", Environment.ProcessId.ToString(CultureInfo.InvariantCulture)])) await hangUp.WaitForExitAsync();
        using var secure = TestPki.Client(_pki.Settings("server"), $"https://127.0.0.1:{http}");
        await _ports.EventuallyAsync("it leads and speaks TLS", async () => await AnswersAsync(secure));

        (await secure.PutAsync("/v1/agent/reload", null)).IsSuccessStatusCode.ShouldBeTrue();
        await System.IO.File.WriteAllTextAsync(_pki.Ca, "not a certificate");
        await secure.PutAsync("/v1/agent/reload", null);
        (await running.WaitAsync(AgentCluster.Deadline)).ShouldBe(1);
    }

    [Fact]
    public async Task CertificatesThatCannotBeUsedEndTheAgentWithNomadsWords()
    {
        var (reload, tls) = Reload();
        await System.IO.File.WriteAllTextAsync(_pki.Ca, "not a certificate");
        reload.Run();

        (await Should.ThrowAsync<ConfigException>(() => reload.Failed.WaitAsync(AgentCluster.Deadline))).Message
            .ShouldBe($"Fatal error while reloading: reloading server config failed: Failed to parse any valid certificates in CA file: {_pki.Ca}");
        tls.Changed.IsCancellationRequested.ShouldBeFalse();
    }

    [Fact]
    public void AFileThatIsMissingOrCannotBeReadLeavesTheAgentAsItIs()
    {
        var (reload, tls) = Reload();
        System.IO.File.Delete(_pki.Ca);
        reload.Run();
        System.IO.File.WriteAllText(File, "server {");
        reload.Run();

        reload.Failed.IsCompleted.ShouldBeFalse();
        tls.Config.Rpc.ShouldBeTrue();
    }

    [Fact]
    public void WhatCannotBeReloadedIsNamed()
    {
        var (reload, _) = Reload();
        _config["datacenter"] = "elsewhere";
        _config["log_level"] = "DEBUG";
        Write();
        reload.Run();

        _log.Text.ShouldContain("datacenter was changed in the configuration; it takes effect at the next start");
        _log.Text.ShouldNotContain("log_level");
    }

    private readonly MemoryLog _log = new();

    private (AgentReload Reload, AgentTls Tls) Reload()
    {
        _config["tls"] = _pki.Block("server");
        Write();
        var config = ConfigReader.ReadFiles([File]);
        var tls = AgentTls.Open(config);
        return (new AgentReload([File], config, tls, client: null, new AgentLog("INFO", TimeProvider.System, new LogTap()), _log), tls);
    }

    private void Write() => System.IO.File.WriteAllText(File, _config.ToJsonString());

    private static async Task<bool> AnswersAsync(HttpClient client)
    {
        try
        {
            return (await client.GetAsync("/v1/jobs")).IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            // It does not listen yet.
            return false;
        }
    }
}
