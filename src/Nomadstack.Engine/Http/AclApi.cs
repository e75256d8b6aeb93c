// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Acl;
using Nomadstack.Engine.Http.Calls;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>The first token, and policies.</summary>
internal static class AclApi
{
    private const int LongestName = 128, LongestDescription = 256;

    /// <summary>Of a cluster that has none: roles, authentication methods and binding rules cannot be made here.</summary>
    public static Task NoneAsync(ApiCall call)
    {
        Enabled(call);
        return call.ListAsync([]);
    }

    public static async Task BootstrapAsync(ApiCall call)
    {
        Enabled(call);
        var secret = (string)call.BodyIfAny()["BootstrapSecret"]!;
        if (secret.Length > 0 && !IsUuid(secret)) throw ServerException.Invalid("invalid acl token");
        var reset = ResetIndex(call);
        var done = call.State.AclBootstrapIndex;
        if (done != 0 && reset is null) throw ServerException.Invalid($"ACL bootstrap already done (reset index: {done})");
        if (reset is { } asked && asked != done) throw ServerException.Invalid($"Invalid bootstrap reset index (specified {asked}, reset index: {done})");
        var token = AclTokensApi.Hashed(new AclToken
        {
            AccessorID = LeaderSession.NewId(),
            SecretID = secret.Length > 0 ? secret.ToLowerInvariant() : LeaderSession.NewId(),
            Name = "Bootstrap Token",
            Type = AclToken.Management,
            Global = true,
            CreateTime = call.Now,
        });
        var (taken, index) = await call.Server.Writer.TryApplyAsync(new BootstrapAcl(token, done), call.Cancel);
        if (!taken) throw ServerException.Invalid($"ACL bootstrap already done (reset index: {call.State.AclBootstrapIndex})");
        call.Indexed(index);
        await call.JsonAsync(AclTokensApi.Shown(call.State.AclTokens.Get(token.AccessorID)!));
    }

    public static async Task PoliciesAsync(ApiCall call)
    {
        Enabled(call);
        var state = await call.ReadAsync(s => s.AclPolicies.Index);
        var holder = call.Holder;
        if (holder.Token == AclToken.Anonymous) throw Right.Denied();
        var policies = holder.Grants.IsManagement ? state.AclPolicies.All : TokenResolver.PoliciesOf(state, holder.Token);
        await call.ListAsync(policies.OrderBy(p => p.Name, StringComparer.Ordinal), p => p.Name, p => p.Name, Shown, p =>
        {
            var stub = Shown(p);
            stub.Remove("Rules");
            return stub;
        });
    }

    public static async Task PolicyAsync(ApiCall call)
    {
        Enabled(call);
        var state = await call.ReadAsync(s => s.AclPolicies.Get(call.Id)?.ModifyIndex ?? s.AclPolicies.Index);
        if (!call.Holder.Grants.IsManagement && call.Id != AclPolicy.Anonymous && !call.Holder.Token.Policies.Contains(call.Id)) throw Right.Denied();
        await call.JsonAsync(Shown(state.AclPolicies.Get(call.Id) ?? throw ServerException.NotFound("ACL policy not found")));
    }

    public static async Task WritePolicyAsync(ApiCall call)
    {
        Enabled(call);
        var body = call.Body();
        var (name, description, rules) = (call.Id, (string)body["Description"]!, (string)body["Rules"]!);
        if ((string)body["Name"]! is { Length: > 0 } said && said != name) throw ServerException.Invalid("ACL policy name does not match request path");
        if (name.Length > LongestName || !name.All(c => char.IsAsciiLetterOrDigit(c) || c == '-')) throw ServerException.Invalid($"policy 0 invalid: invalid name '{name}'");
        if (description.Length > LongestDescription) throw ServerException.Invalid($"policy 0 invalid: description longer than {LongestDescription}");
        try
        {
            PolicyRules.Parse(rules);
        }
        catch (PolicyException e)
        {
            throw ServerException.Invalid($"policy 0 invalid: failed to parse rules: {e.Message}");
        }

        call.Indexed(await call.ApplyAsync(new UpsertAclPolicy(new(name, description, rules, Hash(name, description, rules), 0, 0))));
        await call.NothingAsync();
    }

    public static async Task DeletePolicyAsync(ApiCall call)
    {
        Enabled(call);
        call.Indexed(await call.ApplyAsync(new DeleteAcl([], [call.Id])));
        await call.NothingAsync();
    }

    /// <exception cref="ServerException">There is no access control.</exception>
    public static void Enabled(ApiCall call)
    {
        if (!call.Agent.Config.Acl.Enabled) throw ServerException.Invalid("ACL support disabled");
    }

    public static bool IsUuid(string text) => Guid.TryParseExact(text, "D", out _);

    public static string Hash(params string[] parts) => Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', parts))));

    private static JsonObject Shown(AclPolicy policy) => Stubs.Of(policy, StateJson.Default.AclPolicy);

    /// <summary>Written by whoever has lost all tokens, and may write into the leader's folder; Nomad leaves the file where it is.</summary>
    private static long? ResetIndex(ApiCall call)
    {
        var file = Path.Combine(call.Agent.Config.DataDir, "server", "acl-bootstrap-reset");
        if (!File.Exists(file)) return null;
        return long.TryParse(File.ReadAllText(file).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index
            : throw ServerException.Failed($"failed to read bootstrap reset file: {file} has no index");
    }
}
