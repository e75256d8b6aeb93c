// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using System.Globalization;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Token;

/// <summary><c>nomadstack token list</c>: lists the ids of the join tokens. Their secrets are not stored and cannot be shown.</summary>
internal sealed class ListCommand : Command
{
    public ListCommand(Surroundings here, GlobalOptions global)
        : base("list", "List the join tokens, without their secrets")
    {
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var tokens = await agent.TokensAsync(cancel);
            if (parse.GetValue(global.Json))
            {
                Answer.Json(here, tokens, ApiJson.Readable.Tokens);
                return ExitCode.Done;
            }

            var now = here.Time.GetUtcNow();
            var table = new Table("ID", "CREATED", "EXPIRES", "USED", "KIND", "STATE");
            foreach (var t in tokens)
            {
                var used = t.Uses is { } most ? string.Create(CultureInfo.InvariantCulture, $"{t.Used} of {most}") : t.Used.ToString(CultureInfo.InvariantCulture);
                var state = t.Revoked ? "revoked" : t.ExpiresAt < now ? "expired" : t.Used >= t.Uses ? "used up" : "valid";
                table.Row(t.Id, t.CreatedAt.ToString("u", CultureInfo.InvariantCulture), t.ExpiresAt?.ToString("u", CultureInfo.InvariantCulture) ?? "never", used, t.Kind, state);
            }

            table.WriteTo(here.Out);
            return ExitCode.Done;
        });
    }
}
