// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Nomadstack.Engine.Acl;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>What the secret of a call stands for. A server looks into its own state; a client asks the servers, and relies on their answer for a while, longer while none answers.</summary>
internal sealed class TokenResolver(AgentConfig config, TimeProvider time, NomadServer? server, NomadClient? client)
{
    /// <summary>Beyond so many tokens a client forgets what it knows rather than hold the secrets of ever more.</summary>
    private const int MaxCached = 1024;

    private static readonly ConditionalWeakTable<AclPolicy, PolicyRules> s_parsed = [];

    private readonly ConcurrentDictionary<string, (Holder Holder, DateTimeOffset At)> _cache = new(StringComparer.Ordinal);

    /// <exception cref="ServerException">There is no such token, or it cannot be found out.</exception>
    public async ValueTask<Holder> ResolveAsync(string secret, CancellationToken cancel) =>
        !config.Acl.Enabled ? Holder.Anybody
        : server is not null ? Resolve(server.State.Current, secret, time.GetUtcNow())
        : await AskAsync(secret, cancel);

    /// <exception cref="ServerException">There is no such token.</exception>
    public static Holder Resolve(StateSnapshot state, string secret, DateTimeOffset now)
    {
        var token = secret.Length == 0 ? AclToken.Anonymous : state.TokenOf(secret) ?? throw new ServerException(403, "ACL token not found");
        if (token.IsExpired(now)) throw new ServerException(403, "ACL token expired");
        return new(token, token.IsManagement() ? Grants.All : Grants.Of(PoliciesOf(state, token).Select(RulesOf)));
    }

    /// <summary>Those of its policies that there are.</summary>
    public static IEnumerable<AclPolicy> PoliciesOf(StateSnapshot state, AclToken token) => token.Policies.Select(state.AclPolicies.Get).OfType<AclPolicy>();

    private static PolicyRules RulesOf(AclPolicy policy) => s_parsed.GetValue(policy, p => PolicyRules.Parse(p.Rules));

    private async Task<Holder> AskAsync(string secret, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        if (_cache.TryGetValue(secret, out var known) && now - known.At < config.Acl.TokenTtl && !known.Holder.Token.IsExpired(now)) return known.Holder;
        try
        {
            var (status, body) = await client!.Servers.ResolveTokenAsync(secret, client.Agent.Node.SecretID, cancel);
            if (status != 200)
            {
                _cache.TryRemove(secret, out _);
                throw new ServerException(status, System.Text.Encoding.UTF8.GetString(body));
            }

            var answer = JsonSerializer.Deserialize(body, RpcJson.Default.TokenResolved)!;
            var holder = new Holder(answer.Token, answer.Token.IsManagement() ? Grants.All : Grants.Of(answer.Policies.Select(RulesOf)));
            if (_cache.Count >= MaxCached) _cache.Clear();
            _cache[secret] = (holder, now);
            return holder;
        }
        catch (NoServerException e)
        {
            // As Nomad's "extend-cache": who was known goes on while the servers are away.
            return known.Holder is { } before && !before.Token.IsExpired(now) ? before : throw ServerException.Failed($"rpc error: {e.Message}");
        }
    }
}
