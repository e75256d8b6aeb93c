// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Cluster;

namespace Nomadstack.Relay;

/// <summary>What a request says of where it comes from.</summary>
/// <param name="Host">The name under which it was called.</param>
/// <param name="Origin">The page that sent it; empty where the browser does not say.</param>
/// <param name="FetchSite">How that page is related to ours, in the browser's word; empty where it does not say.</param>
/// <param name="User">Whose process connected; null where the kernel does not say.</param>
internal sealed record Visit(string Host, string Origin, string FetchSite, uint? User);

/// <summary>
/// Whether a request may come from the operator's own page in the operator's own browser. Pure. The cookie alone does not tell: a browser also sends it when another server of
/// this host made it ask, and that server gets to see it too.
/// </summary>
internal static class Admission
{
    /// <summary>Null for one that may go on.</summary>
    public static Problem? Refusal(Visit visit, int port, IReadOnlySet<uint> operators)
    {
        if (visit.User is not { } user || !operators.Contains(user)) return RelayProblems.OtherUser(visit.User);
        if (!Names(port).Contains(visit.Host, StringComparer.OrdinalIgnoreCase)) return RelayProblems.OtherHost(visit.Host, port);
        if (visit.Origin.Length > 0 && !Names(port).Contains(WithoutScheme(visit.Origin), StringComparer.OrdinalIgnoreCase)) return RelayProblems.OtherPage(visit.Origin);
        // "same-site" is another port of this host. "none" is the address bar.
        return visit.FetchSite is "" or "none" or "same-origin" ? null : RelayProblems.OtherPage($"a {visit.FetchSite} page");
    }

    /// <summary>The URL of the page, as it is printed.</summary>
    public static string Address(int port) => "http://" + Names(port)[0];

    private static string[] Names(int port) => [string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"), string.Create(CultureInfo.InvariantCulture, $"localhost:{port}")];

    private static string WithoutScheme(string origin) => origin.StartsWith("http://", StringComparison.OrdinalIgnoreCase) ? origin["http://".Length..] : "";
}
