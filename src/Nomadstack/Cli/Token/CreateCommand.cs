// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Token;

/// <summary><c>nomadstack token create</c>: a join token, alone on standard output so that it can go straight into a file.</summary>
internal sealed class CreateCommand : Command
{
    public CreateCommand(Surroundings here, GlobalOptions global)
        : base("create", "Make a token that lets nodes join; it is shown this once")
    {
        var ttl = Setting.Span(here, "--ttl", "How long it may be used (24h unless given)");
        var uses = Setting.Number(here, "--uses", "N", "How many nodes it lets in (any number unless given)");
        Options.Add(ttl);
        Options.Add(uses);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var token = await agent.CreateTokenAsync(parse.GetValue(ttl), parse.GetValue(uses), cancel);
            if (parse.GetValue(global.Json))
            {
                Answer.Json(here, token, ApiJson.Readable.TokenCreated);
                return ExitCode.Done;
            }

            here.Out.WriteLine(token.Token);
            here.Error.WriteLine($"Put it into a file on the new node, then there: nomadstack agent --join HOST --token-file FILE");
            here.Error.WriteLine(token.ExpiresAt is { } end ? $"It expires at {end:u}; end it sooner with `nomadstack token revoke {token.Id}`." : $"It does not expire; end it with `nomadstack token revoke {token.Id}`.");
            return ExitCode.Done;
        });
    }
}
