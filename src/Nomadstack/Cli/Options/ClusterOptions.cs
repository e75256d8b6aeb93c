// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;

namespace Nomadstack.Cli.Options;

/// <summary>What is decided once, when a cluster is made: how many servers it may have and whether it has Consul.</summary>
internal sealed class ClusterOptions
{
    private readonly Option<int> _servers;
    private readonly Option<bool> _noConsul;

    public ClusterOptions(Command command, Surroundings here)
    {
        _servers = Setting.NumberOf(here, "--servers", "Servers the cluster grows to as nodes join", 3, 1, 3, 5);
        _noConsul = Setting.Flag(here, "--no-consul", "A cluster without Consul");
        command.Options.Add(_servers);
        command.Options.Add(_noConsul);
    }

    public int Servers(ParseResult parse) => parse.GetValue(_servers);

    public bool Consul(ParseResult parse) => !parse.GetValue(_noConsul);
}
