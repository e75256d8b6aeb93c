// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.State;

/// <summary>Who may call, and under which policies.</summary>
internal sealed record AclToken
{
    public const string Client = "client", Management = "management";

    /// <summary>Of who shows no token: the policy of that name, if there is one.</summary>
    public static readonly AclToken Anonymous = new() { AccessorID = "anonymous", Name = "Anonymous Token", Type = Client, Policies = [AclPolicy.Anonymous] };

    /// <summary>Of everybody where there is no access control.</summary>
    public static readonly AclToken Disabled = new() { AccessorID = "acls-disabled", Name = "ACLs disabled token", Type = Client };

    /// <summary>Its public name.</summary>
    public required string AccessorID { get; init; }

    public string SecretID { get; init; } = "";
    public string Name { get; init; } = "";
    public string Type { get; init; } = "";
    public IReadOnlyList<string> Policies { get; init; } = [];
    public bool Global { get; init; }
    public string Hash { get; init; } = "";
    public DateTimeOffset CreateTime { get; init; }

    /// <summary>Null for never.</summary>
    public DateTimeOffset? ExpirationTime { get; init; }

    public long CreateIndex { get; init; }
    public long ModifyIndex { get; init; }

    public bool IsManagement() => Type == Management;

    public bool IsExpired(DateTimeOffset now) => ExpirationTime <= now;
}

/// <param name="Rules">As they were written.</param>
internal sealed record AclPolicy(string Name, string Description, string Rules, string Hash, long CreateIndex, long ModifyIndex)
{
    public const string Anonymous = "anonymous";
}
