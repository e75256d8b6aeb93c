// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack completion SHELL</c>: prints a script for a shell's start-up file. The script asks this program what may follow, so it is never out of date.</summary>
internal sealed class CompletionCommand : Command
{
    private const string Bash = """
        # bash completion for nomadstack; in ~/.bashrc: source <(nomadstack completion bash)
        _nomadstack() {
            local IFS=$'\n'
            COMPREPLY=($("${COMP_WORDS[0]}" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
        }
        complete -o default -F _nomadstack nomadstack
        """;

    private const string Zsh = """
        #compdef nomadstack
        # zsh completion for nomadstack; in ~/.zshrc, after compinit: source <(nomadstack completion zsh)
        _nomadstack() {
            local -a found
            found=("${(@f)$("${words[1]}" complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
            if [[ -n "${found[1]}" ]]; then compadd -a found; else _files; fi
        }
        compdef _nomadstack nomadstack
        """;

    private const string Fish = """
        # fish completion for nomadstack; in config.fish: nomadstack completion fish | source
        function __nomadstack_complete
            set -l before (commandline -opc)
            set -l word (commandline -ct)
            set -l found ($before[1] complete $before[2..-1] "$word" 2>/dev/null)
            if test (count $found) -gt 0
                printf '%s\n' $found
            else
                __fish_complete_path "$word"
            end
        end
        complete -c nomadstack -f -a '(__nomadstack_complete)'
        """;

    public CompletionCommand(Surroundings here)
        : base("completion", "Print the completion script of a shell: source <(nomadstack completion bash)")
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish" };
        shell.CompletionSources.Add("bash", "zsh", "fish");
        Arguments.Add(shell);
        SetAction(parse =>
        {
            here.Out.WriteLine(parse.GetValue(shell) switch
            {
                "bash" => Bash,
                "zsh" => Zsh,
                "fish" => Fish,
                var other => throw ExitCode.WrongUsage($"There is no completion for \"{other}\".", "Use bash, zsh or fish."),
            });
            return ExitCode.Done;
        });
    }
}
