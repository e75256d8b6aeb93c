// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using System.Text.Json.Nodes;
using Nomadstack.Cli.Options;
using Nomadstack.Cluster;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack env</c>: the variables with which the products' own command lines, and other tools, find this cluster and are let in. For <c>eval "$(nomadstack env)"</c>.</summary>
internal sealed class EnvCommand : Command
{
    public EnvCommand(Surroundings here, GlobalOptions global)
        : base("env", "Print the variables that point other tools at this cluster: eval \"$(nomadstack env)\"")
    {
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var where = await agent.EndpointsAsync(cancel);
            if (where.Client is { } refusal) throw new ProblemException(refusal);
            var found = ProductTable.Known.Shown.SelectMany(p => where.Of(p.Name).Environment ?? new Dictionary<string, string>()).ToList();
            if (found.Count == 0) throw new ProblemException(CliProblems.NoCluster(ProductTable.Known.Scheduler));
            if (parse.GetValue(global.Json)) here.Out.WriteLine(new JsonObject(found.Select(v => KeyValuePair.Create(v.Key, (JsonNode?)JsonValue.Create(v.Value)))).ToJsonString());
            else foreach (var (variable, value) in found) here.Out.WriteLine($"export {variable}={Quoted(value)}");
            return ExitCode.Done;
        });
    }

    /// <summary>A word for a shell. Most need no quotes, and are read more easily without.</summary>
    private static string Quoted(string value) =>
        value.All(c => char.IsAsciiLetterOrDigit(c) || ":/.-_[]".Contains(c)) ? value : "'" + value.Replace("'", "'\\''") + "'";
}
