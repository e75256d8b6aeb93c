// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Nomad;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Storage;

namespace Nomadstack.Servers;

/// <summary>Nomad's servers: configuration, node-id file, and the way they leave.</summary>
internal sealed class NomadServers(NodeContext context, NodePrograms programs) : IServerProduct
{
    public string Role => Cluster.Role.Nomad;

    public IServerApi Api(Uri http) => new NomadApi(http.GetLeftPart(UriPartial.Authority), context.Time);

    public ProcessSpec Prepare(ServerSite site, IReadOnlyList<string> join, int voters, string? version)
    {
        var program = programs.For(Role, version);
        var basis = site.Bootstrap
            ? NomadServerConfig.Temporary(site.Name, site.Address, context.Node.Ports, site.DataFolder)
            : NomadServerConfig.Job(site.Name, site.Address, context.Node.Ports, site.DataFolder) with { Join = join };
        ServerFiles.Write(site, (basis with { Bootstrap = site.Bootstrap, MinQuorum = voters, ServerStabilizationTime = Promotion.Stabilization }).Render(), Path.Combine(site.DataFolder, "server"));
        return new(site.ProcessName, program.Path, program.Arguments("agent", "-config", site.ConfigFile), Path.Combine(context.Paths.Log, site.ProcessName + ".log"));
    }

    /// <summary>No version has a call to leave; SIGINT makes a server leave as we configure it, and nobody else can send it one: it runs in a session of its own.</summary>
    public Task LeaveAsync(Uri http, SupervisedProcess process, TimeSpan deadline, Task? gone, CancellationToken cancel) => process.StopAsync(Signals.SIGINT, deadline, cancel, gone);

    /// <summary>
    /// The root keys of variables and workload identities. Nomad 1.4 to 1.8 has them in <c>keystore/ID[.provider].nks.json</c> alone, copied from server to server
    /// a moment after raft (nomad/encrypter.go); from 1.9 on they are in raft, and there are no such files in a new cluster.
    /// </summary>
    public IReadOnlySet<string> KeysOnDisk(ServerSite site) => KeysIn(site.DataFolder);

    /// <summary>
    /// A key that Nomad removed stays on disk, and a successor has no reason to copy it: only what the keyring still names is needed. A server of 1.9 or later
    /// has put all it had on disk into raft, and its successors write no such files.
    /// </summary>
    public async Task<IReadOnlySet<string>> KeysNeededAsync(ServerSite site, IReadOnlyList<Uri> servers, CancellationToken cancel)
    {
        var onDisk = KeysOnDisk(site);
        if (onDisk.Count == 0) return onDisk;
        var own = await Api(new("http://" + HostPort.Join(site.Address, site.Http))).AgentSelfAsync(NomadApi.Quick, cancel);
        // What runs may be older than what is installed by now; one that is down tells nothing.
        var version = own.Try(out var self) ? SemVer.Parse(self.Version) : programs.Find(Role)?.Version;
        foreach (var server in servers)
        {
            if ((await ((NomadApi)Api(server)).KeyringAsync(NomadApi.WithLeader, cancel)).Try(out var named)) return Needed(onDisk, version, named);
        }

        return Needed(onDisk, version, null);
    }

    /// <param name="named">Ids of the keyring; null when nobody tells.</param>
    internal static IReadOnlySet<string> Needed(IReadOnlySet<string> onDisk, SemVer? version, IReadOnlyList<string>? named) =>
        version?.AtLeast(1, 9) == true ? new HashSet<string>()
        : named is null ? onDisk
        : onDisk.Intersect(named).ToHashSet(StringComparer.Ordinal);

    internal static IReadOnlySet<string> KeysIn(string dataFolder)
    {
        var keystore = Path.Combine(dataFolder, "server", "keystore");
        try
        {
            return Directory.EnumerateFiles(keystore, "*.nks.json").Select(file => Path.GetFileName(file).Split('.')[0]).ToHashSet(StringComparer.Ordinal);
        }
        catch (DirectoryNotFoundException)
        {
            // Never had one, or was retired just now.
            return new HashSet<string>();
        }
    }

    public string MemberName(string serverName) => serverName + ".global";
}

/// <summary>When autopilot makes a new server a voter.</summary>
internal static class Promotion
{
    /// <summary>
    /// Autopilot looks every 10 s for servers that have been stable this long. Shorter than the products' own 10 s, so that a new server waits for one look, not two.
    /// </summary>
    public static readonly TimeSpan Stabilization = TimeSpan.FromSeconds(3);
}

/// <summary>The files both products' servers have in common.</summary>
internal static class ServerFiles
{
    /// <summary>Writes the raft id, once, and the configuration when it differs. Repeatable.</summary>
    public static void Write(ServerSite site, string configuration, string nodeIdFolder)
    {
        var nodeId = Path.Combine(nodeIdFolder, "node-id");
        if (!File.Exists(nodeId)) DurableText.Write(nodeId, site.RaftId);
        DurableText.Write(site.ConfigFile, configuration);
    }
}
