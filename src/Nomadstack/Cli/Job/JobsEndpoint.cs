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
        var where = await agent.EndpointsAsync(cancel);
        if (where.Client is { } refusal) throw new ProblemException(refusal);
        var scheduler = where.Of(ProductTable.Known.Scheduler.Name);
        return scheduler.Address is { } address
            ? JobsApi.At(address, name => here.Variable(name) is { Length: > 0 } own ? own : scheduler.Environment?.GetValueOrDefault(name), here.Time)
            : throw new ProblemException(CliProblems.NoScheduler());
    }
}
