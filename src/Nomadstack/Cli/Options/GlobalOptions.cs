// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Dev;
using Nomadstack.Storage;

namespace Nomadstack.Cli.Options;

/// <summary>What every command takes: which agent, and whether to answer in JSON.</summary>
internal sealed class GlobalOptions
{
    private readonly Surroundings _here;

    public GlobalOptions(Surroundings here)
    {
        _here = here;
        DataDir = Setting.Text(here, "--data-dir", "DIR", "The agent's data folder; each agent on a host has its own");
        Json = Setting.Flag(here, "--json", "Print only JSON on standard output; text for people goes to standard error");
        DataDir.Recursive = true;
        Json.Recursive = true;
    }

    public Option<string?> DataDir { get; }

    public Option<bool> Json { get; }

    /// <summary>The data folder, as the option names it.</summary>
    public NodePaths FolderPaths(ParseResult parse) => new(parse.GetValue(DataDir));

    /// <summary>The node that the command means: the folder's own, or one of its dev nodes.</summary>
    public NodePaths Paths(ParseResult parse) => DevRoom.Representative(FolderPaths(parse));

    public AgentClient Client(ParseResult parse) => new(Paths(parse), _here.Time);
}
