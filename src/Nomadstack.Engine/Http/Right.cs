// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Acl;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>What a caller needs for a call, where access is controlled.</summary>
/// <param name="Name">As documentation and tests write it.</param>
/// <param name="Holds">Whether the caller has it.</param>
internal sealed record Right(string Name, Func<ApiCall, Grants, bool> Holds)
{
    /// <summary>All jobs are in this namespace; others may be asked for, and have nothing.</summary>
    private const string OnlyNamespace = "default";

    /// <summary>Anybody, and no token is looked at.</summary>
    public static readonly Right Nothing = new("nothing", (_, _) => true) { AsksForToken = false };

    /// <summary>Between agents: the node's secret, and before that its certificate.</summary>
    public static readonly Right NodeSecret = Nothing with { Name = "node secret" };

    /// <summary>Between servers: their certificates.</summary>
    public static readonly Right Server = Nothing with { Name = "server" };

    public static readonly Right Management = new("management", (_, grants) => grants.IsManagement);
    public static readonly Right AgentRead = new("agent:read", (_, grants) => grants.Agent(Level.Read));
    public static readonly Right AgentWrite = new("agent:write", (_, grants) => grants.Agent(Level.Write));
    public static readonly Right NodeRead = new("node:read", (_, grants) => grants.Node(Level.Read));
    public static readonly Right NodeWrite = new("node:write", (_, grants) => grants.Node(Level.Write));
    public static readonly Right OperatorRead = new("operator:read", (_, grants) => grants.Operator(Level.Read));
    public static readonly Right OperatorWrite = new("operator:write", (_, grants) => grants.Operator(Level.Write));
    public static readonly Right SnapshotSave = new("operator " + Capability.SnapshotSave, (_, grants) => grants.OperatorMay(Capability.SnapshotSave));

    /// <summary>To take a job out, and more to forget it.</summary>
    public static readonly Right Deregister = new($"{Capability.SubmitJob} or {Capability.DeregisterJob}, with purge {Capability.PurgeJob}",
        (call, grants) => grants.In(call.Namespace, Capability.SubmitJob, call.Flag("purge") ? Capability.PurgeJob : Capability.DeregisterJob));

    /// <summary>False where whoever asks makes no difference to whether he is answered.</summary>
    public bool AsksForToken { get; private init; } = true;

    /// <summary>For a list: what its rows need.</summary>
    public string? OfRows { get; private init; }

    /// <summary>In the namespace of the query, one of the capabilities.</summary>
    public static Right In(params string[] capabilities) => new(string.Join(" or ", capabilities), (call, grants) => grants.In(call.Namespace, capabilities));

    /// <summary>As <see cref="In"/>, for a list; one of all namespaces has the rows that its caller may see.</summary>
    public static Right Rows(string capability) => new($"{capability} of each row", (call, grants) => call.Namespace == "*" || grants.In(call.Namespace, capability)) { OfRows = capability };

    /// <summary>Of something that has an ID of its own, whatever namespace the query says.</summary>
    public static Right Of(params string[] capabilities) => new(string.Join(" or ", capabilities), (_, grants) => grants.In(OnlyNamespace, capabilities));

    /// <summary>The call looks by itself.</summary>
    public static Right Itself(string how) => new(how, (_, _) => true);

    public static ServerException Denied() => new(403, "Permission denied");
}

/// <summary>A token and what it may.</summary>
internal sealed record Holder(AclToken Token, Grants Grants)
{
    public static readonly Holder Anybody = new(AclToken.Disabled, Grants.All);
}
