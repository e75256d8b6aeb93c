// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Cluster.Tests.Engines;
using Nomadstack.Cluster.Tests.Machines;

namespace Nomadstack.Cluster.Tests.Stack;

/// <summary>A cluster whose nodes run the program under test or release 0.1.0, each driven through its own command line.</summary>
internal sealed class MixedCluster : IAsyncDisposable
{
    private static readonly Dictionary<string, string> s_here = new() { ["NOMADSTACK_DATA_DIR"] = TestCluster.DataFolder };

    private readonly Lab _lab;
    private readonly string _engine;
    private readonly Dictionary<string, (string Program, LabProgram? Agent)> _nodes = [];

    private MixedCluster(Lab lab, string engine) => (_lab, _engine) = (lab, engine);

    public static async Task<MixedCluster> CreateAsync(string engine, Tool released)
    {
        var engines = await RealEngines.FindAsync();
        return new(await Lab.CreateAsync([.. engines.Tools().Where(tool => tool.Name == engine), await ProductBinary.PublishedAsync(), released]), engine);
    }

    /// <summary>Another machine with power, for one of the two programs.</summary>
    public async Task<LabNode> AddAsync(bool released)
    {
        var node = await _lab.AddAsync();
        _nodes[node.Name] = (released ? ReleasedProgram.Name : "nomadstack", null);
        return node;
    }

    public void StartAgent(LabNode node, params string[] more)
    {
        var program = _nodes[node.Name].Program;
        _nodes[node.Name] = (program, node.Background("agent", [program, "agent", "--data-dir", TestCluster.DataFolder, "--bind", node.Address, .. more], new Dictionary<string, string> { ["NOMADSTACK_ENGINE"] = _engine }));
    }

    public async Task BootstrapAsync(LabNode node)
    {
        StartAgent(node);
        await AnswersAsync(node);
        // Release 0.1.0 makes open clusters and can join no other.
        await MustAsync(node, TimeSpan.FromSeconds(150), ["bootstrap", "--no-consul", .. _nodes[node.Name].Program == ReleasedProgram.Name ? Array.Empty<string>() : ["--insecure"]]);
    }

    public async Task JoinAsync(LabNode node, LabNode via)
    {
        var created = await MustAsync(via, TimeSpan.FromSeconds(30), "token", "create", "--json");
        await TestCluster.WriteTokenAsync(node, JsonDocument.Parse(created).RootElement.GetProperty("token").GetString()!);
        StartAgent(node, "--join", via.Address, "--token-file", "/etc/nomadstack/token");
    }

    public Task KillAgentAsync(LabNode node) => _nodes[node.Name].Agent!.KillAsync();

    public async Task PowerOnAsync(LabNode node)
    {
        await node.PowerOnAsync();
        StartAgent(node);
    }

    public async Task<string> MustAsync(LabNode node, TimeSpan deadline, params string[] arguments)
    {
        var output = await node.ExecAsync([_nodes[node.Name].Program, .. arguments], deadline, s_here);
        return output.ExitCode == 0 ? output.Stdout : throw new InvalidOperationException($"{_nodes[node.Name].Program} {string.Join(' ', arguments)} on {node.Name}: {output}\n{Logs()}");
    }

    public async Task<StatusView> StatusAsync(LabNode node) => StatusView.Parse(await MustAsync(node, TimeSpan.FromSeconds(20), "status", "--json"));

    /// <summary>Waits until both programs call the cluster healthy with these nodes and so many servers.</summary>
    public Task<TimeSpan> HealthyAsync(int servers, params LabNode[] nodes) =>
        Eventually.NothingIsMissingAsync($"healthy with {servers} server(s) on {nodes.Length} nodes", TimeSpan.FromSeconds(180), async () =>
        {
            foreach (var node in nodes)
            {
                var status = await StatusAsync(node);
                if (status.Cluster.State != "healthy" || status.Cluster.DesiredServers != servers || status.Nodes.Count != nodes.Length)
                    return $"{node.Name} says {status.Cluster.State} ({status.Cluster.Reason}), {status.Cluster.DesiredServers} desired, {status.Nodes.Count} node(s)";
            }

            return null;
        }, Logs, Eventually.Unhurried);

    /// <summary>The servers' nodes as a node tells them.</summary>
    public async Task<IReadOnlyList<string>> ServersAsync(LabNode node) => [.. (await StatusAsync(node)).Servers.Select(s => s.Node)];

    /// <summary>What is in a node's <c>cluster.json</c> now.</summary>
    public static JsonObject Membership(LabNode node) => JsonNode.Parse(File.ReadAllText(Path.Combine(node.Data, "cluster.json")))!.AsObject();

    public Task<TimeSpan> AnswersAsync(LabNode node) =>
        Eventually.NothingIsMissingAsync($"the agent of {node.Name} answers", TimeSpan.FromSeconds(40), async () =>
            _nodes[node.Name].Agent!.HasExited ? throw new AgentDiedException($"The agent of {node.Name} ended:\n{_nodes[node.Name].Agent!.Text}") : await StatusAsync(node) is not null ? null : "an answer", Logs, Eventually.Unhurried);

    public string Logs()
    {
        var text = new StringBuilder();
        foreach (var (name, (program, agent)) in _nodes)
        {
            text.AppendLine(null, $"=== {program} on {name}");
            foreach (var line in (agent?.Text ?? "").Split('\n').TakeLast(30)) text.AppendLine(line);
        }

        return text.ToString();
    }

    public ValueTask DisposeAsync() => _lab.DisposeAsync();
}
