// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Fetch;
using Nomadstack.Programs;

namespace Nomadstack.Node;

/// <summary>What the operator asked of <c>nomadstack up</c> or <c>nomadstack agent</c>, syntax checked and no more.</summary>
/// <param name="DataDir">Null for the default of <see cref="Storage.NodePaths"/>.</param>
/// <param name="Bind">An IP address, or null for the daemon to choose.</param>
/// <param name="Name">Null for the host's name.</param>
/// <param name="Servers">Most servers of a new cluster: 1, 3 or 5.</param>
/// <param name="Engine">What provides the scheduler: <see cref="AnyEngine"/>, <see cref="EmbeddedEngine"/>, or the scheduler's name for its own program.</param>
/// <param name="Without">Products that a new cluster does without, by name.</param>
/// <param name="Join">HOST or HOST:PORT of a member; null to join nothing.</param>
/// <param name="TokenFile">File that holds the join token; given exactly when <paramref name="Join"/> is.</param>
/// <param name="Programs">Paths of products' programs; the others are looked for.</param>
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
    /// <summary>Whichever engine there is.</summary>
    public const string AnyEngine = "auto";

    /// <summary>This program itself.</summary>
    public const string EmbeddedEngine = EngineKind.Embedded;

    /// <summary>A mirror or folder that programs found nowhere are fetched from, or <see cref="ProgramDownload.Never"/>; null for HashiCorp's.</summary>
    public string? FetchFrom { get; init; }

    /// <summary>Told of a download before the agent can answer for itself.</summary>
    public Action<FetchProgress>? Fetching { get; init; }

    /// <summary>Told what the start waits for before the agent can answer for itself; nothing when that has come.</summary>
    public Action<string>? Waiting { get; init; }

    /// <summary>The given plan with the asked-for ports in their places.</summary>
    public PortPlan PortsOver(PortPlan plan) => Ports.Aggregate(plan, (sofar, port) => PortNames.All[port.Key](sofar, port.Value));
}

/// <summary>The ports of a <see cref="PortPlan"/> as the command line names them.</summary>
internal static class PortNames
{
    /// <summary>Name to "this plan with that port".</summary>
    public static IReadOnlyDictionary<string, Func<PortPlan, int, PortPlan>> All { get; } = new Dictionary<string, Func<PortPlan, int, PortPlan>>(
        ProductTable.Known.Shown.SelectMany(p => p.Ports).Select(port => KeyValuePair.Create<string, Func<PortPlan, int, PortPlan>>(port.Option, (plan, value) => plan.With(port, value)))
            .Prepend(new("peers", (plan, value) => plan.WithPeers(value))));
}
