// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Nomadstack.Cluster.Tests.Machines;

namespace Nomadstack.Cluster.Tests.Stack;

/// <summary>What a person with access to a node's agent has to talk to a closed cluster: the variables of <c>nomadstack env</c> and the files they name.</summary>
internal sealed class ClusterKeys
{
    private static readonly ConcurrentDictionary<string, TestCluster> s_clusters = new();
    private static readonly ConcurrentDictionary<string, ClusterKeys> s_known = new();

    private readonly Dictionary<string, string> _variables;
    private readonly HttpClient _nomad, _consul;
    private readonly IReadOnlyList<(string Path, DateTime Written)> _files;

    private ClusterKeys(LabNode node, Dictionary<string, string> variables)
    {
        _variables = variables;
        _files = [.. from product in new[] { "nomad", "consul" } from file in new[] { "ca.pem", "node.pem" } let path = Pki(node, product, file) select (path, File.GetLastWriteTimeUtc(path))];
        (_nomad, _consul) = (Connections(node, "nomad"), Connections(node, "consul"));
    }

    /// <summary>Whether the node has other certificates by now.</summary>
    public bool IsOld => _files.Any(f => File.GetLastWriteTimeUtc(f.Path) != f.Written);

    /// <summary>Each product has an authority of its own, and so a certificate of its own.</summary>
    public HttpClient Http(int port) => IsConsul(port) ? _consul : _nomad;

    /// <summary>Sends a request with the product's token.</summary>
    public void Sign(HttpRequestMessage request, int port)
    {
        var (header, variable) = IsConsul(port) ? ("X-Consul-Token", "CONSUL_HTTP_TOKEN") : ("X-Nomad-Token", "NOMAD_TOKEN");
        if (_variables.TryGetValue(variable, out var token)) request.Headers.TryAddWithoutValidation(header, token);
    }

    /// <summary>A cluster's nodes are those of its lab's network.</summary>
    public static void Register(TestCluster cluster) => Forget(cluster.Nodes[0].Address, cluster);

    /// <summary>Machines at these addresses are another cluster's now, or nobody's.</summary>
    public static void Forget(string address, TestCluster? next = null)
    {
        s_known.TryRemove(Network(address), out _);
        if (next is null) s_clusters.TryRemove(Network(address), out _);
        else s_clusters[Network(address)] = next;
    }

    /// <summary>Null for a cluster that is open, or was not met closed yet.</summary>
    public static ClusterKeys? Of(string address) => s_known.GetValueOrDefault(Network(address));

    /// <summary>Asks the agents that run, until one tells.</summary>
    public static async Task<ClusterKeys?> LearnAsync(string address)
    {
        if (!s_clusters.TryGetValue(Network(address), out var cluster)) return null;
        foreach (var node in cluster.Running.OrderByDescending(n => n.Address == address))
        {
            var output = await TestCluster.RunAsync(node, TimeSpan.FromSeconds(10), "env", "--json");
            if (output.ExitCode != 0) continue;
            var variables = JsonDocument.Parse(output.Stdout).RootElement.EnumerateObject().ToDictionary(v => v.Name, v => v.Value.GetString()!);
            if (variables.ContainsKey("NOMAD_TOKEN")) return s_known[Network(address)] = new(node, variables);
        }

        return null;
    }

    private static bool IsConsul(int port) => port is NomadApi.ConsulClientPort or NomadApi.ConsulServerPort;

    private static HttpClient Connections(LabNode node, string product)
    {
        var connections = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromMilliseconds(500), PooledConnectionIdleTimeout = TimeSpan.FromSeconds(2) };
        if (File.Exists(Pki(node, product, "node.pem")))
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.ImportFromPemFile(Pki(node, product, "ca.pem"));
            connections.SslOptions = new() { ClientCertificates = [X509Certificate2.CreateFromPemFile(Pki(node, product, "node.pem"), Pki(node, product, "node-key.pem"))], CertificateChainPolicy = policy };
        }

        return new(connections) { Timeout = Timeout.InfiniteTimeSpan };
    }

    private static string Pki(LabNode node, string product, string file) => Path.Combine(node.Data, "pki", product, file);

    private static string Network(string address) => address[..address.LastIndexOf('.')];
}
