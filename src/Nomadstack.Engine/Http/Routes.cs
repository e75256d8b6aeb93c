// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Acl;
using Nomadstack.Engine.Http.Calls;
using Nomadstack.Engine.Rpc;

namespace Nomadstack.Engine.Http;

/// <summary>Everything this API answers.</summary>
internal static class Routes
{
    private static readonly Right
        s_readJob = Right.In(Capability.ReadJob),
        s_register = Right.In(Capability.SubmitJob, Capability.RegisterJob),
        s_submitJob = Right.In(Capability.SubmitJob),
        s_readOne = Right.Of(Capability.ReadJob),
        s_submitOne = Right.Of(Capability.SubmitJob),
        s_readFs = Right.Of(Capability.ReadFs);

    public static readonly IReadOnlyList<Route> All =
    [
        new("GET", "/v1/agent/self", Access.Agent, Right.AgentRead, AgentApi.SelfAsync),
        new("GET", "/v1/agent/members", Access.Local, Right.NodeRead, AgentApi.MembersAsync),
        new("GET", "/v1/agent/health", Access.Agent, Right.Nothing, AgentApi.HealthAsync, "type"),
        new("GET", "/v1/agent/servers", Access.Agent, Right.AgentRead, AgentApi.ServersAsync, "address"),
        new("PUT|POST", "/v1/agent/servers", Access.Agent, Right.AgentWrite, AgentApi.ServersAsync, "address"),
        new("PUT|POST", "/v1/agent/join", Access.Agent, Right.Nothing, AgentApi.JoinAsync, "address"),
        new("PUT|POST", "/v1/agent/force-leave", Access.Agent, Right.AgentWrite, AgentApi.ForceLeaveAsync, "node prune"),
        new("PUT|POST", "/v1/agent/leave", Access.Agent, Right.AgentWrite, AgentApi.LeaveAsync),
        new("PUT|POST", "/v1/agent/reload", Access.Agent, Right.AgentWrite, AgentApi.ReloadAsync),
        new("GET", "/v1/status/leader", Access.Read, Right.Nothing, AgentApi.LeaderAsync),
        new("GET", "/v1/status/peers", Access.Read, Right.Nothing, AgentApi.PeersAsync),
        new("GET", "/v1/regions", Access.Local, Right.Nothing, AgentApi.RegionsAsync),

        new("GET", "/v1/jobs", Access.Read, Right.Rows(Capability.ListJobs), JobsApi.ListAsync, Queries.List + " meta"),
        new("PUT|POST", "/v1/jobs", Access.Write, s_register, JobsApi.RegisterAsync, Body: Bodies.Register, MaxBody: BodyBudget.Job),
        new("PUT|POST", "/v1/jobs/parse", Access.Agent, Right.In(Capability.ParseJob, Capability.SubmitJob), JobsApi.ParseAsync, Body: Bodies.Parse, MaxBody: BodyBudget.Job),
        new("PUT|POST", "/v1/validate/job", Access.Agent, s_readJob, JobsApi.ValidateAsync, Body: Bodies.Validate, MaxBody: BodyBudget.Job),
        new("GET", "/v1/job/*", Access.Read, s_readJob, JobsApi.GetAsync),
        new("PUT|POST", "/v1/job/*", Access.Write, s_register, JobsApi.RegisterAsync, Body: Bodies.Register, MaxBody: BodyBudget.Job),
        new("DELETE", "/v1/job/*", Access.Write, Right.Deregister, JobsApi.DeregisterAsync, "purge global eval_priority no_shutdown_delay"),
        new("PUT|POST", "/v1/job/*/plan", Access.Write, s_submitJob, JobPlanApi.PlanAsync, Body: Bodies.Plan, MaxBody: BodyBudget.Job),
        new("PUT|POST", "/v1/job/*/evaluate", Access.Write, s_submitJob, JobsApi.EvaluateAsync, Body: Bodies.Evaluate),
        new("GET", "/v1/job/*/allocations", Access.Read, s_readJob, JobsApi.AllocationsAsync, "all"),
        new("GET", "/v1/job/*/evaluations", Access.Read, s_readJob, JobsApi.EvaluationsAsync),
        new("GET", "/v1/job/*/deployments", Access.Read, s_readJob, JobsApi.DeploymentsAsync, "all"),
        new("GET", "/v1/job/*/deployment", Access.Read, s_readJob, JobsApi.LatestDeploymentAsync),
        new("GET", "/v1/job/*/summary", Access.Read, s_readJob, JobsApi.SummaryAsync),
        new("GET", "/v1/job/*/versions", Access.Read, s_readJob, JobsApi.VersionsAsync, "diffs"),

        new("PUT|POST", "/v1/job/*/revert", Access.Write, s_submitJob, JobChangesApi.RevertAsync, Body: Bodies.Revert),
        new("PUT|POST", "/v1/job/*/dispatch", Access.Write, Right.In(Capability.DispatchJob), JobChangesApi.DispatchAsync, "idempotency_token", Body: Bodies.Dispatch),
        new("GET", "/v1/job/*/scale", Access.Read, Right.In(Capability.ReadJob, Capability.ReadJobScaling), JobChangesApi.ScaleStatusAsync),
        new("PUT|POST", "/v1/job/*/scale", Access.Write, Right.In(Capability.ScaleJob, Capability.SubmitJob), JobChangesApi.ScaleAsync, Body: Bodies.Scale),

        new("GET|PUT|POST", "/v1/node/pools", Access.NotServed, Right.Nothing, null),
        new("GET", "/v1/nodes", Access.Read, Right.NodeRead, NodesApi.ListAsync, Queries.List + " resources os"),
        new("GET", "/v1/node/*", Access.Read, Right.NodeRead, NodesApi.GetAsync),
        new("GET", "/v1/node/*/allocations", Access.Read, Right.NodeRead, NodesApi.AllocationsAsync),
        new("PUT|POST", "/v1/node/*/drain", Access.Write, Right.NodeWrite, NodesApi.DrainAsync, Body: Bodies.Drain),
        new("PUT|POST", "/v1/node/*/eligibility", Access.Write, Right.NodeWrite, NodesApi.EligibilityAsync, Body: Bodies.Eligibility),
        new("PUT|POST", "/v1/node/*/evaluate", Access.Write, Right.NodeWrite, NodesApi.EvaluateAsync),
        new("PUT|POST", "/v1/node/*/purge", Access.Write, Right.NodeWrite, NodesApi.PurgeAsync),

        new("GET", "/v1/allocations", Access.Read, Right.Rows(Capability.ReadJob), EvaluationsApi.AllocationsAsync, Queries.List + " resources task_states"),
        new("GET", "/v1/allocation/*", Access.Read, s_readOne, EvaluationsApi.AllocationAsync),
        new("PUT|POST", "/v1/allocation/*/stop", Access.Write, Right.Of(Capability.AllocLifecycle), EvaluationsApi.StopAllocationAsync, "no_shutdown_delay"),
        new("GET", "/v1/evaluations", Access.Read, Right.Rows(Capability.ReadJob), EvaluationsApi.ListAsync, Queries.List + " job status"),
        new("DELETE", "/v1/evaluations", Access.NotServed, Right.Nothing, null),
        new("GET", "/v1/evaluation/*", Access.Read, s_readOne, EvaluationsApi.GetAsync, "related"),
        new("GET", "/v1/evaluation/*/allocations", Access.Read, s_readOne, EvaluationsApi.AllocationsOfAsync),
        new("GET", "/v1/deployments", Access.Read, Right.Rows(Capability.ReadJob), EvaluationsApi.DeploymentsAsync, Queries.List),
        new("GET", "/v1/deployment/*", Access.Read, s_readOne, EvaluationsApi.DeploymentAsync),
        new("GET", "/v1/deployment/allocations/*", Access.Read, s_readOne, JobChangesApi.DeploymentAllocationsAsync),
        new("PUT|POST", "/v1/deployment/fail/*", Access.Write, s_submitOne, JobChangesApi.FailAsync, Body: Bodies.Deployment),
        new("PUT|POST", "/v1/deployment/pause/*", Access.Write, s_submitOne, JobChangesApi.PauseAsync, Body: Bodies.Pause),
        new("PUT|POST", "/v1/deployment/allocation-health/*", Access.Write, s_submitOne, JobChangesApi.AllocationHealthAsync, Body: Bodies.AllocationHealth, MaxBody: BodyBudget.Job),
        new("PUT|POST", "/v1/deployment/promote/*", Access.Write, s_submitOne, JobChangesApi.PromoteAsync, Body: Bodies.Promote),

        new("PUT|POST", "/v1/search", Access.Read, Right.Itself("by context"), SearchApi.PrefixAsync, "prefix", Bodies.Search),
        new("GET", "/v1/event/stream", Access.Read, Right.Itself("by topic"), EventsApi.StreamAsync, "topic"),
        new("GET", "/v1/metrics", Access.Agent, Right.Nothing, MetricsApi.GetAsync, "format"),
        new("GET", "/v1/agent/monitor", Access.Agent, Right.AgentRead, MonitorApi.StreamAsync, "log_level log_json log_include_location plain node_id server_id"),

        new("PUT|POST", "/v1/system/gc", Access.Write, Right.Management, OperatorApi.GarbageAsync),
        new("GET", "/v1/operator/raft/configuration", Access.Read, Right.Management, OperatorApi.RaftConfigurationAsync),
        new("DELETE", "/v1/operator/raft/peer", Access.Write, Right.Management, OperatorApi.RemovePeerAsync, "id address"),
        new("PUT|POST", "/v1/operator/raft/transfer-leadership", Access.Write, Right.Management, OperatorApi.TransferLeadershipAsync, "id address"),
        new("GET", "/v1/operator/autopilot/configuration", Access.Read, Right.OperatorRead, OperatorApi.AutopilotConfigurationAsync),
        new("PUT|POST", "/v1/operator/autopilot/configuration", Access.Write, Right.OperatorWrite, OperatorApi.SetAutopilotConfigurationAsync, "cas", Body: Bodies.Raw),
        new("GET", "/v1/operator/autopilot/health", Access.Write, Right.OperatorRead, OperatorApi.AutopilotHealthAsync),
        new("GET", "/v1/operator/snapshot", Access.Read, Right.SnapshotSave, OperatorApi.SaveSnapshotAsync),
        new("PUT|POST", "/v1/operator/snapshot", Access.Write, Right.Management, OperatorApi.RestoreSnapshotAsync, Body: Bodies.Raw, MaxBody: BodyBudget.Raft),

        new("PUT|POST", "/v1/acl/bootstrap", Access.Write, Right.Nothing, AclApi.BootstrapAsync, Body: Bodies.Bootstrap),
        new("GET", "/v1/acl/policies", Access.Read, Right.Itself("own policies, management all"), AclApi.PoliciesAsync, Queries.List),
        new("GET", "/v1/acl/policy/*", Access.Read, Right.Itself("own policies, management all"), AclApi.PolicyAsync),
        new("PUT|POST", "/v1/acl/policy/*", Access.Write, Right.Management, AclApi.WritePolicyAsync, Body: Bodies.Policy),
        new("DELETE", "/v1/acl/policy/*", Access.Write, Right.Management, AclApi.DeletePolicyAsync),
        new("GET", "/v1/acl/tokens", Access.Read, Right.Management, AclTokensApi.ListAsync, Queries.List + " global"),
        new("PUT|POST", "/v1/acl/token", Access.Write, Right.Management, AclTokensApi.CreateAsync, Body: Bodies.Token),
        new("GET", "/v1/acl/token/self", Access.Read, Right.Itself("own token"), AclTokensApi.SelfAsync),
        new("PUT|POST", "/v1/acl/token/onetime", Access.NotServed, Right.Nothing, null),
        new("GET", "/v1/acl/token/*", Access.Read, Right.Itself("own token, management all"), AclTokensApi.GetAsync),
        new("PUT|POST", "/v1/acl/token/*", Access.Write, Right.Management, AclTokensApi.UpdateAsync, Body: Bodies.Token),
        new("DELETE", "/v1/acl/token/*", Access.Write, Right.Management, AclTokensApi.DeleteAsync),
        new("GET", "/v1/acl/roles", Access.Read, Right.Management, AclApi.NoneAsync, Queries.List),
        new("GET", "/v1/acl/auth-methods", Access.Read, Right.Nothing, AclApi.NoneAsync, Queries.List),
        new("GET", "/v1/acl/binding-rules", Access.Read, Right.Management, AclApi.NoneAsync, Queries.List),

        new("GET", "/v1/client/stats", Access.Node, Right.NodeRead, ClientApi.HostStatsAsync, "node_id"),
        new("GET|PUT|POST", "/v1/client/gc", Access.Node, Right.NodeWrite, ClientApi.CollectAllAsync, "node_id") { ActsOnGet = true },
        new("GET", "/v1/client/allocation/*/stats", Access.Node, s_readOne, ClientApi.StatsAsync, "task"),
        new("PUT|POST", "/v1/client/allocation/*/restart", Access.Node, Right.Of(Capability.AllocLifecycle), ClientApi.RestartAsync, Body: Bodies.Restart),
        new("PUT|POST", "/v1/client/allocation/*/signal", Access.Node, Right.Of(Capability.AllocLifecycle), ClientApi.SignalAsync, Body: Bodies.Signal),
        new("GET|PUT|POST", "/v1/client/allocation/*/gc", Access.Node, s_submitOne, ClientApi.CollectAsync) { ActsOnGet = true },
        new("GET", "/v1/client/fs/ls/*", Access.Node, s_readFs, FilesApi.ListAsync, "path"),
        new("GET", "/v1/client/fs/stat/*", Access.Node, s_readFs, FilesApi.StatAsync, "path"),
        new("GET", "/v1/client/fs/cat/*", Access.Node, s_readFs, FilesApi.CatAsync, "path"),
        new("GET", "/v1/client/fs/readat/*", Access.Node, s_readFs, FilesApi.ReadAtAsync, "path offset limit"),
        new("GET", "/v1/client/fs/stream/*", Access.Node, s_readFs, FilesApi.StreamAsync, "path offset limit origin follow plain"),
        new("GET", "/v1/client/fs/logs/*", Access.Node, Right.Of(Capability.ReadLogs, Capability.ReadFs), FilesApi.LogsAsync, "task type offset origin follow plain"),

        new("GET", RpcNames.Ping, Access.LocalRpc, Right.Server, call => call.NothingAsync()),
        new("POST", RpcNames.Members, Access.LocalRpc, Right.Server, RpcApi.MembersAsync, Body: Bodies.Raw, MaxBody: BodyBudget.Job),
        new("POST", RpcNames.Register, Access.Rpc, Right.NodeSecret, RpcApi.RegisterAsync, Body: Bodies.Raw, MaxBody: BodyBudget.Job),
        new("POST", "/rpc/node/*/heartbeat", Access.Rpc, Right.NodeSecret, RpcApi.HeartbeatAsync, Body: Bodies.Raw),
        new("GET", "/rpc/node/*/allocations", Access.Rpc, Right.NodeSecret, RpcApi.NodeAllocationsAsync, "after"),
        new("POST", "/rpc/node/*/update", Access.Rpc, Right.NodeSecret, RpcApi.UpdateAsync, Body: Bodies.Raw, MaxBody: BodyBudget.Raft),
        new("POST", RpcNames.ResolveToken, Access.Rpc, Right.NodeSecret, RpcApi.ResolveTokenAsync, Body: Bodies.Raw),
        new("POST", RpcNames.Allocations, Access.Rpc, Right.NodeSecret, RpcApi.AllocationsAsync, Body: Bodies.Raw, MaxBody: BodyBudget.Job),
    ];
}
