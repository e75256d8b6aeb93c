// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Configuration;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Configuration;

public sealed class ConfigReaderTests
{
    /// <summary>As the node agent writes it for a server.</summary>
    private const string Server =
        """
        {
          "name": "n1-server", "region": "global", "datacenter": "dc1", "data_dir": "/var/lib/n1", "bind_addr": "10.0.0.1",
          "ports": { "http": 14646, "rpc": 14647, "serf": 14648 },
          "advertise": { "http": "10.0.0.1:14646", "rpc": "10.0.0.1:14647", "serf": "10.0.0.1:14648" },
          "leave_on_interrupt": true, "leave_on_terminate": false, "disable_update_check": true, "disable_anonymous_signature": true,
          "server": { "enabled": true, "bootstrap_expect": 1, "raft_protocol": 3, "raft_multiplier": 1,
            "server_join": { "retry_join": ["10.0.0.2:14648"], "retry_interval": "1s", "retry_max": 0 } },
          "autopilot": { "cleanup_dead_servers": true, "min_quorum": 3, "server_stabilization_time": "10s" },
          "consul": { "auto_advertise": false, "server_auto_join": false, "client_auto_join": false }
        }
        """;

    /// <summary>And for a client.</summary>
    private const string Client =
        """
        {
          "name": "n1", "data_dir": "/var/lib/n1", "plugin_dir": "/plugins", "bind_addr": "10.0.0.1", "ports": { "http": 4646 },
          "advertise": { "http": "10.0.0.1:4646", "rpc": "10.0.0.1", "serf": "10.0.0.1" },
          "leave_on_interrupt": false, "disable_update_check": true, "disable_anonymous_signature": true,
          "client": { "enabled": true, "servers": ["10.0.0.2:14647"], "max_kill_timeout": "10m", "options": { "fingerprint.denylist": "env_aws" },
            "meta": { "nomadstack.node_id": "x" }, "network_interface": "eth0", "node_class": "c" },
          "consul": { "auto_advertise": true, "address": "10.0.0.1:8500", "checks_use_advertise": true, "server_auto_join": false, "client_auto_join": false },
          "plugin": { "nomadstack": { "args": [] }, "raw_exec": { "config": { "enabled": true } } }
        }
        """;

    [Fact]
    public void ReadsWhatTheNodeAgentWritesForAServer()
    {
        var config = Read(Server);

        config.MemberName.ShouldBe("n1-server.global");
        config.Ports.ShouldBe(new AgentPorts(14646, 14647, 14648));
        config.LeaveOnInterrupt.ShouldBeTrue();
        config.Server!.BootstrapExpect.ShouldBe(1);
        config.Server.RetryJoin.ShouldBe(["10.0.0.2:14648"]);
        config.Server.RetryInterval.ShouldBe(TimeSpan.FromSeconds(1));
        config.Autopilot.MinQuorum.ShouldBe(3);
        config.Client.ShouldBeNull();
    }

    [Fact]
    public void ReadsWhatTheNodeAgentWritesForAClient()
    {
        var config = Read(Client);

        config.Server.ShouldBeNull();
        config.Client!.Servers.ShouldBe(["10.0.0.2:14647"]);
        config.Client.MaxKillTimeout.ShouldBe(TimeSpan.FromMinutes(10));
        config.Client.Meta["nomadstack.node_id"].ShouldBe("x");
        config.Advertise.Rpc.ShouldBe("10.0.0.1:4647");
        config.Plugins.Keys.ShouldBe(["nomadstack", "raw_exec"], ignoreOrder: true);
    }

    [Theory]
    [InlineData("""{ "vault": {}, "data_dir": "/x", "server": { "enabled": true } }""", "vault: the embedded engine does not know this key")]
    [InlineData("""{ "data_dir": "/x", "server": { "enabled": true, "start_timeout": "30s" } }""", "server.start_timeout: the embedded engine does not know this key")]
    [InlineData("""{ "data_dir": "/x", "server": { "enabled": true, "bootstrap_expect": "1" } }""", "server.bootstrap_expect: a whole number is expected")]
    [InlineData("""{ "data_dir": "/x", "server": { "enabled": true, "retry_interval": "soon" } }""", "server.retry_interval: \"soon\" is not a duration")]
    [InlineData("""{ "server": { "enabled": true } }""", "data_dir: must be set to a folder")]
    [InlineData("""{ "data_dir": "/x" }""", "server.enabled, client.enabled: one of them must be true")]
    public void RefusesByName(string json, string complaint) => Should.Throw<ConfigException>(() => Read(json)).Message.ShouldBe(complaint);

    [Fact]
    public void ALaterFileWinsKeyByKey()
    {
        var config = ReadFiles(("a.json", Server), ("b.json", """{ "server": { "bootstrap_expect": 0 } }"""));

        config.Server!.BootstrapExpect.ShouldBe(0);
        config.Server.RetryJoin.Count.ShouldBe(1);
    }

    [Fact]
    public void HclSaysTheSameAsJson()
    {
        var config = ReadFiles(
            ("a.json", Client),
            ("nomad-client.hcl",
            """
            # What an operator adds to it.
            log_level = "DEBUG"
            client {
              node_class = "batch"
              servers    = ["10.0.0.3:14647"]
              meta {
                rack        = 3
                "disk.kind" = "ssd"
              }
              options = { "driver.denylist" = "docker" }
              reserved { memory = 512 }
            }
            plugin "raw_exec" {
              config { no_cgroups = true }
            }
            """));

        config.LogLevel.ShouldBe("DEBUG");
        config.Client!.NodeClass.ShouldBe("batch");
        config.Client.Servers.ShouldBe(["10.0.0.2:14647", "10.0.0.3:14647"]);
        config.Client.Meta.ShouldBe(new Dictionary<string, string> { ["nomadstack.node_id"] = "x", ["rack"] = "3", ["disk.kind"] = "ssd" }, ignoreOrder: true);
        config.Client.Options["driver.denylist"].ShouldBe("docker");
        config.Client.Reserved.MemoryMB.ShouldBe(512);
        config.Plugins["raw_exec"].Config!.ToJsonString().ShouldBe("""{"enabled":true,"no_cgroups":true}""");
    }

    [Fact]
    public void OfAFolderTheFilesCountInLexicalOrderAndNothingElse()
    {
        var config = ReadFolder(
            ("20.hcl", "name = \"later\""),
            ("10.json", Server),
            (".#30.hcl", "name = \"an editor's\""),
            ("30.hcl~", "name = \"another's\""),
            ("readme.txt", "{"));

        config.Name.ShouldBe("later");
        config.Ports.Http.ShouldBe(14646);
    }

    [Theory]
    [InlineData("a.hcl", "data_dir = \"/x\"\nserver {\n  enabled = true\n  start_timeout = \"k\"\n}\n", "a.hcl:4: server.start_timeout: the embedded engine does not know this key")]
    [InlineData("a.json", "{ \"data_dir\": \"/x\", // where\n \"server\": { \"enabled\": true,\n \"start_timeout\": \"k\" } }", "a.json:3: server.start_timeout: the embedded engine does not know this key")]
    [InlineData("a.hcl", "data_dir = \"/x\"\nserver {\n  enabled = true\n}\nvault {\n}\n", "a.hcl:5: vault: the embedded engine does not know this key")]
    [InlineData("a.hcl", "server {\n  enabled = true\n}\nplugin \"p\" {\n  argv = []\n}\ndata_dir = \"/x\"", "a.hcl:5: plugin.p.argv: the embedded engine does not know this key")]
    [InlineData("a.hcl", "server {\n", "a.hcl:1,1-7: Unclosed configuration block; There is no closing brace for this block before the end of the file.")]
    public void RefusesByNameAndLine(string file, string text, string complaint) =>
        Should.Throw<ConfigException>(() => ReadFiles((file, text))).Message.ShouldEndWith("/" + complaint);

    private static AgentConfig ReadFiles(params (string Name, string Text)[] files) => InFolder(files, folder => ConfigReader.ReadFiles(files.Select(f => Path.Combine(folder, f.Name))));

    private static AgentConfig ReadFolder(params (string Name, string Text)[] files) => InFolder(files, folder => ConfigReader.ReadFiles([folder]));

    private static AgentConfig InFolder((string Name, string Text)[] files, Func<string, AgentConfig> read)
    {
        var folder = Directory.CreateTempSubdirectory("nomadstack-config-").FullName;
        try
        {
            foreach (var (name, text) in files) File.WriteAllText(Path.Combine(folder, name), text);
            return read(folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static AgentConfig Read(string json) => ConfigReader.Read((JsonObject)JsonNode.Parse(json)!);
}
