// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Nomadstack.Cluster.Tests.Engines;
using Nomadstack.Cluster.Tests.Machines;

namespace Nomadstack.Cluster.Tests.Stack;

/// <summary>
/// A cluster of the published program on a lab's machines, driven through its command line only.
/// What fails here fails with the status and the agents' last words in the message.
/// </summary>
internal sealed class TestCluster : IAsyncDisposable
{
    public const string DataFolder = "/var/lib/nomadstack";

    // The same flows on the other engine: most tests do not know which.
    private static readonly string? s_everyday = Environment.GetEnvironmentVariable("NOMADSTACK_TEST_ENGINE") is { Length: > 0 } given ? given : null;

    // The flows are the same in a closed cluster; those of SecureTests are made so in any case, the others when this says so.
    private static readonly bool s_secure = Environment.GetEnvironmentVariable("NOMADSTACK_TEST_SECURE") == "1";

    private readonly ConcurrentDictionary<string, LabProgram> _agents = [];
    private readonly bool _consul;
    private readonly string? _engine;
    private readonly bool _secure;
    private volatile bool _over;

    private TestCluster(Lab lab, bool consul, string? engine, bool secure) => (Lab, _consul, _engine, _secure) = (lab, consul, engine, secure);

    public Lab Lab { get; }

    public IReadOnlyList<LabNode> Nodes => Lab.Nodes;

    public LabNode this[string node] => Lab[node];

    /// <summary>The embedded engine has no command line of its own: what a user would type of Nomad's is typed of ours.</summary>
    public bool HasNomadsCommands => _engine != "embedded";

    /// <summary>Servers on all nodes together, of a cluster of so many: one of each product.</summary>
    public int Products => _consul ? 2 : 1;

    /// <summary>Machines with power and nothing on them yet but the programs.</summary>
    /// <param name="engine">What the agents are told to take; null leaves it to them.</param>
    /// <param name="secure">Closed to strangers, as a cluster is that nobody asks to be open.</param>
    public static async Task<TestCluster> CreateAsync(int nodes, bool consul = true, string? engine = null, bool secure = false)
    {
        var engines = await RealEngines.FindAsync();
        var tools = engines.Tools().Where(tool => consul || tool.Name != "consul");
        engine ??= s_everyday;
        var cluster = new TestCluster(await Lab.CreateAsync([.. tools, await ProductBinary.PublishedAsync()]), consul, engine, secure || s_secure);
        for (var i = 0; i < nodes; i++) await cluster.Lab.AddAsync();
        ClusterKeys.Register(cluster);
        return cluster;
    }

    /// <summary>What the README tells an operator to do: an agent everywhere, one bootstrap, one join for each further node. Returns when healthy.</summary>
    public async Task StartAllAsync()
    {
        StartAgent(Nodes[0]);
        await BootstrapAsync(Nodes[0]);
        foreach (var node in Nodes.Skip(1)) await JoinAsync(node, Nodes[0]);
        await HealthyAsync(Nodes.Count < 3 ? 1 : 3, TimeSpan.FromSeconds(150));
        foreach (var node in Nodes.Where(node => Agent(node).HasExited)) throw new AgentDiedException($"The agent of {node.Name} ended with {Agent(node).ExitCode}:\n{Agent(node).Text}");
    }

    /// <summary>Starts the agent as an init system would. <paramref name="fault"/> is the point at which it kills itself.</summary>
    public LabProgram StartAgent(LabNode node, string? fault = null, IReadOnlyList<string>? more = null, string? bind = null, string? path = null)
    {
        var environment = new Dictionary<string, string>();
        if (fault is not null) environment["NOMADSTACK_FAULT"] = fault;
        if (path is not null) environment["PATH"] = path;
        if (_engine is not null) environment["NOMADSTACK_ENGINE"] = _engine;
        return _agents[node.Name] = node.Background("agent", ["nomadstack", "agent", "--data-dir", DataFolder, "--bind", bind ?? node.Address, .. more ?? []], environment);
    }

    public LabProgram Agent(LabNode node) => _agents[node.Name];

    /// <summary>Nodes with power whose agent runs: a machine that has not joined is no node yet.</summary>
    public IReadOnlyList<LabNode> Running => [.. Nodes.Where(node => node.IsOn && _agents.TryGetValue(node.Name, out var agent) && !agent.HasExited)];

    /// <summary>SIGKILL to the agent alone; whatever it started stays.</summary>
    public Task KillAgentAsync(LabNode node) => Agent(node).KillAsync();

    /// <summary>Power, and then what the init system starts.</summary>
    public async Task PowerOnAsync(LabNode node)
    {
        await node.PowerOnAsync();
        StartAgent(node);
    }

    /// <summary>What is typed to make this cluster.</summary>
    public string[] BootstrapCommand => ["bootstrap", .. _consul ? Array.Empty<string>() : ["--no-consul"], .. _secure ? Array.Empty<string>() : ["--insecure"]];

    public async Task BootstrapAsync(LabNode node, params string[] more)
    {
        await AgentAnswersAsync(node);
        await MustAsync(node, TimeSpan.FromSeconds(150), [.. BootstrapCommand, .. more]);
    }

    /// <summary>A token from <paramref name="via"/>, given to a new agent on <paramref name="node"/> in a file.</summary>
    /// <param name="client">Whether it is let in as a client node.</param>
    public async Task<LabProgram> JoinAsync(LabNode node, LabNode via, string? fault = null, bool client = false)
    {
        await WriteTokenAsync(node, await TokenAsync(via, client));
        return StartAgent(node, fault, ["--join", via.Address, "--token-file", "/etc/nomadstack/token"]);
    }

    public async Task<string> TokenAsync(LabNode node, bool client = false)
    {
        var created = await MustAsync(node, TimeSpan.FromSeconds(30), ["token", "create", "--json", .. client ? ["--client"] : Array.Empty<string>()]);
        return JsonDocument.Parse(created).RootElement.GetProperty("token").GetString()!;
    }

    /// <summary>Makes the credentials with which the workload of a node reaches its closed cluster.</summary>
    public Task LetWriterInAsync(LabNode node) => MustAsync(node, TimeSpan.FromSeconds(30), "credentials", "create", "writer", "--role", "operate", "--out", "/srv/keys");

    public static async Task WriteTokenAsync(LabNode node, string token)
    {
        var file = Path.Combine(node.Disk, "etc/token");
        await File.WriteAllTextAsync(file, token + "\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    /// <summary>Runs a nomadstack command on a node, whatever its exit code.</summary>
    public static Task<Output> RunAsync(LabNode node, TimeSpan deadline, params string[] arguments) =>
        node.ExecAsync(["nomadstack", .. arguments], deadline, new Dictionary<string, string> { ["NOMADSTACK_DATA_DIR"] = DataFolder });

    /// <summary>Runs a nomadstack command that has to succeed; returns its standard output.</summary>
    public async Task<string> MustAsync(LabNode node, TimeSpan deadline, params string[] arguments)
    {
        var output = await RunAsync(node, deadline, arguments);
        return output.ExitCode == 0 ? output.Stdout : throw new InvalidOperationException($"nomadstack {string.Join(' ', arguments)} on {node.Name}: {output}\n{Logs()}");
    }

    public static async Task<StatusView> StatusAsync(LabNode node)
    {
        var output = await RunAsync(node, TimeSpan.FromSeconds(15), "status", "--json");
        return output.ExitCode == 0 ? StatusView.Parse(output.Stdout) : throw new InvalidOperationException($"nomadstack status on {node.Name}: {output}");
    }

    public Task<TimeSpan> AgentAnswersAsync(LabNode node) =>
        Eventually.NothingIsMissingAsync($"the agent of {node.Name} answers", TimeSpan.FromSeconds(20), async () =>
            Agent(node).HasExited ? throw new AgentDiedException($"The agent of {node.Name} ended with {Agent(node).ExitCode}:\n{Agent(node).Text}")
            : await StatusAsync(node) is not null ? null : "an answer", Logs, Eventually.Unhurried);

    /// <summary>Waits until every node with power shows a healthy cluster with this many servers of each product. Returns how long it took.</summary>
    public Task<TimeSpan> HealthyAsync(int servers, TimeSpan deadline) =>
        Eventually.NothingIsMissingAsync($"healthy with {servers} server(s)", deadline, async () =>
        {
            foreach (var node in Running)
            {
                var status = await StatusAsync(node);
                if (status.Cluster.State != "healthy" || status.Cluster.DesiredServers != servers || status.Nodes.Count < Running.Count)
                    return $"{node.Name} says {status.Cluster.State} ({status.Cluster.Reason}), {status.Cluster.DesiredServers} desired, {status.Nodes.Count} node(s)";
            }

            return null;
        }, Logs, Eventually.Unhurried);

    public Task<TimeSpan> StateAsync(LabNode node, string state, TimeSpan deadline) =>
        Eventually.NothingIsMissingAsync($"{node.Name} shows {state}", deadline, async () =>
            await StatusAsync(node) is var status && status.Cluster.State == state ? null : $"it says {status.Cluster.State} ({status.Cluster.Reason})", Logs, Eventually.Unhurried);

    /// <summary>The six tasks, run through our own command and seen at work.</summary>
    public async Task RunWorkloadAsync()
    {
        await Workload.InstallAsync(Nodes);
        await MustAsync(Nodes[0], TimeSpan.FromSeconds(60), "job", "run", "/srv/workload.nomad");
        await Eventually.NothingIsMissingAsync("the workload runs", TimeSpan.FromSeconds(60), () =>
            Task.FromResult(Workload.RunningSinceBoot(Nodes) is var running and < Workload.Tasks ? $"{Workload.Tasks - running} tasks" : null), Logs);
    }

    /// <summary>The client's API of a node: what users of the cluster talk to.</summary>
    public static NomadApi Nomad(LabNode node) => new(node.Address, NomadApi.ClientPort);

    public string Logs()
    {
        var text = new StringBuilder();
        foreach (var (name, agent) in _agents)
        {
            text.AppendLine(null, $"=== agent of {name} ({(agent.HasExited ? $"ended with {agent.ExitCode}" : "runs")})");
            foreach (var line in agent.Text.Split('\n').TakeLast(40)) text.AppendLine(line);
        }

        return text.ToString();
    }

    /// <summary>The machines are being taken down: what ends now was not killed by a test.</summary>
    public bool IsOver => _over;

    public ValueTask DisposeAsync()
    {
        _over = true;
        if (Nodes.Count > 0) ClusterKeys.Forget(Nodes[0].Address);
        return Lab.DisposeAsync();
    }
}

/// <summary>The agent under test is gone although nobody killed it: no use in waiting on.</summary>
internal sealed class AgentDiedException(string message) : Exception(message);
