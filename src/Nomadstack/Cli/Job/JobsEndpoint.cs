// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cluster;
using Nomadstack.Nomad;

namespace Nomadstack.Cli.Job;

/// <summary>The address for the job commands: the scheduler of the local agent's cluster.</summary>
internal static class JobsEndpoint
{
    public static async Task<JobsApi> FindAsync(Surroundings here, GlobalOptions global, ParseResult parse, CancellationToken cancel)
    {
        using var agent = global.Client(parse);
        var endpoints = await agent.EndpointsAsync(cancel);
        return endpoints.Of(ProductTable.Known.Scheduler.Name).Address is { } address
            ? JobsApi.At(address, here.Variable, here.Time)
            : throw new ProblemException(CliProblems.NoScheduler());
    }
}
