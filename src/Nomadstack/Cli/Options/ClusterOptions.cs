// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cluster;

namespace Nomadstack.Cli.Options;

/// <summary>What is decided once, when a cluster is made: how many servers it may have, which products it leaves out, and whether it is closed to strangers.</summary>
internal sealed class ClusterOptions
{
    private readonly Option<int> _servers;
    private readonly IReadOnlyList<(Product Product, Option<bool> Left)> _without;
    private readonly Option<bool> _insecure;

    public ClusterOptions(Command command, Surroundings here)
    {
        _servers = Setting.NumberOf(here, "--servers", "How many servers the cluster grows to as nodes join", 3, 1, 3, 5);
        _without = [.. ProductTable.Known.Stack.Where(p => !p.Schedules).Select(p => (p, Setting.Flag(here, $"--no-{p.Name}", $"Make the cluster without {p.Title}")))];
        _insecure = Setting.Flag(here, "--insecure", "Make a cluster without TLS and access control: whoever reaches its ports can do anything");
        command.Options.Add(_servers);
        foreach (var (_, option) in _without) command.Options.Add(option);
        command.Options.Add(_insecure);
    }

    /// <summary>Whether the cluster is open to everybody who reaches its ports.</summary>
    public bool Insecure(ParseResult parse) => parse.GetValue(_insecure);

    public int Servers(ParseResult parse) => parse.GetValue(_servers);

    /// <summary>Names of the products that the cluster is made without.</summary>
    public IReadOnlyList<string> Without(ParseResult parse) => [.. _without.Where(w => parse.GetValue(w.Left)).Select(w => w.Product.Name)];
}
