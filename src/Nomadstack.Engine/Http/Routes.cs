// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Rpc;

namespace Nomadstack.Engine.Http;

/// <summary>Everything this API answers.</summary>
internal static class Routes
{
    public static readonly IReadOnlyList<Route> All =
    [
        new("GET", "/v1/agent/self", Access.Agent, AgentApi.SelfAsync),
        new("GET", "/v1/agent/members", Access.Local, AgentApi.MembersAsync),
        new("GET", "/v1/agent/health", Access.Agent, AgentApi.HealthAsync),
        new("GET|PUT|POST", "/v1/agent/servers", Access.Agent, AgentApi.ServersAsync),
        new("PUT|POST", "/v1/agent/join", Access.Agent, AgentApi.JoinAsync),
        new("PUT|POST", "/v1/agent/force-leave", Access.Agent, AgentApi.ForceLeaveAsync),
        new("PUT|POST", "/v1/agent/leave", Access.Agent, AgentApi.LeaveAsync),
        new("GET", "/v1/status/leader", Access.Read, AgentApi.LeaderAsync),
        new("GET", "/v1/status/peers", Access.Read, AgentApi.PeersAsync),
        new("GET", "/v1/regions", Access.Local, AgentApi.RegionsAsync),

        new("GET", "/v1/jobs", Access.Read, JobsApi.ListAsync),
        new("PUT|POST", "/v1/jobs", Access.Write, JobsApi.RegisterAsync),
        new("PUT|POST", "/v1/jobs/parse", Access.Agent, JobsApi.ParseAsync),
        new("PUT|POST", "/v1/validate/job", Access.Agent, JobsApi.ValidateAsync),
        new("GET", "/v1/job/*", Access.Read, JobsApi.GetAsync),
        new("PUT|POST", "/v1/job/*", Access.Write, JobsApi.RegisterAsync),
        new("DELETE", "/v1/job/*", Access.Write, JobsApi.DeregisterAsync),
        new("PUT|POST", "/v1/job/*/plan", Access.Write, JobPlanApi.PlanAsync),
        new("PUT|POST", "/v1/job/*/evaluate", Access.Write, JobsApi.EvaluateAsync),
        new("GET", "/v1/job/*/allocations", Access.Read, JobsApi.AllocationsAsync),
        new("GET", "/v1/job/*/evaluations", Access.Read, JobsApi.EvaluationsAsync),
        new("GET", "/v1/job/*/deployments", Access.Read, JobsApi.DeploymentsAsync),
        new("GET", "/v1/job/*/deployment", Access.Read, JobsApi.LatestDeploymentAsync),
        new("GET", "/v1/job/*/summary", Access.Read, JobsApi.SummaryAsync),
        new("GET", "/v1/job/*/versions", Access.Read, JobsApi.VersionsAsync),

        new("PUT|POST", "/v1/job/*/revert", Access.Write, JobChangesApi.RevertAsync),
        new("PUT|POST", "/v1/job/*/dispatch", Access.Write, JobChangesApi.DispatchAsync),
        new("GET", "/v1/job/*/scale", Access.Read, JobChangesApi.ScaleStatusAsync),
        new("PUT|POST", "/v1/job/*/scale", Access.Write, JobChangesApi.ScaleAsync),

        new("GET", "/v1/nodes", Access.Read, NodesApi.ListAsync),
        new("GET", "/v1/node/*", Access.Read, NodesApi.GetAsync),
        new("GET", "/v1/node/*/allocations", Access.Read, NodesApi.AllocationsAsync),
        new("PUT|POST", "/v1/node/*/drain", Access.Write, NodesApi.DrainAsync),
        new("PUT|POST", "/v1/node/*/eligibility", Access.Write, NodesApi.EligibilityAsync),
        new("PUT|POST", "/v1/node/*/evaluate", Access.Write, NodesApi.EvaluateAsync),
        new("PUT|POST", "/v1/node/*/purge", Access.Write, NodesApi.PurgeAsync),

        new("GET", "/v1/allocations", Access.Read, EvaluationsApi.AllocationsAsync),
        new("GET", "/v1/allocation/*", Access.Read, EvaluationsApi.AllocationAsync),
        new("PUT|POST", "/v1/allocation/*/stop", Access.Write, EvaluationsApi.StopAllocationAsync),
        new("GET", "/v1/evaluations", Access.Read, EvaluationsApi.ListAsync),
        new("GET", "/v1/evaluation/*", Access.Read, EvaluationsApi.GetAsync),
        new("GET", "/v1/evaluation/*/allocations", Access.Read, EvaluationsApi.AllocationsOfAsync),
        new("GET", "/v1/deployments", Access.Read, EvaluationsApi.DeploymentsAsync),
        new("GET", "/v1/deployment/*", Access.Read, EvaluationsApi.DeploymentAsync),
        new("GET", "/v1/deployment/allocations/*", Access.Read, JobChangesApi.DeploymentAllocationsAsync),
        new("PUT|POST", "/v1/deployment/fail/*", Access.Write, JobChangesApi.FailAsync),
        new("PUT|POST", "/v1/deployment/pause/*", Access.Write, JobChangesApi.PauseAsync),
        new("PUT|POST", "/v1/deployment/promote/*", Access.Write, JobChangesApi.PromoteAsync),

        new("PUT|POST", "/v1/system/gc", Access.Write, OperatorApi.GarbageAsync),
        new("GET", "/v1/operator/raft/configuration", Access.Read, OperatorApi.RaftConfigurationAsync),
        new("DELETE", "/v1/operator/raft/peer", Access.Write, OperatorApi.RemovePeerAsync),
        new("PUT|POST", "/v1/operator/raft/transfer-leadership", Access.Write, OperatorApi.TransferLeadershipAsync),
        new("GET", "/v1/operator/autopilot/configuration", Access.Read, OperatorApi.AutopilotConfigurationAsync),
        new("PUT|POST", "/v1/operator/autopilot/configuration", Access.Write, OperatorApi.SetAutopilotConfigurationAsync),
        new("GET", "/v1/operator/autopilot/health", Access.Write, OperatorApi.AutopilotHealthAsync),
        new("GET", "/v1/operator/snapshot", Access.Read, OperatorApi.SaveSnapshotAsync),
        new("PUT|POST", "/v1/operator/snapshot", Access.Write, OperatorApi.RestoreSnapshotAsync),

        new("GET", "/v1/client/stats", Access.Node, ClientApi.HostStatsAsync),
        new("GET|PUT|POST", "/v1/client/gc", Access.Node, ClientApi.CollectAllAsync),
        new("GET", "/v1/client/allocation/*/stats", Access.Node, ClientApi.StatsAsync),
        new("PUT|POST", "/v1/client/allocation/*/restart", Access.Node, ClientApi.RestartAsync),
        new("PUT|POST", "/v1/client/allocation/*/signal", Access.Node, ClientApi.SignalAsync),
        new("GET|PUT|POST", "/v1/client/allocation/*/gc", Access.Node, ClientApi.CollectAsync),
        new("GET", "/v1/client/fs/ls/*", Access.Node, FilesApi.ListAsync),
        new("GET", "/v1/client/fs/stat/*", Access.Node, FilesApi.StatAsync),
        new("GET", "/v1/client/fs/cat/*", Access.Node, FilesApi.CatAsync),
        new("GET", "/v1/client/fs/readat/*", Access.Node, FilesApi.ReadAtAsync),
        new("GET", "/v1/client/fs/stream/*", Access.Node, FilesApi.StreamAsync),
        new("GET", "/v1/client/fs/logs/*", Access.Node, FilesApi.LogsAsync),

        new("GET", RpcNames.Ping, Access.LocalRpc, call => call.NothingAsync()),
        new("POST", RpcNames.Members, Access.LocalRpc, RpcApi.MembersAsync),
        new("POST", RpcNames.Register, Access.Rpc, RpcApi.RegisterAsync),
        new("POST", "/rpc/node/*/heartbeat", Access.Rpc, RpcApi.HeartbeatAsync),
        new("GET", "/rpc/node/*/allocations", Access.Rpc, RpcApi.NodeAllocationsAsync),
        new("POST", "/rpc/node/*/update", Access.Rpc, RpcApi.UpdateAsync),
        new("POST", RpcNames.Allocations, Access.Rpc, RpcApi.AllocationsAsync),
    ];
}
