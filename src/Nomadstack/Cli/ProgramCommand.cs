// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Bundle;
using Nomadstack.Cli.Options;
using Nomadstack.Cluster;

namespace Nomadstack.Cli;

/// <summary>
/// <c>nomadstack nomad ARGS...</c> and the same for every product: becomes the program of this cluster, pointed at this cluster.
/// Arguments are passed on unchanged, <c>--help</c> included. An address set in the environment stays.
/// </summary>
internal sealed class ProgramCommand : Command
{
    private readonly Argument<string[]> _arguments = new("ARGS") { CaptureRemainingTokens = true, Arity = ArgumentArity.ZeroOrMore, Description = "Passed on unchanged; options of nomadstack itself come before the command" };

    public ProgramCommand(Product product, Surroundings here, GlobalOptions global)
        : base(product.Name, $"{product.Title}'s own {product.Program} command, pointed at this cluster")
    {
        Arguments.Add(_arguments);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            Endpoints where;
            try
            {
                where = await agent.EndpointsAsync(cancel);
            }
            catch (ProblemException e) when (e.Problem.Code == AgentPresence.ProblemCode && Trailer.Read(here.Self)?.Index.Programs.Any(p => p.Name == product.Name) == true)
            {
                // A bundle contains the program. Much of it works without our cluster: `version`, `job validate`, another cluster's address.
                var folder = await new BundleStore(global.Paths(parse), here.Time).UnpackAsync(here.Self, cancel);
                return here.Become(new ProgramImage(Path.Combine(folder!, product.Program), parse.GetValue(_arguments) ?? [], new Dictionary<string, string>()));
            }

            var (address, program, environment) = where.Of(product.Name);
            if (program.Count == 0)
                throw new ProblemException(address is null ? CliProblems.NoProgram(product) : CliProblems.NoCommandLine(product));
            var isElsewhere = IsSet(here, product.Variables!.Address);
            if (!isElsewhere && where.Client is { } refusal) throw new ProblemException(refusal);
            if (!isElsewhere && address is null)
                throw new ProblemException(CliProblems.NoCluster(product));
            Dictionary<string, string> given = isElsewhere ? [] : PastProxies(here, address!);
            // What is set already counts: a caller's own token above all.
            if (!isElsewhere) foreach (var (variable, value) in environment ?? new Dictionary<string, string>()) if (!IsSet(here, variable)) given[variable] = value;
            return here.Become(new ProgramImage(program[0], [.. program.Skip(1), .. parse.GetValue(_arguments) ?? []], given));
        });
    }

    private static bool IsSet(Surroundings here, string variable) => !string.IsNullOrEmpty(here.Variable(variable));

    /// <summary>No cluster of ours is asked through a proxy. Both spellings, for programs differ in which they read first.</summary>
    private static Dictionary<string, string> PastProxies(Surroundings here, string address)
    {
        if (string.IsNullOrEmpty(here.Variable("HTTP_PROXY")) && string.IsNullOrEmpty(here.Variable("http_proxy"))) return [];
        var already = here.Variable("NO_PROXY") ?? here.Variable("no_proxy");
        var all = string.IsNullOrEmpty(already) ? new Uri(address).Host : $"{already},{new Uri(address).Host}";
        return new() { ["NO_PROXY"] = all, ["no_proxy"] = all };
    }

    /// <summary>One for each product that the stack runs.</summary>
    public static IEnumerable<ProgramCommand> All(Surroundings here, GlobalOptions global) => ProductTable.Known.Shown.Select(p => new ProgramCommand(p, here, global));

    /// <summary>Puts <c>--</c> after a product's name and after <c>complete</c>, so that nothing after it is read as an option of ours.</summary>
    public static IReadOnlyList<string> Guard(IReadOnlyList<string> args)
    {
        var i = 0;
        while (i < args.Count && args[i].StartsWith('-')) i += args[i] == "--data-dir" ? 2 : 1;
        return i < args.Count && (args[i] == "complete" || IsProduct(args[i])) ? [.. args.Take(i + 1), "--", .. args.Skip(i + 1)] : args;
    }

    /// <summary>Whether a word is the name of a product that the stack runs.</summary>
    public static bool IsProduct(string word) => ProductTable.Known.Stack.Any(p => p.Name == word);
}
