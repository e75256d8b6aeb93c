// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Text;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Storage;

/// <summary>The paths of all files of one node (design: "On disk"). Only names; creates nothing.</summary>
internal sealed class NodePaths
{
    public const string SystemData = "/var/lib/nomadstack";

    /// <summary>Bytes in sockaddr_un.sun_path but for its end (unix(7)), and what we put behind the data folder: <c>/run/driver-01234567.sock</c>.</summary>
    private const int LongestSocketPath = 107, LongestInside = 25;

    public NodePaths(string? dataFolder = null)
    {
        Data = Path.GetFullPath(dataFolder ?? DefaultData());
        Run = RunOf(Data, Libc.GetEffectiveUserId(), Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR"));
    }

    /// <summary>The data folder, <c>--data-dir</c>.</summary>
    public string Data { get; }

    /// <summary>Sockets and lifelines; lost at reboot. One per data folder, so that several agents can run on one host.</summary>
    public string Run { get; }

    public string NodeFile => Path.Combine(Data, "node.json");
    public string ClusterFile => Path.Combine(Data, "cluster.json");

    /// <summary>What happened on this node, one event a line.</summary>
    public string Timeline => Path.Combine(Data, "timeline.jsonl");

    /// <summary>Entries of <see cref="ClusterFile"/> that this release cannot use.</summary>
    public string Quarantine => Path.Combine(Data, "cluster.quarantine.json");

    public string Operations => Path.Combine(Data, "operations");
    public string Pki => Path.Combine(Data, "pki");

    /// <summary>The cluster's secrets, sealed; only on server nodes.</summary>
    public string Secrets => Path.Combine(Data, "secrets");

    public string Binaries => Path.Combine(Data, "bin");

    /// <summary>A file that holds room on the disk for when it is full.</summary>
    public string Reserve => Path.Combine(Data, "reserve");

    /// <summary>This node's own copies of programs that others may replace.</summary>
    public string Programs => Path.Combine(Data, "programs");

    /// <summary>What a drill needs, for as long as it takes.</summary>
    public string Drill => Path.Combine(Data, "drill");

    /// <summary>Archives of the cluster; only on server nodes.</summary>
    public string Snapshots => Path.Combine(Data, "snapshots");

    public string Log => Path.Combine(Data, "log");
    public string Retired => Path.Combine(Data, "retired");
    public string Processes => Path.Combine(Data, "processes");

    /// <summary>Folder of a member process: <c>nomad/client</c> or <c>consul/client</c>.</summary>
    public string Client(string product) => Path.Combine(Data, product, "client");

    /// <summary>
    /// Where a product's client answers other programs of this node without TLS; null where the path would be too long for a socket. On the data disk: whoever sweeps /run would sweep it away.
    /// </summary>
    public string? ClientSocket(string product) =>
        Path.Combine(Client(product), "api.sock") is var path && System.Text.Encoding.UTF8.GetByteCount(path) <= LongestSocketPath ? path : null;

    /// <summary>Folder that Nomad's client scans for plugins. On the data disk, since /run is often mounted noexec.</summary>
    public string Plugins => Path.Combine(Data, "nomad", "plugins");

    /// <summary>Folder of a job server: <c>servers/ROLE</c> with config.json, data/ and record.json.</summary>
    public string Server(string role) => Path.Combine(Data, "servers", role);

    /// <summary>Folder of a bootstrap server, retired after the pivot.</summary>
    public string BootstrapServer(string role) => Path.Combine(Data, "servers", role + "-bootstrap");

    public string AgentSocket => Path.Combine(Run, "agent.sock");

    /// <summary>FIFOs that the plugin's launches create, named after their pid.</summary>
    public string Lifelines => Path.Combine(Run, "lifelines");

    private static string DefaultData() =>
        Libc.GetEffectiveUserId() == 0
            ? SystemData
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local/share/nomadstack");

    /// <summary>
    /// Root's is below /run, which no other user can write to. Anybody else's is in the data folder: what a login makes goes with the last session, and /tmp belongs to
    /// everybody. Only where a socket's path would not fit is it elsewhere, and looked at twice (<see cref="RunFolder"/>).
    /// </summary>
    /// <param name="given">Where this user's sockets belong, if the login says so.</param>
    internal static string RunOf(string data, uint user, string? given)
    {
        if (user != 0 && Encoding.UTF8.GetByteCount(data) + LongestInside <= LongestSocketPath) return Path.Combine(data, "run");
        var root = user == 0 ? "/run"
            : given is { Length: > 0 } && FileEntry.At(given) is { IsFolder: true } entry && entry.Owner == user ? given
            : Path.Combine(Path.GetTempPath(), $"nomadstack-{user}");
        // A socket's path may have at most 107 bytes, so it does not contain the data folder's path.
        return data == DefaultData()
            ? Path.Combine(root, "nomadstack")
            : Path.Combine(root, "nomadstack-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(data)))[..8]);
    }
}
