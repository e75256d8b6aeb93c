// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using System.Globalization;
using Nomadstack.Cluster;
using Nomadstack.Node;

namespace Nomadstack.Cli.Options;

/// <summary>What <c>up</c> and <c>agent</c> must know of the node they start. Used at the first start on a data folder, which keeps them.</summary>
internal sealed class NodeOptions
{
    private readonly GlobalOptions _global;
    private readonly Option<string?> _bind, _name, _join, _tokenFile, _fetchFrom;
    private readonly Option<TimeSpan?> _longestKillTimeout;
    private readonly ProgramOptions _programs;
    private readonly Option<string> _engine;
    private readonly Option<int?> _diskReserve;
    private readonly Option<IReadOnlyList<KeyValuePair<string, int>>> _ports;

    public NodeOptions(Command command, Surroundings here, GlobalOptions global)
    {
        _global = global;
        _bind = Setting.Address(here, "--bind", "IP", "The address at which other nodes reach this node");
        _name = Setting.Text(here, "--name", "NAME", "The name of this node, unique in the cluster (default: the host's name)");
        _join = Setting.Text(here, "--join", "HOST[:4640]", "A member of the cluster to join; needs --token-file");
        _tokenFile = Setting.Text(here, "--token-file", "FILE", "The file with the join token that `nomadstack token create` printed");
        _engine = Setting.OneOf(here, "--engine", $"What provides {ProductTable.Known.Scheduler.Title}", AgentOptions.AnyEngine, AgentOptions.AnyEngine, ProductTable.Known.Scheduler.Name, AgentOptions.EmbeddedEngine);
        _fetchFrom = Setting.Text(here, "--fetch-from", "URL|DIR|never", "Where a new cluster downloads a program that this machine does not have (default: HashiCorp's releases)");
        _ports = Setting.Many(here, "--port", "NAME=PORT", "Use another port than the default, such as nomad-client-http=14646; may be repeated", Port);
        _longestKillTimeout = Setting.Span(here, "--max-kill-timeout", "The longest time that a task gets to end when everything is stopped (default: 30s, as in Nomad)");
        _diskReserve = Setting.Amount(here, "--disk-reserve", "MIB", "Room of the data folder's disk that is kept for when it is full; 0 for none (default: 64, on a small disk a hundredth of it)");
        foreach (var option in new Option[] { _bind, _name, _join, _tokenFile, _engine }) command.Options.Add(option);
        _programs = new(command, here, "-program", "to use");
        command.Options.Add(_fetchFrom);
        command.Options.Add(_ports);
        command.Options.Add(_longestKillTimeout);
        command.Options.Add(_diskReserve);
    }

    public AgentOptions Read(ParseResult parse, int servers = 3, IReadOnlyList<string>? without = null)
    {
        var joins = parse.GetValue(_join) is not null;
        if (joins && parse.GetValue(_tokenFile) is null) throw ExitCode.WrongUsage("--join needs --token-file.", "Run `nomadstack token create` on a member, and name the token's file with --token-file.");
        if (!joins && parse.GetValue(_tokenFile) is not null) throw ExitCode.WrongUsage("--token-file needs --join.", "Name a member of the cluster with --join, or remove --token-file.");
        return Options(parse, servers, without ?? []);
    }

    private AgentOptions Options(ParseResult parse, int servers, IReadOnlyList<string> without) => new(
        DataDir: parse.GetValue(_global.DataDir),
        Bind: parse.GetValue(_bind),
        Name: parse.GetValue(_name),
        Servers: servers,
        Engine: parse.GetValue(_engine)!,
        Without: without,
        Join: parse.GetValue(_join),
        TokenFile: parse.GetValue(_tokenFile),
        Programs: _programs.Read(parse),
        // If an option is given twice, the last one wins, as on any command line.
        Ports: parse.GetValue(_ports)!.GroupBy(p => p.Key).ToDictionary(g => g.Key, g => g.Last().Value))
    {
        FetchFrom = parse.GetValue(_fetchFrom),
        LongestKillTimeout = parse.GetValue(_longestKillTimeout) ?? TaskEndDecision.DefaultLongest,
        DiskReserve = parse.GetValue(_diskReserve) is { } mebibytes ? (long)mebibytes << 20 : null,
    };

    private static KeyValuePair<string, int> Port(string text)
    {
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0) throw new FormatException("is not NAME=PORT");
        var name = text[..equals];
        if (!PortNames.All.ContainsKey(name)) throw new FormatException("is not a known port name; use one of " + string.Join(", ", PortNames.All.Keys));
        return int.TryParse(text[(equals + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and < 65536
            ? new(name, port)
            : throw new FormatException("does not give a port from 1 to 65535");
    }
}
