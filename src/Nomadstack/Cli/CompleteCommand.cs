// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using System.CommandLine.Completions;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack complete WORDS...</c>: prints what the last word may become, one a line; nothing where a file or a name is expected. Called by the scripts of <see cref="CompletionCommand"/>.</summary>
internal sealed class CompleteCommand : Command
{
    public CompleteCommand(Surroundings here, Command root)
        : base("complete", "Called by completion scripts")
    {
        Hidden = true;
        var words = new Argument<string[]>("WORDS") { CaptureRemainingTokens = true, Arity = ArgumentArity.ZeroOrMore };
        Arguments.Add(words);
        SetAction(parse =>
        {
            foreach (var word in Next(root, parse.GetValue(words) ?? [])) here.Out.WriteLine(word);
            return ExitCode.Done;
        });
    }

    /// <param name="words">What was typed after the program's name. The last word is unfinished and may be empty.</param>
    internal static IReadOnlyList<string> Next(Command root, IReadOnlyList<string> words)
    {
        var begun = words.Count == 0 ? "" : words[^1];
        List<Command> path = [root];
        Option? wantsValue = null;
        foreach (var word in words.SkipLast(1))
        {
            if (wantsValue is not null)
            {
                wantsValue = null;
                continue;
            }

            // These programs have words of their own.
            if (path[^1] is ProgramCommand) return [];
            // A switch has no value. An option written with = already has its value.
            if (word.StartsWith('-')) wantsValue = OptionsOf(path).FirstOrDefault(o => (o.Name == word || o.Aliases.Contains(word)) && o.Arity.MinimumNumberOfValues > 0);
            else if (path[^1].Subcommands.FirstOrDefault(c => c.Name == word) is { } command) path.Add(command);
        }

        IEnumerable<string> all = wantsValue is not null ? Labels(wantsValue)
            : path[^1] is ProgramCommand ? []
            : begun.StartsWith('-') ? OptionsOf(path).Where(o => !o.Hidden).Select(o => o.Name)
            : [.. path[^1].Subcommands.Where(c => !c.Hidden).Select(c => c.Name), .. path[^1].Arguments.SelectMany(Labels)];
        return [.. all.Where(word => word.StartsWith(begun, StringComparison.Ordinal)).Distinct().Order(StringComparer.Ordinal)];
    }

    private static IEnumerable<Option> OptionsOf(List<Command> path) => path[^1].Options.Concat(path.SkipLast(1).SelectMany(c => c.Options.Where(o => o.Recursive)));

    private static IEnumerable<string> Labels(Symbol symbol) => symbol.GetCompletions(CompletionContext.Empty).Select(c => c.InsertText ?? c.Label);
}
