// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using System.Text;
using Nomadstack.Cli;
using Nomadstack.Cli.Options;
using Nomadstack.Tests.Cli;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Docs;

public sealed class CliReferenceTests
{
    private const string Rewrite = "NOMADSTACK_WRITE_DOCS";

    private static readonly string s_file = Path.Combine(Repository.Root, "docs", "reference", "cli.md");

    [Fact]
    public async Task TheReferenceIsTheHelpOfEveryCommand()
    {
        var text = await RenderAsync();

        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Rewrite)))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(s_file)!);
            await File.WriteAllTextAsync(s_file, text);
        }

        File.ReadAllText(s_file).ShouldBe(text, $"Write it anew: {Rewrite}=1 dotnet test tests/Nomadstack.Tests --filter CliReferenceTests");
    }

    private static async Task<string> RenderAsync()
    {
        var typed = new Typed();
        var text = new StringBuilder($"# The command line\n\nThe help of every command. A test writes this page: `{Rewrite}=1 dotnet test`.\n");
        foreach (var path in Paths(CommandLine.Root(typed.Here, new GlobalOptions(typed.Here)), []))
        {
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"\n## {string.Join(' ', path.Prepend("nomadstack"))}\n\n```\n");
            foreach (var line in (await HelpAsync(path)).Trim().Split('\n')) text.Append(line.TrimEnd()).Append('\n');
            text.Append("```\n");
        }

        return text.ToString();
    }

    /// <summary>Arguments of <c>nomad</c> and <c>consul</c> pass through, their --help too: their own help is their description.</summary>
    private static async Task<string> HelpAsync(string[] path)
    {
        if (path is ["nomad" or "consul"]) return $"nomadstack {path[0]} ARGS...\n\nBecomes the cluster's own {path[0]} program, pointed at this cluster. All arguments are passed on, including --help.";
        var typed = new Typed();
        (await typed.RunAsync([.. path, "--help"])).ShouldBe(0);
        return typed.Out.ToString();
    }

    private static IEnumerable<string[]> Paths(Command command, string[] path) =>
        command.Subcommands.Where(c => !c.Hidden).SelectMany(c => Paths(c, [.. path, c.Name])).Prepend(path);
}
