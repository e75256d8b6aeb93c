// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cluster;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack env</c>: the variables with which the products' own command lines, and other tools, find this cluster. For <c>eval "$(nomadstack env)"</c>.</summary>
internal sealed class EnvCommand : Command
{
    public EnvCommand(Surroundings here, GlobalOptions global)
        : base("env", "Print the variables that point other tools at this cluster: eval \"$(nomadstack env)\"")
    {
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var where = await agent.EndpointsAsync(cancel);
            var found = ProductTable.Known.Shown.Where(p => where.Of(p.Name).Address is not null).Select(p => (p.AddressVariable, Address: where.Of(p.Name).Address!)).ToList();
            if (found.Count == 0) throw new ProblemException(CliProblems.NoCluster(ProductTable.Known.Scheduler));
            if (parse.GetValue(global.Json)) here.Out.WriteLine("{" + string.Join(',', found.Select(v => $"\"{v.AddressVariable}\":\"{v.Address}\"")) + "}");
            // An address has no character that a shell would read.
            else foreach (var (variable, address) in found) here.Out.WriteLine($"export {variable}={address}");
            return ExitCode.Done;
        });
    }
}
