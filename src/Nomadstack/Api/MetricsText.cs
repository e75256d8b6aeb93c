// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text;

namespace Nomadstack.Api;

/// <summary>The status as metrics, in Prometheus's text format (0.0.4) and with names by its conventions. Pure.</summary>
internal static class MetricsText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private const string Job = "job";

    /// <summary>Those an agent can be in: a series that is zero can be watched, one that is not there cannot.</summary>
    private static readonly string[] s_agents = ["reachable", "unreachable", MemberStatus.JoiningAgent];

    public static string Of(StatusDocument status)
    {
        var text = new StringBuilder();
        Gauge("build_info", "The version of this node's agent.", [([("version", status.Node.Version)], 1)]);
        if (status.Cluster.State == "none") return text.ToString();
        Gauge("cluster_healthy", "Whether the cluster is healthy, as this node sees it.", [([], status.Cluster.State == "healthy" ? 1 : 0)]);
        Gauge("servers_desired", "How many servers the job of the scheduler asks for.", [([], status.Cluster.DesiredServers)]);
        Gauge("servers_healthy", "Servers placed by their job that are healthy voters.", status.Engine.Where(e => e.Value.Kind != EngineVersion.None)
            .Select(e => (Labels(("product", e.Key)), (long)status.Servers.Count(s => s is { ManagedBy: Job, Voter: true, Healthy: true } && s.Role == e.Key))));
        Gauge("members", "Nodes of the cluster, by the state of their agent.", s_agents.Select(a => (Labels(("agent", a)), (long)status.Nodes.Count(n => n.Agent == a))));
        var ends = status.Cluster.Certificates.Where(c => c.Ends is not null).Select(c => (Labels(c, status.Node.Name), c.Ends!.Value.ToUnixTimeSeconds()));
        Gauge("certificate_expiration_timestamp_seconds", "When a certificate ends, in seconds since 1970.", ends);
        if (status.Cluster.Snapshots is { } snapshots)
        {
            Gauge("snapshot_last_success_timestamp_seconds", "When the newest snapshot was taken, in seconds since 1970.", Times(snapshots.LastTaken));
            Gauge("snapshot_last_verified_timestamp_seconds", "When the newest snapshot that was restored and compared was taken, in seconds since 1970.", Times(snapshots.LastVerified));
        }

        return text.ToString();

        void Gauge(string name, string help, IEnumerable<((string Name, string Value)[] Labels, long Value)> series)
        {
            text.Append(CultureInfo.InvariantCulture, $"# HELP nomadstack_{name} {help}\n# TYPE nomadstack_{name} gauge\n");
            foreach (var (labels, value) in series)
            {
                var all = string.Join(',', labels.Select(l => $"{l.Name}=\"{Escape(l.Value)}\""));
                text.Append(CultureInfo.InvariantCulture, $"nomadstack_{name}{(all.Length > 0 ? "{" + all + "}" : "")} {value}\n");
            }
        }
    }

    /// <summary>Zero for never: a series that is not there cannot be watched.</summary>
    private static IEnumerable<((string, string)[], long)> Times(DateTimeOffset? at) => [([], at?.ToUnixTimeSeconds() ?? 0)];

    private static (string, string)[] Labels(params (string, string)[] labels) => labels;

    /// <summary>An authority is the whole cluster's.</summary>
    private static (string, string)[] Labels(CertificateStatus certificate, string node) =>
        [("product", certificate.Product), ("kind", certificate.Kind), .. certificate.Kind == CertificateStatus.Node ? Labels(("node", node)) : []];

    private static string Escape(string value) => value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n");
}
