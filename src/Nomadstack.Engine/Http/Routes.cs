// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Http.Calls;
using Nomadstack.Engine.Rpc;

namespace Nomadstack.Engine.Http;

/// <summary>Everything this API answers.</summary>
internal static class Routes
{
    public static readonly IReadOnlyList<Route> All =
    [
        new("GET", "/v1/agent/self", Access.Agent, AgentApi.SelfAsync),
        new("GET", "/v1/agent/members", Access.Local, AgentApi.MembersAsync),
        new("GET", "/v1/agent/health", Access.Agent, AgentApi.HealthAsync, "type"),
        new("GET|PUT|POST", "/v1/agent/servers", Access.Agent, AgentApi.ServersAsync, "address"),
        new("PUT|POST", "/v1/agent/join", Access.Agent, AgentApi.JoinAsync, "address"),
        new("PUT|POST", "/v1/agent/force-leave", Access.Agent, AgentApi.ForceLeaveAsync, "node prune"),
        new("PUT|POST", "/v1/agent/leave", Access.Agent, AgentApi.LeaveAsync),
        new("PUT|POST", "/v1/agent/reload", Access.Agent, AgentApi.ReloadAsync),
        new("GET", "/v1/status/leader", Access.Read, AgentApi.LeaderAsync),
        new("GET", "/v1/status/peers", Access.Read, AgentApi.PeersAsync),
        new("GET", "/v1/regions", Access.Local, AgentApi.RegionsAsync),

        new("GET", "/v1/jobs", Access.Read, JobsApi.ListAsync, Queries.List + " meta"),
        new("PUT|POST", "/v1/jobs", Access.Write, JobsApi.RegisterAsync, Body: Bodies.Register, MaxBody: BodyBudget.Job),
        new("PUT|POST", "/v1/jobs/parse", Access.Agent, JobsApi.ParseAsync, Body: Bodies.Parse, MaxBody: BodyBudget.Job),
        new("PUT|POST", "/v1/validate/job", Access.Agent, JobsApi.ValidateAsync, Body: Bodies.Validate, MaxBody: BodyBudget.Job),
        new("GET", "/v1/job/*", Access.Read, JobsApi.GetAsync),
        new("PUT|POST", "/v1/job/*", Access.Write, JobsApi.RegisterAsync, Body: Bodies.Register, MaxBody: BodyBudget.Job),
        new("DELETE", "/v1/job/*", Access.Write, JobsApi.DeregisterAsync, "purge global eval_priority no_shutdown_delay"),
        new("PUT|POST", "/v1/job/*/plan", Access.Write, JobPlanApi.PlanAsync, Body: Bodies.Plan, MaxBody: BodyBudget.Job),
        new("PUT|POST", "/v1/job/*/evaluate", Access.Write, JobsApi.EvaluateAsync, Body: Bodies.Evaluate),
        new("GET", "/v1/job/*/allocations", Access.Read, JobsApi.AllocationsAsync, "all"),
        new("GET", "/v1/job/*/evaluations", Access.Read, JobsApi.EvaluationsAsync),
        new("GET", "/v1/job/*/deployments", Access.Read, JobsApi.DeploymentsAsync, "all"),
        new("GET", "/v1/job/*/deployment", Access.Read, JobsApi.LatestDeploymentAsync),
        new("GET", "/v1/job/*/summary", Access.Read, JobsApi.SummaryAsync),
        new("GET", "/v1/job/*/versions", Access.Read, JobsApi.VersionsAsync, "diffs"),

        new("PUT|POST", "/v1/job/*/revert", Access.Write, JobChangesApi.RevertAsync, Body: Bodies.Revert),
        new("PUT|POST", "/v1/job/*/dispatch", Access.Write, JobChangesApi.DispatchAsync, "idempotency_token", Body: Bodies.Dispatch),
        new("GET", "/v1/job/*/scale", Access.Read, JobChangesApi.ScaleStatusAsync),
        new("PUT|POST", "/v1/job/*/scale", Access.Write, JobChangesApi.ScaleAsync, Body: Bodies.Scale),

        new("GET|PUT|POST", "/v1/node/pools", Access.NotServed, null),
        new("GET", "/v1/nodes", Access.Read, NodesApi.ListAsync, Queries.List + " resources os"),
        new("GET", "/v1/node/*", Access.Read, NodesApi.GetAsync),
        new("GET", "/v1/node/*/allocations", Access.Read, NodesApi.AllocationsAsync),
        new("PUT|POST", "/v1/node/*/drain", Access.Write, NodesApi.DrainAsync, Body: Bodies.Drain),
        new("PUT|POST", "/v1/node/*/eligibility", Access.Write, NodesApi.EligibilityAsync, Body: Bodies.Eligibility),
        new("PUT|POST", "/v1/node/*/evaluate", Access.Write, NodesApi.EvaluateAsync),
        new("PUT|POST", "/v1/node/*/purge", Access.Write, NodesApi.PurgeAsync),

        new("GET", "/v1/allocations", Access.Read, EvaluationsApi.AllocationsAsync, Queries.List + " resources task_states"),
        new("GET", "/v1/allocation/*", Access.Read, EvaluationsApi.AllocationAsync),
        new("PUT|POST", "/v1/allocation/*/stop", Access.Write, EvaluationsApi.StopAllocationAsync, "no_shutdown_delay"),
        new("GET", "/v1/evaluations", Access.Read, EvaluationsApi.ListAsync, Queries.List + " job status"),
        new("DELETE", "/v1/evaluations", Access.NotServed, null),
        new("GET", "/v1/evaluation/*", Access.Read, EvaluationsApi.GetAsync, "related"),
        new("GET", "/v1/evaluation/*/allocations", Access.Read, EvaluationsApi.AllocationsOfAsync),
        new("GET", "/v1/deployments", Access.Read, EvaluationsApi.DeploymentsAsync, Queries.List),
        new("GET", "/v1/deployment/*", Access.Read, EvaluationsApi.DeploymentAsync),
        new("GET", "/v1/deployment/allocations/*", Access.Read, JobChangesApi.DeploymentAllocationsAsync),
        new("PUT|POST", "/v1/deployment/fail/*", Access.Write, JobChangesApi.FailAsync, Body: Bodies.Deployment),
        new("PUT|POST", "/v1/deployment/pause/*", Access.Write, JobChangesApi.PauseAsync, Body: Bodies.Pause),
        new("PUT|POST", "/v1/deployment/allocation-health/*", Access.Write, JobChangesApi.AllocationHealthAsync, Body: Bodies.AllocationHealth, MaxBody: BodyBudget.Job),
        new("PUT|POST", "/v1/deployment/promote/*", Access.Write, JobChangesApi.PromoteAsync, Body: Bodies.Promote),

        new("PUT|POST", "/v1/search", Access.Read, SearchApi.PrefixAsync, "prefix", Bodies.Search),
        new("GET", "/v1/event/stream", Access.Read, EventsApi.StreamAsync, "topic"),
        new("GET", "/v1/metrics", Access.Agent, MetricsApi.GetAsync, "format"),
        new("GET", "/v1/agent/monitor", Access.Agent, MonitorApi.StreamAsync, "log_level log_json log_include_location plain node_id server_id"),

        new("PUT|POST", "/v1/system/gc", Access.Write, OperatorApi.GarbageAsync),
        new("GET", "/v1/operator/raft/configuration", Access.Read, OperatorApi.RaftConfigurationAsync),
        new("DELETE", "/v1/operator/raft/peer", Access.Write, OperatorApi.RemovePeerAsync, "id address"),
        new("PUT|POST", "/v1/operator/raft/transfer-leadership", Access.Write, OperatorApi.TransferLeadershipAsync, "id address"),
        new("GET", "/v1/operator/autopilot/configuration", Access.Read, OperatorApi.AutopilotConfigurationAsync),
        new("PUT|POST", "/v1/operator/autopilot/configuration", Access.Write, OperatorApi.SetAutopilotConfigurationAsync, "cas", Body: Bodies.Raw),
        new("GET", "/v1/operator/autopilot/health", Access.Write, OperatorApi.AutopilotHealthAsync),
        new("GET", "/v1/operator/snapshot", Access.Read, OperatorApi.SaveSnapshotAsync),
        new("PUT|POST", "/v1/operator/snapshot", Access.Write, OperatorApi.RestoreSnapshotAsync, Body: Bodies.Raw, MaxBody: BodyBudget.Raft),

        new("GET", "/v1/client/stats", Access.Node, ClientApi.HostStatsAsync, "node_id"),
        new("GET|PUT|POST", "/v1/client/gc", Access.Node, ClientApi.CollectAllAsync, "node_id") { ActsOnGet = true },
        new("GET", "/v1/client/allocation/*/stats", Access.Node, ClientApi.StatsAsync, "task"),
        new("PUT|POST", "/v1/client/allocation/*/restart", Access.Node, ClientApi.RestartAsync, Body: Bodies.Restart),
        new("PUT|POST", "/v1/client/allocation/*/signal", Access.Node, ClientApi.SignalAsync, Body: Bodies.Signal),
        new("GET|PUT|POST", "/v1/client/allocation/*/gc", Access.Node, ClientApi.CollectAsync) { ActsOnGet = true },
        new("GET", "/v1/client/fs/ls/*", Access.Node, FilesApi.ListAsync, "path"),
        new("GET", "/v1/client/fs/stat/*", Access.Node, FilesApi.StatAsync, "path"),
        new("GET", "/v1/client/fs/cat/*", Access.Node, FilesApi.CatAsync, "path"),
        new("GET", "/v1/client/fs/readat/*", Access.Node, FilesApi.ReadAtAsync, "path offset limit"),
        new("GET", "/v1/client/fs/stream/*", Access.Node, FilesApi.StreamAsync, "path offset limit origin follow plain"),
        new("GET", "/v1/client/fs/logs/*", Access.Node, FilesApi.LogsAsync, "task type offset origin follow plain"),

        new("GET", RpcNames.Ping, Access.LocalRpc, call => call.NothingAsync()),
        new("POST", RpcNames.Members, Access.LocalRpc, RpcApi.MembersAsync, Body: Bodies.Raw, MaxBody: BodyBudget.Job),
        new("POST", RpcNames.Register, Access.Rpc, RpcApi.RegisterAsync, Body: Bodies.Raw, MaxBody: BodyBudget.Job),
        new("POST", "/rpc/node/*/heartbeat", Access.Rpc, RpcApi.HeartbeatAsync, Body: Bodies.Raw),
        new("GET", "/rpc/node/*/allocations", Access.Rpc, RpcApi.NodeAllocationsAsync, "after"),
        new("POST", "/rpc/node/*/update", Access.Rpc, RpcApi.UpdateAsync, Body: Bodies.Raw, MaxBody: BodyBudget.Raft),
        new("POST", RpcNames.Allocations, Access.Rpc, RpcApi.AllocationsAsync, Body: Bodies.Raw, MaxBody: BodyBudget.Job),
    ];
}
