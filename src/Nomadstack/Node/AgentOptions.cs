// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Fetch;
using Nomadstack.Programs;

namespace Nomadstack.Node;

/// <summary>The options of <c>nomadstack up</c> or <c>nomadstack agent</c>. Only their syntax is checked.</summary>
/// <param name="DataDir">Null for the default of <see cref="Storage.NodePaths"/>.</param>
/// <param name="Bind">An IP address, or null for the daemon to choose.</param>
/// <param name="Name">Null for the host's name.</param>
/// <param name="Servers">How many servers a new cluster may have: 1, 3 or 5.</param>
/// <param name="Engine">What provides the scheduler: <see cref="AnyEngine"/>, <see cref="EmbeddedEngine"/>, or the scheduler's name for its own program.</param>
/// <param name="Without">Names of the products that a new cluster leaves out.</param>
/// <param name="Join">HOST or HOST:PORT of a member; null for no join.</param>
/// <param name="TokenFile">The file with the join token; given if and only if <paramref name="Join"/> is.</param>
/// <param name="Programs">Paths of the products' programs. Others are searched for.</param>
/// <param name="Ports">Ports that differ from the default, by <see cref="PortNames"/>.</param>
internal sealed record AgentOptions(
    string? DataDir,
    string? Bind,
    string? Name,
    int Servers,
    string Engine,
    IReadOnlyList<string> Without,
    string? Join,
    string? TokenFile,
    IReadOnlyDictionary<string, string> Programs,
    IReadOnlyDictionary<string, int> Ports)
{
    /// <summary>Any engine that is found.</summary>
    public const string AnyEngine = "auto";

    /// <summary>This program itself.</summary>
    public const string EmbeddedEngine = EngineKind.Embedded;

    /// <summary>Whether a new cluster is open to everybody who reaches its ports.</summary>
    public bool Insecure { get; init; }

    /// <summary>A mirror or folder for programs that are not on this machine, or <see cref="ProgramDownload.Never"/>; null for HashiCorp's releases.</summary>
    public string? FetchFrom { get; init; }

    /// <summary>Bytes of the data folder's disk to keep for when it is full; null for what suits the disk.</summary>
    public long? DiskReserve { get; init; }

    /// <summary>Gets the progress of a download while the agent does not answer yet.</summary>
    public Action<FetchProgress>? Fetching { get; init; }

    /// <summary>Told what the start waits for before the agent can answer for itself; nothing when that has come.</summary>
    public Action<string>? Waiting { get; init; }

    /// <summary>The longest time that a task gets to end when everything stops, whatever its job says.</summary>
    public TimeSpan LongestKillTimeout { get; init; } = TaskEndDecision.DefaultLongest;

    /// <summary>The absolute path of the program that an option names for a product; null for none.</summary>
    public string? Named(Product product) => Programs.GetValueOrDefault(product.Name) is { } file ? Path.GetFullPath(file) : null;

    /// <summary>The given plan with the asked-for ports in their places.</summary>
    public PortPlan PortsOver(PortPlan plan) => Ports.Aggregate(plan, (sofar, port) => PortNames.All[port.Key](sofar, port.Value));
}

/// <summary>The names of a <see cref="PortPlan"/>'s ports on the command line.</summary>
internal static class PortNames
{
    /// <summary>Name to "this plan with that port".</summary>
    public static IReadOnlyDictionary<string, Func<PortPlan, int, PortPlan>> All { get; } = new Dictionary<string, Func<PortPlan, int, PortPlan>>(
        ProductTable.Known.Shown.SelectMany(p => p.Ports).Select(port => KeyValuePair.Create<string, Func<PortPlan, int, PortPlan>>(port.Option, (plan, value) => plan.With(port, value)))
            .Prepend(new("peers", (plan, value) => plan.WithPeers(value))));
}
