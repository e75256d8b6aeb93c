// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Token;

/// <summary><c>nomadstack token revoke</c>: no node can join with that token any more. Nodes that have joined stay.</summary>
internal sealed class RevokeCommand : Command
{
    public RevokeCommand(Surroundings here, GlobalOptions global)
        : base("revoke", "Revoke a join token; nodes that joined with it stay")
    {
        var id = new Argument<string>("ID") { Description = "The token's id, as `token list` shows it" };
        Arguments.Add(id);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            await agent.RevokeTokenAsync(parse.GetRequiredValue(id), cancel);
            new ProgressWriter(here).Done($"token {parse.GetRequiredValue(id)} revoked");
            return ExitCode.Done;
        });
    }
}
