// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Dev;
using Nomadstack.Storage;

namespace Nomadstack.Cli.Dev;

/// <summary><c>nomadstack dev power-on [NODE]</c>: restores the power of dev nodes; the running <c>up --dev-nodes</c> starts their agents.</summary>
internal sealed class PowerOnCommand : Command
{
    public PowerOnCommand(Surroundings here, GlobalOptions global)
        : base("power-on", "Restore the power of one dev node, or of all")
    {
        var name = new Argument<string?>("NODE") { Description = "n1, n2, …; all if not given", Arity = ArgumentArity.ZeroOrOne };
        Arguments.Add(name);
        SetAction(parse =>
        {
            var room = DevRoom.FindOrThrow(global.FolderPaths(parse));
            var nodes = parse.GetValue(name) is { } one ? [room[one]] : room.Nodes;
            foreach (var node in nodes) node.PlugIn();
            var progress = new ProgressWriter(here);
            progress.Done($"{string.Join(", ", nodes.Select(node => node.Name))} with power");
            if (AgentPresence.HolderOf(new NodePaths(room.Folder)) is null) progress.Note("`nomadstack up --dev-nodes` starts the nodes, but it is not running");
        });
    }
}
