// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Snapshot;

/// <summary><c>nomadstack snapshot verify</c>: restores a snapshot into a throw-away server and compares.</summary>
internal sealed class VerifyCommand : Command
{
    public VerifyCommand(Surroundings here, GlobalOptions global)
        : base("verify", "Prove that a snapshot can be restored, in a server made for that")
    {
        var of = new Argument<string>("SNAPSHOT") { Description = "A name that `snapshot list` shows, or a file" };
        Arguments.Add(of);
        var detach = new DetachOption(this, here);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            return await OperationEnd.ReachAsync(here, agent, await agent.VerifySnapshotAsync(SnapshotFiles.ForAgent(parse.GetRequiredValue(of)), cancel), detach.Read(parse), parse.GetValue(global.Json), cancel);
        });
    }
}
