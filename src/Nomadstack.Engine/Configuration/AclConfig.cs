// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Configuration;

/// <summary>The <c>acl</c> block; Nomad's defaults.</summary>
internal sealed record AclConfig
{
    public static readonly AclConfig Off = new();

    public bool Enabled { get; init; }

    /// <summary>So long a client relies on what the servers said of a token and its policies.</summary>
    public TimeSpan TokenTtl { get; init; } = TimeSpan.FromSeconds(30);

    public TimeSpan MinExpiration { get; init; } = TimeSpan.FromMinutes(1);
    public TimeSpan MaxExpiration { get; init; } = TimeSpan.FromHours(24);

    public static AclConfig Of(ConfigBlock? block, ConfigComplaints complaints)
    {
        if (block is null) return Off;
        // A client here asks for a token and its policies in one, so that the shorter time counts.
        var ttls = new[] { block.Duration("token_ttl"), block.Duration("policy_ttl") };
        var acl = new AclConfig
        {
            Enabled = block.Flag("enabled", false),
            TokenTtl = ttls.Min() ?? Off.TokenTtl,
            MinExpiration = block.Duration("token_min_expiration_ttl") ?? Off.MinExpiration,
            MaxExpiration = block.Duration("token_max_expiration_ttl") ?? Off.MaxExpiration,
        };
        if (block.Text("replication_token") is { Length: > 0 }) complaints.Add("acl.replication_token", "the embedded engine has one region; remove the key");
        block.End();
        return acl;
    }
}
