// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Microsoft.AspNetCore.Http;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http.Calls;

/// <summary>
/// Keeps the pages that a browser shows from sending commands. Without access control this API asks nobody who he is, so that a page of anybody could: to the address itself, which the
/// browser marks with the page's origin, or under a name of the page's own that was made to lead here, which stands in the Host.
/// </summary>
internal sealed class Callers(AgentConfig config)
{
    private readonly HashSet<string> _names = new([.. Names(config)], StringComparer.OrdinalIgnoreCase);

    /// <exception cref="ServerException">It may come from a page.</exception>
    public void Check(HttpRequest request, bool acts)
    {
        var host = request.Host.Host ?? "";
        if (host.Length > 0 && !IPAddress.TryParse(host.Trim('[', ']'), out _) && !_names.Contains(host.TrimEnd('.')))
            throw Forbidden($"The host \"{host}\" is neither an IP address nor localhost nor a name of this agent's configuration. Call the agent by its address.");
        if (request.Headers.Origin.ToString() is { Length: > 0 } origin && !SameOrigin(origin, request))
            throw Forbidden($"The origin {origin} is another site's: a page in a browser may not call this API.");
        if (request.Headers["Sec-Fetch-Site"].ToString() is "cross-site" or "same-site")
            throw Forbidden("A page of another site sends this from a browser, and may not call this API.");
        // An image is fetched without an origin, and its address may be one at which a GET does something.
        if (acts && request.Headers.UserAgent.ToString().StartsWith("Mozilla/", StringComparison.Ordinal))
            throw Forbidden("This call does something, and a browser may have been made to send it. Use PUT.");
    }

    private static IEnumerable<string> Names(AgentConfig config) =>
        ["localhost", config.Name, .. new[] { config.Advertise.Http, config.Advertise.Rpc, config.Advertise.Serf }.Select(a => HostPort.Split(a).Host)];

    private static bool SameOrigin(string origin, HttpRequest request) => string.Equals(origin, $"{request.Scheme}://{request.Host.Value}", StringComparison.OrdinalIgnoreCase);

    private static ServerException Forbidden(string why) => new(StatusCodes.Status403Forbidden, why);
}
