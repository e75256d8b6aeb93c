// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;

namespace Nomadstack.Cluster.Tests.Stack;

/// <summary>Writes to Nomad's state that can be found again, with or without a client that could run something.</summary>
internal static class MarkerJobs
{
    /// <summary>Registers jobs, and returns those that were acknowledged and that the survivor's server has applied.</summary>
    public static async Task<IReadOnlyList<string>> ManyAsync(TestCluster cluster, LabNode survivor, string name)
    {
        List<string> written = [];
        for (var i = 0; i < 10; i++)
        {
            await OneAsync(cluster, survivor, $"{name}-{i}");
            written.Add($"{name}-{i}");
        }

        await Eventually.NothingIsMissingAsync("the survivor has them", TimeSpan.FromSeconds(10), async () =>
            (await new NomadApi(survivor.Address, NomadApi.ServerPort).GetAsync("/v1/jobs?stale&prefix=" + name)).EnumerateArray().Select(j => j.GetProperty("ID").GetString()!).ToList() is var seen && written.All(seen.Contains) ? null : $"it has {seen.Count}");
        return written;
    }

    public static Task OneAsync(TestCluster cluster, LabNode node, string id) =>
        Eventually.NothingIsMissingAsync($"job {id} is registered", TimeSpan.FromSeconds(60), async () =>
        {
            await new NomadApi(node.Address, NomadApi.ServerPort).PutAsync("/v1/jobs", new
            {
                Job = new
                {
                    ID = id,
                    Name = id,
                    Type = "batch",
                    Datacenters = new[] { "dc1" },
                    // Nobody has to run it: it is a write like any other.
                    Constraints = new[] { new { LTarget = "${node.unique.name}", RTarget = "nowhere", Operand = "=" } },
                    TaskGroups = new[] { new { Name = "g", Tasks = new[] { new { Name = "t", Driver = "raw_exec", Config = new { command = "/bin/true" } } } } },
                },
            });
            return null;
        }, cluster.Logs);

    /// <summary>All jobs that the server of a node knows.</summary>
    public static async Task<IReadOnlyList<string>> SeenAsync(LabNode node) =>
        [.. (await new NomadApi(node.Address, NomadApi.ServerPort).GetAsync("/v1/jobs")).EnumerateArray().Select(j => j.GetProperty("ID").GetString()!)];
}
