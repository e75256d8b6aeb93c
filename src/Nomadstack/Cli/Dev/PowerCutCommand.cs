// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Dev;

namespace Nomadstack.Cli.Dev;

/// <summary><c>nomadstack dev power-cut</c>: cuts the power of all dev nodes.</summary>
internal sealed class PowerCutCommand : Command
{
    public PowerCutCommand(Surroundings here, GlobalOptions global)
        : base("power-cut", "Cut the power of all dev nodes at once")
    {
        SetAction(async (parse, cancel) =>
        {
            var room = DevRoom.FindOrThrow(global.FolderPaths(parse));
            await CutAsync(here, room, room.Nodes, cancel);
        });
    }

    internal static async Task CutAsync(Surroundings here, DevRoom room, IReadOnlyList<DevNode> nodes, CancellationToken cancel)
    {
        var progress = new ProgressWriter(here);
        var ended = await room.CutPowerAsync(nodes, here.Time, cancel);
        var names = string.Join(", ", nodes.Select(node => node.Name));
        progress.Done($"{names} without power: {ended} processes ended");
        progress.Note("`nomadstack dev power-on` brings them back");
    }
}
