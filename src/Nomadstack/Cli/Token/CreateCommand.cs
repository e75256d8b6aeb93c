// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Token;

/// <summary><c>nomadstack token create</c>: prints a join token, and nothing else, on standard output, so that it can be redirected to a file.</summary>
internal sealed class CreateCommand : Command
{
    public CreateCommand(Surroundings here, GlobalOptions global)
        : base("create", "Make a token that lets nodes join; it is shown only once")
    {
        var ttl = Setting.Span(here, "--ttl", "How long the token is valid (default: 24h)");
        var uses = Setting.Number(here, "--uses", "N", "How many nodes the token lets in (default: any number)");
        var client = Setting.Flag(here, "--client", "Let them in as client nodes: they run jobs and get no servers, no keys and no secrets of the cluster");
        Options.Add(client);
        Options.Add(ttl);
        Options.Add(uses);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var token = await agent.CreateTokenAsync(new(parse.GetValue(ttl)?.TotalSeconds, parse.GetValue(uses), parse.GetValue(client)), cancel);
            if (parse.GetValue(global.Json))
            {
                Answer.Json(here, token, ApiJson.Readable.TokenCreated);
                return ExitCode.Done;
            }

            here.Out.WriteLine(token.Token);
            here.Error.WriteLine("Put the token into a file on the new node and run there: nomadstack agent --join HOST --token-file FILE");
            here.Error.WriteLine(token.ExpiresAt is { } end ? $"The token expires at {end:u}. `nomadstack token revoke {token.Id}` ends it sooner." : $"The token does not expire. `nomadstack token revoke {token.Id}` ends it.");
            return ExitCode.Done;
        });
    }
}
