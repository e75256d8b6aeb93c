// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;

namespace Nomadstack.Cluster.Tests.Stack;

/// <summary>
/// What an operator runs without us, for comparison: on every node a Nomad server agent and a Nomad client agent with ordinary settings
/// and default retry times, both started at once when the node has power, as an init system would.
/// </summary>
internal sealed class PlainCluster(Lab lab)
{
    private readonly List<LabProgram> _agents = [];

    public Lab Lab => lab;

    public async Task StartAsync()
    {
        foreach (var node in lab.Nodes)
        {
            await File.WriteAllTextAsync(Path.Combine(node.Disk, "etc/server.hcl"), ServerConfig(node));
            await File.WriteAllTextAsync(Path.Combine(node.Disk, "etc/client.hcl"), ClientConfig(node));
            StartAgents(node);
        }
    }

    /// <summary>What the init system does at power-on.</summary>
    public void StartAgents(LabNode node)
    {
        StartServer(node);
        _agents.Add(node.Background("client", ["nomad", "agent", "-config", "/etc/nomadstack/client.hcl"]));
    }

    public void StartServer(LabNode node) => _agents.Add(node.Background("server", ["nomad", "agent", "-config", "/etc/nomadstack/server.hcl"]));

    public Task<TimeSpan> ReadyAsync(TimeSpan deadline) =>
        Eventually.NothingIsMissingAsync("plain cluster ready", deadline, async () =>
        {
            var nodes = await new NomadApi(lab.Nodes[0].Address, NomadApi.ServerPort).GetAsync("/v1/nodes");
            var ready = nodes.EnumerateArray().Count(node => node.GetProperty("Status").GetString() == "ready");
            return ready == lab.Nodes.Count ? null : $"{lab.Nodes.Count - ready} of {lab.Nodes.Count} nodes";
        }, () => string.Join('\n', _agents.TakeLast(2).Select(agent => agent.Text)));

    public async Task RunWorkloadAsync()
    {
        await Workload.InstallAsync(lab.Nodes);
        var node = lab.Nodes[0];
        var run = await node.ExecAsync(["nomad", "job", "run", "-address", $"http://{node.Address}:{NomadApi.ServerPort}", "-detach", "/srv/workload.nomad"]);
        if (run.ExitCode != 0) throw new InvalidOperationException($"nomad job run: {run}");
    }

    private string ServerConfig(LabNode node) => $$"""
        name = "{{node.Name}}-server"
        data_dir = "/var/lib/nomadstack/server"
        bind_addr = "{{node.Address}}"
        disable_update_check = true
        ports {
          http = {{NomadApi.ServerPort}}
        }
        server {
          enabled = true
          bootstrap_expect = {{lab.Nodes.Count}}
          raft_protocol = 3
          server_join {
            retry_join = [{{string.Join(", ", lab.Nodes.Select(peer => $"\"{peer.Address}:4648\""))}}]
          }
        }

        """;

    // The cloud fingerprints ask an address nobody has here; a plain client would only wait for them.
    private string ClientConfig(LabNode node) => $$"""
        name = "{{node.Name}}"
        data_dir = "/var/lib/nomadstack/client"
        bind_addr = "{{node.Address}}"
        disable_update_check = true
        client {
          enabled = true
          servers = [{{string.Join(", ", lab.Nodes.Select(peer => $"\"{peer.Address}:4647\""))}}]
          options = {
            "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean"
          }
        }
        plugin "raw_exec" {
          config {
            enabled = true
          }
        }

        """;
}
