// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;

namespace Nomadstack.Cli.Programs;

/// <summary><c>nomadstack program use</c>: this node takes another version of Nomad or Consul, of which its processes know nothing until then.</summary>
internal sealed class UseCommand : Command
{
    public UseCommand(Surroundings here, GlobalOptions global)
        : base("use", "Use another program on this node from the next start of its processes on; without FILE the one on the PATH")
    {
        var product = new Argument<string>("PRODUCT") { Description = "Whose program: " + string.Join(" or ", ProductTable.Known.Shown.Select(p => p.Name)) };
        var file = new Argument<string?>("FILE") { Description = "The program (default: the one that `status` shows as not used)", Arity = ArgumentArity.ZeroOrOne };
        Arguments.Add(product);
        Arguments.Add(file);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var used = await agent.UseProgramAsync(parse.GetRequiredValue(product), parse.GetValue(file) is { } path ? Path.GetFullPath(path) : null, cancel);
            if (parse.GetValue(global.Json)) Answer.Json(here, used, ApiJson.Readable.ProgramUsed);
            else new ProgressWriter(here).Done($"{StatusText.Title(used.Product)} {used.Version} instead of {used.Before}, from the next start of each of this node's processes on");
            return ExitCode.Done;
        });
    }
}
