// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Dev;

namespace Nomadstack.Cli.Dev;

/// <summary><c>nomadstack dev kill NODE</c>: cuts the power of one dev node.</summary>
internal sealed class KillCommand : Command
{
    public KillCommand(Surroundings here, GlobalOptions global)
        : base("kill", "Cut the power of one dev node: all its processes end at once")
    {
        var node = new Argument<string>("NODE") { Description = "n1, n2, …" };
        Arguments.Add(node);
        SetAction(async (parse, cancel) =>
        {
            var room = DevRoom.FindOrThrow(global.FolderPaths(parse));
            await PowerCutCommand.CutAsync(here, room, [room[parse.GetRequiredValue(node)]], cancel);
        });
    }
}
