// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Bundle;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Preflight;
using Nomadstack.Processes;
using Nomadstack.Programs;
using Nomadstack.Security;
using Nomadstack.Storage;

namespace Nomadstack.Doctor;

/// <summary>One reading of this machine and of the agent on it, if there is one. Writes one file of a few kilobytes and deletes it again. Changes nothing else.</summary>
/// <param name="Address">The node's own address, the one asked for, or the guessed one; null when there is none.</param>
/// <param name="IsMember">The data folder already belongs to a cluster.</param>
/// <param name="Agent">Pid of the agent that holds the data folder; null when none does.</param>
/// <param name="Status">What that agent answers; null when there is none.</param>
/// <param name="AgentProblem">Why a running agent does not answer, or why its files cannot be read.</param>
/// <param name="Others">Agents of other folders, such as <c>pid 12: nomad agent -dev</c>.</param>
/// <param name="Sync">How long a small durable write took; null when nothing could be written.</param>
/// <param name="OpenFiles">The hard limit; null when unknown or unlimited.</param>
/// <param name="MemoryBytes">Memory free for programs, or the limit of our control group when that is lower.</param>
/// <param name="ClockIsKept">A time service sets the kernel's clock; null when unknown.</param>
/// <param name="Cgroups">The version, 2 or 1; 0 for none.</param>
/// <param name="Bundle">What this binary contains; null for nothing.</param>
internal sealed record DoctorFacts(
    NodePaths Paths,
    string? Address,
    PortPlan Ports,
    bool IsMember,
    HostFacts Host,
    IReadOnlySet<int> OwnPids,
    int? Agent,
    StatusDocument? Status,
    Problem? AgentProblem,
    IReadOnlyList<string> Others,
    TimeSpan? Sync,
    long? OpenFiles,
    long MemoryBytes,
    bool? ClockIsKept,
    int Cgroups,
    User User,
    Version Kernel,
    IReadOnlyDictionary<string, ProgramFinding> Programs,
    BundleIndex? Bundle)
{
    /// <summary>The tree of version 2 has everything that Nomad wants, but we cannot change it.</summary>
    public bool CgroupsClosed { get; init; }

    /// <summary>Other nodes of the cluster, as they answer now.</summary>
    public IReadOnlyList<SeenPeer> Peers { get; init; } = [];

    /// <summary>What this node has settled to run, by product; only of a member.</summary>
    public IReadOnlyDictionary<string, OwnProgram> Own { get; init; } = new Dictionary<string, OwnProgram>();

    /// <summary>Products that this member's cluster was made without.</summary>
    public IReadOnlySet<string> NotInCluster { get; init; } = new HashSet<string>();

    /// <summary>Programs that are where this node would look today and that it does not use, by product.</summary>
    public IReadOnlyDictionary<string, ProgramOffer> Offers { get; init; } = new Dictionary<string, ProgramOffer>();

    /// <summary>The address was given on the command line: it is judged as it is.</summary>
    public bool IsAddressTyped { get; init; }

    /// <summary>The certificates and keys on this node's disk.</summary>
    public NodeCertificates Certificates { get; init; } = new([], []);

    /// <summary>Names of the variables in this command's environment that name a proxy.</summary>
    public IReadOnlyList<string> Proxies { get; init; } = [];

    private static readonly string[] s_proxyVariables = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

    /// <summary>Long enough for a busy agent, short enough for a person who waits.</summary>
    private static readonly TimeSpan s_agentDeadline = TimeSpan.FromSeconds(5);

    public static async Task<DoctorFacts> ReadAsync(NodePaths paths, DoctorRequest request, TimeProvider time, CancellationToken cancel)
    {
        var (node, unreadable) = ReadNode(paths);
        var own = MarkedProcesses.WithThis(paths.Data);
        var agent = AgentPresence.HolderOf(paths);
        // The agent holds the peer port itself, and unlike its processes it has no mark.
        if (agent is { } running) own.Add(running);
        var (status, silence) = agent is null ? (null, null) : await AskAsync(paths, time, cancel);
        var host = HostFacts.Read(paths.Data, time);
        // Without the cache of program versions: the doctor writes no files.
        var bundle = new BundleStore(paths, time).Unpacked(Environment.ProcessPath!);
        var probe = new ProgramProbe(time, null, product => InstalledPrograms.Folders(paths, product, bundle));
        var member = File.Exists(paths.ClusterFile);
        var (settled, torn) = member ? ReadOwn(paths) : (null, null);
        var (cluster, unread) = node is null ? (null, null) : Read(() => Membership.OnDisk(paths));
        var peers = node is null || cluster is null ? [] : await SeenPeer.AllAsync(paths, cluster, node.Id, time, cancel);
        Dictionary<string, ProgramFinding> programs = [];
        Dictionary<string, OwnProgram> mine = [];
        Dictionary<string, ProgramOffer> offers = [];
        foreach (var product in ProductTable.Known.Shown)
        {
            var finding = await probe.ProbeAsync(product, request.Programs.GetValueOrDefault(product.Name), null, null, cancel);
            programs[product.Name] = finding;
            if (settled?.GetValueOrDefault(product.Name) is not { } program) continue;
            mine[product.Name] = program;
            programs[product.Name] = await probe.OwnAsync(product, program, cancel);
            if (finding is ProgramFinding.Found { Program: var other } && await Task.Run(() => program.Differs(other), cancel)) offers[product.Name] = new(other.Version.ToString(), other.Path);
        }

        return new(
            paths,
            request.Bind ?? node?.Address ?? AddressGuess.Default()?.Address.ToString(),
            node?.Ports ?? new(),
            member,
            host,
            own,
            agent,
            status,
            unreadable ?? torn ?? unread ?? silence,
            OtherAgents(own),
            host.DataProblem is null ? SyncTime.Measure(paths.Data, time) : null,
            Limits.OpenFiles(),
            Limits.Memory(),
            KernelClock.IsKept(),
            File.Exists("/sys/fs/cgroup/cgroup.controllers") ? 2 : Directory.Exists("/sys/fs/cgroup/memory") ? 1 : 0,
            User.OfThisProcess(),
            Environment.OSVersion.Version,
            programs,
            Trailer.Read(Environment.ProcessPath!)?.Index)
        {
            Own = mine,
            NotInCluster = cluster is null ? [] : ProductTable.Known.Stack.Select(p => p.Name).Except(cluster.Products).ToHashSet(),
            IsAddressTyped = request.Bind is not null,
            Certificates = NodeCertificates.Read(paths, ProductTable.Known, host.Now),
            Peers = peers,
            Offers = offers,
            CgroupsClosed = Limits.CgroupsClosed(),
            Proxies = [.. s_proxyVariables.Where(name => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(name)))],
        };
    }

    private static (NodeFile?, Problem?) ReadNode(NodePaths paths) => Read(NodeFile.At(paths).Read);

    private static (IReadOnlyDictionary<string, OwnProgram>?, Problem?) ReadOwn(NodePaths paths) => Read(() => new OwnPrograms(paths).All);

    private static (T?, Problem?) Read<T>(Func<T?> read)
        where T : class
    {
        try
        {
            return (read(), null);
        }
        catch (ProblemException e)
        {
            return (null, e.Problem);
        }
    }

    private static async Task<(StatusDocument?, Problem?)> AskAsync(NodePaths paths, TimeProvider time, CancellationToken cancel)
    {
        using var client = new AgentClient(paths, time);
        using var limit = new CancellationTokenSource(s_agentDeadline, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        try
        {
            return (await client.StatusAsync(either.Token), null);
        }
        catch (ProblemException e)
        {
            return (null, e.Problem);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return (null, DoctorProblems.NotAnswering(s_agentDeadline, paths.Log));
        }
    }

    private static List<string> OtherAgents(HashSet<int> own)
    {
        List<string> others = [];
        foreach (var pid in ProcFs.Pids())
        {
            if (own.Contains(pid) || ProcFs.CommandLine(pid) is not [var program, ..] line) continue;
            var name = Path.GetFileName(program);
            var isAgent = ProductTable.Known.Stack.Any(p => p.Program == name) ? line.Contains("agent") : name == "nomadstack" && line.Skip(1).Any(word => word is "agent" or "up");
            if (isAgent) others.Add($"pid {pid}: {string.Join(' ', line)}");
        }

        return others;
    }
}
