// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http.Calls;

/// <summary>The parameters behind the question mark. One that a call does not know is refused by its name.</summary>
internal static class Queries
{
    /// <summary>Those of every list, obeyed by <see cref="Listing"/>.</summary>
    public const string List = "prefix filter per_page next_token reverse";

    /// <summary>Every call takes these: HashiCorp's client sends them with any.</summary>
    private static readonly HashSet<string> s_everywhere = new(["namespace", "region", "index", "wait", "stale", "consistent", "pretty"], StringComparer.Ordinal);

    /// <exception cref="ServerException">Its parameters are not all this call's, or it is for another region.</exception>
    public static void Check(Route route, ApiCall call)
    {
        foreach (var (name, _) in call.Http.Request.Query)
            if (!s_everywhere.Contains(name) && !route.Parameters.Contains(name))
                throw ServerException.Invalid($"The parameter \"{name}\" of {call.Http.Request.Method} {route.Pattern} is not known to nomadstack's embedded engine.");
        CheckRegion(call, call.Query("region"));
    }

    /// <exception cref="ServerException">It is another region than this.</exception>
    public static void CheckRegion(ApiCall call, string? region)
    {
        if (region is { Length: > 0 } && region != call.Agent.Config.Region)
            throw NoPath(call, region);
    }

    public static ServerException NoPath(ApiCall call, string region) => ServerException.Failed($"No path to region (\"{region}\"; this one is \"{call.Agent.Config.Region}\")");
}
