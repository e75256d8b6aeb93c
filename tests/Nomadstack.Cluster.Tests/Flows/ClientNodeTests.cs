// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Nomadstack.Peers;
using Nomadstack.Storage;
using Nomadstack.Tests.Peers;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>Three server nodes and a client node that runs jobs: its disk is worth little to a thief, and it comes back from everything that the others come back from.</summary>
public sealed partial class ClientNodeTests(ITestOutputHelper output) : Scenario(output)
{
    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public async Task ItRunsJobsHasNoSecretComesBackFromAPowerCutIsDrainedAndRemoved(string engine)
    {
        if (engine == Nomad) OnlyInLongRuns();
        await using var cluster = await MachinesWithAsync(engine, 4, secure: true);
        var (servers, client) = (cluster.Nodes.Take(3).ToList(), cluster.Nodes[3]);
        cluster.StartAgent(servers[0]);
        await cluster.BootstrapAsync(servers[0]);
        foreach (var node in servers.Skip(1)) await cluster.JoinAsync(node, servers[0]);
        await cluster.JoinAsync(client, servers[0], client: true);
        await cluster.HealthyAsync(3, TimeSpan.FromSeconds(150));
        (await TestCluster.StatusAsync(client)).Nodes.Select(n => (n.Name, n.Kind)).ShouldBe([("n1", "server"), ("n2", "server"), ("n3", "server"), ("n4", "client")]);

        await LetTheWriterInAsync(cluster, servers[0]);
        await cluster.RunWorkloadAsync();
        Workload.RunningSinceBoot([client]).ShouldBeGreaterThan(0, "the tasks are spread over all nodes");
        await RefusedByNameAsync(client);
        await MayOnlyReadAsync(client, servers[0], cluster.Products > 1);
        Say($"the workload runs, {Workload.RunningSinceBoot([client])} tasks of it on the client node");

        await Task.WhenAll(cluster.Nodes.Select(node => node.PowerOffAsync()));
        await HasNoSecretAsync(client, servers[0]);
        await Task.WhenAll(cluster.Nodes.Select(cluster.PowerOnAsync));
        await RunsAsync(cluster, TimeSpan.FromSeconds(150));
        await cluster.HealthyAsync(3, TimeSpan.FromSeconds(60));
        Workload.RunningSinceBoot([client]).ShouldBeGreaterThan(0);

        // Its two tasks find places: three nodes may have two each.
        await cluster.MustAsync(servers[1], TimeSpan.FromSeconds(120), "node", "drain", client.Name);
        await Eventually.NothingIsMissingAsync("no task runs on the drained node", TimeSpan.FromSeconds(60), () =>
            Task.FromResult(Workload.RunningSinceBoot([client]) is var left and > 0 ? $"{left} tasks" : null), cluster.Logs);
        await RunsAsync(cluster, TimeSpan.FromSeconds(60));

        await Eventually.NothingIsMissingAsync("its token is there", TimeSpan.FromSeconds(30), async () => await TokensOfNodesAsync(servers[0]) is null or 0 ? "the token" : null, cluster.Logs);
        await client.PowerOffAsync();
        await Eventually.NothingIsMissingAsync("the node is removed", TimeSpan.FromSeconds(60), async () =>
            await TestCluster.RunAsync(servers[0], TimeSpan.FromSeconds(20), "node", "remove", client.Name) is { ExitCode: not 0 } refused ? refused.Stderr : null, cluster.Logs, Eventually.Unhurried);
        await Eventually.NothingIsMissingAsync("its tokens are deleted", TimeSpan.FromSeconds(60), async () =>
            await TokensOfNodesAsync(servers[0]) is var left and not 0 ? left is null ? "an answer" : $"{left} tokens" : null, cluster.Logs, Eventually.Unhurried);
    }

    /// <summary>What a thief of the client node's disk does, with the list of everything that a thief of a server node's disk would find.</summary>
    private static async Task HasNoSecretAsync(LabNode client, LabNode server)
    {
        var copy = Directory.CreateTempSubdirectory("nomadstack-thief-").FullName;
        try
        {
            foreach (var folder in new[] { "pki", "secrets" })
            {
                foreach (var file in Directory.EnumerateFiles(Path.Combine(server.Data, folder), "*", SearchOption.AllDirectories))
                {
                    var to = Path.Combine(copy, Path.GetRelativePath(server.Data, file));
                    Directory.CreateDirectory(Path.GetDirectoryName(to)!);
                    File.Copy(file, to);
                }
            }

            foreach (var file in new[] { "node.json", "cluster.json" }) File.Copy(Path.Combine(server.Data, file), Path.Combine(copy, file));
            var paths = new NodePaths(copy);
            var membership = new Membership(paths, NodeFile.At(paths).Read()!, TimeProvider.System);
            membership.Load();
            var store = new SecretStore(membership);
            // The one that it may have: all of the product's agents gossip, its clients too.
            var allowed = SecretNames.Gossip("consul");
            var secrets = store.Names.Where(name => name != allowed).Select(name => (name, Encoding.UTF8.GetString(store.Open(name)!)))
                .Append(("the CA's key", PkiFiles.Read(PkiFiles.CaKey(paths))!)).ToList();
            secrets.Count.ShouldBeGreaterThan(3);
            DiskSearch.In(client.Data, await FilesOfAsync(client), secrets).ShouldBeEmpty();
            DiskSearch.In(server.Data, await FilesOfAsync(server), secrets).ShouldNotBeEmpty("the search finds what is there");
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }

        // No private key but its own: of its agent, and one for each product. Programs carry keys of their tests.
        (await FilesOfAsync(client)).Where(file => PrivateKey().IsMatch(File.ReadAllText(file))).Select(file => Path.GetRelativePath(client.Data, file))
            .Where(file => !file.StartsWith("programs/", StringComparison.Ordinal)).Except(["pki/node.key", "pki/nomad/node-key.pem", "pki/consul/node-key.pem"]).ShouldBeEmpty();
    }

    /// <summary>The words alone are in every program that can read a key.</summary>
    [GeneratedRegex(@"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{40,}-----END")]
    private static partial Regex PrivateKey();

    /// <summary>Regular files only: a FIFO of a task would keep the reader. What the operator put into /srv for the workload is his.</summary>
    private static async Task<IReadOnlyList<string>> FilesOfAsync(LabNode node) => (await Command.RunAsync(["find", node.Data, "-type", "f"])).Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>What the token and the certificate on its disk are good for at a server.</summary>
    private static async Task MayOnlyReadAsync(LabNode client, LabNode server, bool consul)
    {
        (string Product, int Port, string Method, string Path, int Status)[] calls =
        [
            ("nomad", NomadApi.ServerPort, "GET", "/v1/jobs", 200),
            ("nomad", NomadApi.ServerPort, "DELETE", $"/v1/job/{Workload.JobId}", 403),
            ("nomad", NomadApi.ServerPort, "GET", "/v1/agent/keyring/list", 403),
            ("nomad", NomadApi.ServerPort, "PUT", "/v1/operator/autopilot/configuration", 403),
            ("nomad", NomadApi.ServerPort, "PUT", "/v1/system/gc", 403),
            ("nomad", NomadApi.ServerPort, "GET", "/v1/acl/tokens", 403),
            ("consul", NomadApi.ConsulServerPort, "GET", "/v1/catalog/nodes", 200),
            ("consul", NomadApi.ConsulServerPort, "PUT", "/v1/kv/stolen", 403),
            ("consul", NomadApi.ConsulServerPort, "GET", "/v1/acl/tokens", 403),
            // Consul answers so where the right is missing.
            ("consul", NomadApi.ConsulServerPort, "GET", "/v1/operator/keyring", 500),
        ];
        foreach (var (product, port, method, path, status) in calls.Where(c => consul || c.Product != "consul"))
        {
            var pki = $"{TestCluster.DataFolder}/pki/{product}";
            var own = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(client.Data, "pki", product, "given.json"))).RootElement.GetProperty("tokens").GetProperty("own").GetString();
            var said = await client.ExecAsync(
                ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", $"{pki}/ca.pem", "--cert", $"{pki}/node.pem", "--key", $"{pki}/node-key.pem",
                    "-H", $"X-{product}-Token: {own}", "-X", method, .. method == "PUT" ? ["-d", "{}"] : Array.Empty<string>(), $"https://{server.Address}:{port}{path}"],
                TimeSpan.FromSeconds(20));
            said.Stdout.Trim().ShouldBe(status.ToString(System.Globalization.CultureInfo.InvariantCulture), $"{product} {method} {path}: {said.Stderr}");
        }
    }

    private static async Task RefusedByNameAsync(LabNode client)
    {
        foreach (var command in new string[][] { ["env"], ["token", "create"], ["credentials", "create", "mallory"], ["node", "drain", "n1"], ["job", "run", "/srv/workload.nomad"] })
        {
            var refused = await TestCluster.RunAsync(client, TimeSpan.FromSeconds(20), command);
            refused.ExitCode.ShouldBe(4, $"{string.Join(' ', command)}: {refused}");
            refused.Stderr.ShouldContain("n4 is a client node and cannot");
            refused.Stderr.ShouldContain("n1, n2, n3");
        }
    }

    /// <summary>The task that writes is a tool: an operator makes a folder for it, on a server node, and copies it to where the task may run.</summary>
    private static async Task LetTheWriterInAsync(TestCluster cluster, LabNode server)
    {
        await cluster.LetWriterInAsync(server);
        foreach (var node in cluster.Nodes.Where(node => node != server))
        {
            Directory.CreateDirectory(Path.Combine(node.Srv, "keys"));
            foreach (var file in Directory.GetFiles(Path.Combine(server.Srv, "keys"))) File.Copy(file, Path.Combine(node.Srv, "keys", Path.GetFileName(file)));
        }
    }

    private static Task RunsAsync(TestCluster cluster, TimeSpan within) => Eventually.NothingIsMissingAsync("the workload runs", within, () =>
        Task.FromResult(Workload.RunningSinceBoot(cluster.Nodes) is var running and < Workload.Tasks ? $"{Workload.Tasks - running} tasks" : null), cluster.Logs);

    /// <summary>How many tokens Nomad has for client nodes; null while it does not answer.</summary>
    private static async Task<int?> TokensOfNodesAsync(LabNode server)
    {
        try
        {
            var all = await TestCluster.Nomad(server).GetAsync("/v1/acl/tokens");
            return all.EnumerateArray().Count(t => t.GetProperty("Name").GetString()!.StartsWith("nomadstack-node ", StringComparison.Ordinal));
        }
        catch (Exception refused) when (refused is HttpRequestException or OperationCanceledException)
        {
            // A machine that is busy, or an election.
            return null;
        }
    }
}
