// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Net.NetworkInformation;

namespace Nomadstack.Cluster.Tests.Machines;

/// <summary>
/// A room of machines on this one: every node has its own network, processes, mounts, host name, boot id, /run and disk,
/// so that cutting its power is one kill. Labs of several runs do not see each other; a lab whose run was killed is torn down.
/// </summary>
internal sealed class Lab : IAsyncDisposable
{
    // On a disk, since programs under test rightly refuse to keep their data in memory.
    private static readonly string s_root = Environment.GetEnvironmentVariable("NOMADSTACK_LAB") ?? "/var/tmp/nomadstack-lab";
    private static readonly Lazy<Task<string?>> s_whyNot = new(ProbeAsync);

    // For looking around after a test: the lab stays until the next run.
    private static readonly bool s_keep = Environment.GetEnvironmentVariable("NOMADSTACK_LAB_KEEP") is { Length: > 0 };

    private readonly List<LabNode> _nodes = [];
    private readonly IReadOnlyList<Tool> _tools;

    private Lab(int number, IReadOnlyList<Tool> tools)
    {
        Number = number;
        _tools = tools;
    }

    /// <summary>Chosen so that no other lab on this machine has it; part of every name and address.</summary>
    public int Number { get; }

    public IReadOnlyList<LabNode> Nodes => _nodes;

    public LabNode this[string name] => _nodes.Single(node => node.Name == name);

    internal string Folder => Path.Combine(s_root, Number.ToString(CultureInfo.InvariantCulture));

    internal string Switch => $"nslab{Number}-sw";

    /// <summary>Why no lab can be made on this machine, in words for a person; null when it can.</summary>
    public static Task<string?> WhyNotAsync() => s_whyNot.Value;

    /// <summary>Makes an empty room: a switch, and this machine plugged into it at 10.78.N.254, so that tests reach every node directly.</summary>
    public static async Task<Lab> CreateAsync(IReadOnlyList<Tool> tools)
    {
        Directory.CreateDirectory(s_root);
        await TearDownLeftOversAsync();
        var lab = new Lab(Claim(), tools);
        Directory.CreateDirectory(lab.Folder);
        var script = Path.Combine(lab.Folder, "down.sh");
        await File.WriteAllTextAsync(script, DownScript);
        if (!s_keep) await lab.WatchOverAsync(script);
        await Command.MustAsync("ip", "netns", "add", lab.Switch);
        await Command.MustAsync("ip", "-n", lab.Switch, "link", "add", "br0", "type", "bridge");
        await Command.MustAsync("ip", "-n", lab.Switch, "link", "set", "br0", "up");
        await Command.MustAsync("ip", "link", "add", $"nsl{lab.Number}h", "type", "veth", "peer", "name", "host", "netns", lab.Switch);
        await Command.MustAsync("ip", "-n", lab.Switch, "link", "set", "host", "master", "br0", "up");
        await Command.MustAsync("ip", "addr", "add", $"10.78.{lab.Number}.254/24", "dev", $"nsl{lab.Number}h");
        await Command.MustAsync("ip", "link", "set", $"nsl{lab.Number}h", "up");
        return lab;
    }

    internal async Task ForgetNeighboursAsync()
    {
        foreach (var node in _nodes) await Command.MustAsync("ip", "-n", node.Namespace, "neigh", "flush", "dev", "eth0");
        await Command.MustAsync("ip", "neigh", "flush", "dev", $"nsl{Number}h");
    }

    /// <summary>Adds the next machine (n1, n2, …) and switches it on.</summary>
    public async Task<LabNode> AddAsync()
    {
        var number = _nodes.Count + 1;
        var node = new LabNode(this, $"n{number}", $"10.78.{Number}.{number}", _tools);
        _nodes.Add(node);
        await node.WireAsync();
        await node.PowerOnAsync();
        return node;
    }

    /// <summary>Drops all traffic between two nodes, both ways; both stay reachable for everyone else.</summary>
    public static async Task PartAsync(LabNode one, LabNode other)
    {
        await Command.MustAsync("ip", "-n", one.Namespace, "route", "replace", "blackhole", $"{other.Address}/32");
        await Command.MustAsync("ip", "-n", other.Namespace, "route", "replace", "blackhole", $"{one.Address}/32");
    }

    public static async Task UnpartAsync(LabNode one, LabNode other)
    {
        await Command.MustAsync("ip", "-n", one.Namespace, "route", "del", "blackhole", $"{other.Address}/32");
        await Command.MustAsync("ip", "-n", other.Namespace, "route", "del", "blackhole", $"{one.Address}/32");
    }

    public async ValueTask DisposeAsync()
    {
        if (!s_keep) await TearDownAsync(Number);
    }

    private static async Task<string?> ProbeAsync()
    {
        if (Environment.UserName != "root" && await Command.MustAsync("id", "-u") != "0\n") return "a lab of machines needs root";
        foreach (var (program, package) in new[] { ("ip", "iproute2"), ("unshare", "util-linux"), ("nsenter", "util-linux"), ("setsid", "util-linux"), ("mount", "util-linux") })
        {
            if (Command.Find(program) is null) return $"a lab of machines needs `{program}` (package {package})";
        }

        var name = $"nslab-probe-{Environment.ProcessId}";
        var network = await Command.RunAsync(["ip", "netns", "add", name]);
        try
        {
            if (network.ExitCode != 0) return $"this machine allows no network namespaces: {network.Stderr.Trim()}";
            var bridge = await Command.RunAsync(["ip", "-n", name, "link", "add", "br0", "type", "bridge"]);
            if (bridge.ExitCode != 0) return $"this machine allows no network bridge: {bridge.Stderr.Trim()}";
            var processes = await Command.RunAsync(["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "mount", "-t", "proc", "proc", "/proc"]);
            return processes.ExitCode == 0 ? null : $"this machine allows no process and mount namespaces: {processes.Stderr.Trim()}";
        }
        finally
        {
            await Command.RunAsync(["ip", "netns", "del", name]);
        }
    }

    /// <summary>Takes a number nobody else has, by creating its owner file; 10.78.N.0/24 must not be in use here either.</summary>
    private static int Claim()
    {
        var taken = NetworkInterface.GetAllNetworkInterfaces()
            .SelectMany(card => card.GetIPProperties().UnicastAddresses)
            .Select(address => address.Address.ToString())
            .ToList();
        for (var number = 0; number < 250; number++)
        {
            if (taken.Any(address => address.StartsWith($"10.78.{number}.", StringComparison.Ordinal))) continue;
            try
            {
                using var owner = new StreamWriter(new FileStream(OwnerFile(number), FileMode.CreateNew));
                owner.Write($"{Environment.ProcessId} {NodeProcess.StartedAt(Environment.ProcessId)}");
                return number;
            }
            catch (IOException) when (File.Exists(OwnerFile(number)))
            {
                // Somebody else's.
            }
        }

        throw new InvalidOperationException($"All labs under {s_root} are taken.");
    }

    private static async Task TearDownLeftOversAsync()
    {
        foreach (var file in Directory.GetFiles(s_root, "*.owner"))
        {
            var words = (await File.ReadAllTextAsync(file)).Split(' ');
            if (words.Length != 2 || !int.TryParse(words[0], CultureInfo.InvariantCulture, out var pid)) continue; // being written this moment
            if (NodeProcess.StartedAt(pid)?.ToString(CultureInfo.InvariantCulture) == words[1]) continue;
            await TearDownAsync(int.Parse(Path.GetFileNameWithoutExtension(file), CultureInfo.InvariantCulture));
        }
    }

    private static async Task TearDownAsync(int number)
    {
        var down = await Command.RunAsync(["bash", "-c", DownScript, "down", number.ToString(CultureInfo.InvariantCulture), s_root], TimeSpan.FromSeconds(60));
        if (down.ExitCode != 0) throw new InvalidOperationException($"Lab {number} could not be torn down: {down}");
    }

    private static string OwnerFile(int number) => Path.Combine(s_root, $"{number}.owner");

    /// <summary>Starts the caretaker: when this process ends in whatever way, the lab is torn down a second later.</summary>
    private async Task WatchOverAsync(string script) =>
        await Command.MustAsync("bash", "-c",
            "setsid bash -c 'tail --pid=\"$1\" -f /dev/null; [ -e \"$3/$2.owner\" ] && [ \"$(cut -d\" \" -f1 \"$3/$2.owner\")\" = \"$1\" ] && exec bash -c \"$(cat \"$4\")\" down \"$2\" \"$3\"' caretaker \"$@\" </dev/null >/dev/null 2>&1 &",
            "watch", Environment.ProcessId.ToString(CultureInfo.InvariantCulture), Number.ToString(CultureInfo.InvariantCulture), s_root, script);

    private const string DownScript = """
        number=$1 root=$2
        for space in $(ip netns list | awk '{print $1}' | grep -E "^nslab$number-" || true); do
          for _ in $(seq 100); do
            pids=$(ip netns pids "$space" 2>/dev/null); [ -n "$pids" ] || break
            kill -9 $pids 2>/dev/null; sleep 0.05
          done
          ip netns del "$space"
        done
        ip link del "nsl${number}h" 2>/dev/null
        rm -rf --one-file-system "$root/${number:?}" && rm -f "$root/$number.owner"
        """;
}

/// <summary>A program the nodes find on their PATH under this name, wherever it lies on this machine.</summary>
/// <param name="Folder">Whether the program needs the files that lie beside it.</param>
internal sealed record Tool(string Name, string Program, bool Folder = false);
