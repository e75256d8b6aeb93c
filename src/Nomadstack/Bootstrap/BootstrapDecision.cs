// SPDX-License-Identifier: MPL-2.0

namespace Nomadstack.Bootstrap;

/// <summary>One product's servers during bootstrap and pivot, as observed.</summary>
/// <param name="BootstrapStarted">Its bootstrap server is recorded and its process runs.</param>
/// <param name="LeaderKnown">Some server of the product knows a leader.</param>
/// <param name="JobRegistered">The server job is in Nomad's state, with a count of at least one.</param>
/// <param name="JobServerCaughtUp">A job server is a healthy voter and has applied what the leader had.</param>
/// <param name="LeaveIntended">The point of no return: the bootstrap server leaves, whatever happens.</param>
/// <param name="BootstrapGone">No raft configuration names the bootstrap server, its process has ended, its folder is retired.</param>
internal sealed record RoleFacts(bool BootstrapStarted, bool LeaderKnown, bool JobRegistered, bool JobServerCaughtUp, bool LeaveIntended, bool BootstrapGone);

/// <summary>One reading of everything the bootstrap works on.</summary>
/// <param name="Consul">Null when the cluster has no Consul.</param>
/// <param name="NodeReady">Nomad's state shows this node ready, with our driver healthy.</param>
/// <param name="TracesGone">No configuration file, member list or server list names a bootstrap port.</param>
internal sealed record BootstrapFacts(bool ClusterMinted, RoleFacts Nomad, RoleFacts? Consul, bool ConsulClientRuns, bool NomadClientRuns, bool NodeReady, bool TracesGone);

internal enum BootstrapStep
{
    MintCluster,
    StartConsulBootstrap,
    StartNomadBootstrap,
    StartConsulClient,
    AwaitNomadLeader,
    StartNomadClient,
    AwaitNodeReady,
    RegisterConsulJob,
    RegisterNomadJob,
    AwaitJobServers,
    RemoveConsulBootstrap,
    RemoveNomadBootstrap,
    RemoveTraces,
    Done,
}

/// <summary>What to do next. Pure and total: the same facts give the same step, so a killed agent continues where the world is, not where it thought it was.</summary>
internal static class BootstrapDecision
{
    public static BootstrapStep Next(BootstrapFacts f) => f switch
    {
        { ClusterMinted: false } => BootstrapStep.MintCluster,
        { Consul: { BootstrapStarted: false, BootstrapGone: false } c } when IsNeeded(c) => BootstrapStep.StartConsulBootstrap,
        { Nomad: { BootstrapStarted: false, BootstrapGone: false } n } when IsNeeded(n) => BootstrapStep.StartNomadBootstrap,
        { Consul: not null, ConsulClientRuns: false } => BootstrapStep.StartConsulClient,
        { Nomad: { LeaderKnown: false, BootstrapGone: false } } => BootstrapStep.AwaitNomadLeader,
        { NomadClientRuns: false } => BootstrapStep.StartNomadClient,
        { NodeReady: false } => BootstrapStep.AwaitNodeReady,
        { Consul.JobRegistered: false } => BootstrapStep.RegisterConsulJob,
        { Nomad.JobRegistered: false } => BootstrapStep.RegisterNomadJob,
        { Consul: { BootstrapGone: false } c } when c.JobServerCaughtUp || c.LeaveIntended => BootstrapStep.RemoveConsulBootstrap,
        { Nomad: { BootstrapGone: false } n } when n.JobServerCaughtUp || n.LeaveIntended => BootstrapStep.RemoveNomadBootstrap,
        { Nomad.BootstrapGone: false } or { Consul.BootstrapGone: false } => BootstrapStep.AwaitJobServers,
        { TracesGone: false } => BootstrapStep.RemoveTraces,
        _ => BootstrapStep.Done,
    };

    /// <summary>One that was leaving when it was stopped is started again only for its vote.</summary>
    private static bool IsNeeded(RoleFacts role) => !role.LeaveIntended || !role.LeaderKnown;

    /// <summary>The step in words for a person.</summary>
    public static string Describe(BootstrapStep step) => step switch
    {
        BootstrapStep.MintCluster => "mint the cluster's identity",
        BootstrapStep.StartConsulBootstrap => "start the Consul bootstrap server",
        BootstrapStep.StartNomadBootstrap => "start the Nomad bootstrap server",
        BootstrapStep.StartConsulClient => "start this node's Consul client",
        BootstrapStep.AwaitNomadLeader => "elect the first Nomad leader",
        BootstrapStep.StartNomadClient => "start this node's Nomad client",
        BootstrapStep.AwaitNodeReady => "register this node",
        BootstrapStep.RegisterConsulJob => "register the job consul-server",
        BootstrapStep.RegisterNomadJob => "register the job nomad-server",
        BootstrapStep.AwaitJobServers => "bring the job servers into the quorum",
        BootstrapStep.RemoveConsulBootstrap => "pivot: the Consul bootstrap server leaves",
        BootstrapStep.RemoveNomadBootstrap => "pivot: the Nomad bootstrap server leaves",
        BootstrapStep.RemoveTraces => "check that nothing names a bootstrap server",
        BootstrapStep.Done => "done",
        _ => throw new ArgumentOutOfRangeException(nameof(step)),
    };
}
