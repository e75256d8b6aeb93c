// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Http.Calls;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>Tokens: who holds a management token makes, changes and deletes them, and everybody sees his own.</summary>
internal static class AclTokensApi
{
    private const int LongestName = 256;

    public static async Task ListAsync(ApiCall call)
    {
        AclApi.Enabled(call);
        var state = await call.ReadAsync(s => s.AclTokens.Index);
        var tokens = call.Flag("global") ? state.AclTokens.All.Where(t => t.Global) : state.AclTokens.All;
        await call.ListAsync(tokens, t => t.AccessorID, t => t.AccessorID, Stub, Stub);
    }

    public static async Task SelfAsync(ApiCall call)
    {
        await call.ReadAsync(s => s.AclTokens.Index);
        await call.JsonAsync(Shown(call.Holder.Token));
    }

    public static async Task GetAsync(ApiCall call)
    {
        AclApi.Enabled(call);
        var state = await call.ReadAsync(s => s.AclTokens.Get(call.Id)?.ModifyIndex ?? s.AclTokens.Index);
        if (!call.Holder.Grants.IsManagement && call.Holder.Token.AccessorID != call.Id) throw Right.Denied();
        await call.JsonAsync(Shown(state.AclTokens.Get(call.Id) ?? throw NotFound()));
    }

    public static Task CreateAsync(ApiCall call)
    {
        AclApi.Enabled(call);
        var body = call.Body();
        if ((string)body["AccessorID"]! is { Length: > 0 }) throw ServerException.Invalid("token 0 invalid: a new token gets its accessor ID from the server; to change one put it into the path");
        var (type, secret, ttl) = ((string)body["Type"]!, (string)body["SecretID"]!, Ttl(call, body["ExpirationTTL"]));
        // As since Nomad 2.0.3, and then of client tokens only.
        if (secret.Length > 0 && (type != AclToken.Client || !AclApi.IsUuid(secret))) throw ServerException.Invalid("token 0 invalid: a given secret ID must be a UUID, and of a client token");
        var token = Read(body, new AclToken
        {
            AccessorID = LeaderSession.NewId(),
            SecretID = secret.Length > 0 ? secret.ToLowerInvariant() : LeaderSession.NewId(),
            Type = type,
            Global = (bool)body["Global"]!,
            CreateTime = call.Now,
            ExpirationTime = ttl is null ? null : call.Now + ttl,
        });
        return WriteAsync(call, token);
    }

    public static Task UpdateAsync(ApiCall call)
    {
        AclApi.Enabled(call);
        var body = call.Body();
        if ((string)body["AccessorID"]! is { Length: > 0 } said && said != call.Id) throw ServerException.Invalid("Token accessor ID does not match");
        var existing = call.State.AclTokens.Get(call.Id) ?? throw NotFound();
        if ((string)body["SecretID"]! is { Length: > 0 } secret && secret != existing.SecretID) throw ServerException.Invalid("token 0 invalid: the secret ID cannot be changed");
        if (Ttl(call, body["ExpirationTTL"]) is not null) throw ServerException.Invalid("token 0 invalid: the expiration cannot be changed");
        if ((string)body["Type"]! is { Length: > 0 } type && type != existing.Type && type is not (AclToken.Client or AclToken.Management)) throw Kind();
        return WriteAsync(call, Read(body, existing with { Type = (string)body["Type"]! is { Length: > 0 } other ? other : existing.Type }));
    }

    public static async Task DeleteAsync(ApiCall call)
    {
        AclApi.Enabled(call);
        if (call.State.AclTokens.Get(call.Id) is null) throw NotFound();
        call.Indexed(await call.ApplyAsync(new DeleteAcl([call.Id], [])));
        await call.NothingAsync();
    }

    /// <summary>What a client asks of the servers when somebody calls it.</summary>
    public static Task ResolveAsync(ApiCall call, string secret)
    {
        var token = TokenResolver.Resolve(call.State, secret, call.Now).Token;
        return call.JsonAsync(new Rpc.TokenResolved(token with { SecretID = "" }, [.. TokenResolver.PoliciesOf(call.State, token)]), Rpc.RpcJson.Default.TokenResolved);
    }

    public static AclToken Hashed(AclToken token) =>
        token with { Hash = AclApi.Hash([token.AccessorID, token.Name, token.Type, token.Global ? "global" : "local", .. token.Policies]) };

    /// <summary>With its secret.</summary>
    public static JsonObject Shown(AclToken token)
    {
        var shown = Stubs.Of(token, StateJson.Default.AclToken);
        shown["Roles"] = null;
        shown["ExpirationTime"] ??= null;
        shown["ExpirationTTL"] = "";
        return shown;
    }

    private static JsonObject Stub(AclToken token)
    {
        var stub = Shown(token);
        stub.Remove("SecretID");
        stub.Remove("ExpirationTTL");
        return stub;
    }

    private static AclToken Read(JsonObject body, AclToken token)
    {
        IReadOnlyList<string> policies = [.. (body["Policies"] as JsonArray ?? []).Select(p => (string)p!).Distinct().Order(StringComparer.Ordinal)];
        token = token with { Name = (string)body["Name"]!, Policies = policies };
        if (token.Name.Length > LongestName) throw ServerException.Invalid("token 0 invalid: token name too long");
        if (token.Type is not (AclToken.Client or AclToken.Management)) throw Kind();
        if (token.IsManagement() && policies.Count > 0) throw ServerException.Invalid("token 0 invalid: management token cannot be associated with policies or roles");
        if (!token.IsManagement() && policies.Count == 0) throw ServerException.Invalid("token 0 invalid: client token missing policies or roles");
        return Hashed(token);
    }

    /// <summary>Go writes a duration as its text or in nanoseconds.</summary>
    private static TimeSpan? Ttl(ApiCall call, JsonNode? node)
    {
        var nanoseconds = 0L;
        if (node is JsonValue value && !value.TryGetValue(out nanoseconds) && (!value.TryGetValue<string>(out var text) || (text.Length > 0 && !GoDuration.TryParse(text, out nanoseconds))))
            throw ServerException.Invalid($"ExpirationTTL: {node.ToJsonString()} is not a duration");
        if (nanoseconds == 0) return null;
        var (ttl, acl) = (TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick), call.Agent.Config.Acl);
        if (nanoseconds < 0) throw ServerException.Invalid($"token 0 invalid: token expiration TTL '{GoDuration.Format(ttl)}' should not be negative");
        if (ttl > acl.MaxExpiration) throw OutOfRange("more", acl.MaxExpiration);
        if (ttl < acl.MinExpiration) throw OutOfRange("less", acl.MinExpiration);
        return ttl;

        ServerException OutOfRange(string than, TimeSpan limit) =>
            ServerException.Invalid($"token 0 invalid: expiration time cannot be {than} than {GoDuration.Format(limit)} in the future (was {GoDuration.Format(ttl)})");
    }

    private static async Task WriteAsync(ApiCall call, AclToken token)
    {
        call.Indexed(await call.ApplyAsync(new UpsertAclToken(token)));
        await call.JsonAsync(Shown(call.State.AclTokens.Get(token.AccessorID)!));
    }

    private static ServerException Kind() => ServerException.Invalid("token 0 invalid: token type must be client or management");

    private static ServerException NotFound() => ServerException.NotFound("ACL token not found");
}
