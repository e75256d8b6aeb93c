// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class CompletionTests
{
    [Theory]
    [InlineData("sta", "status")]
    [InlineData("node |", "address drain list remove")]
    [InlineData("--data-dir /x no", "node nomad")]
    [InlineData("up --eng", "--engine")]
    [InlineData("up --engine |", "auto embedded nomad")]
    [InlineData("up --engine e", "embedded")]
    [InlineData("wait --for q", "quorum")]
    [InlineData("status --js", "--json")]
    [InlineData("fetch nomad c", "consul")]
    [InlineData("completion |", "bash fish zsh")]
    [InlineData("up --data-dir |", "")]
    [InlineData("job run |", "")]
    [InlineData("nomad node sta", "")]
    [InlineData("nomad --", "")]
    [InlineData("comp", "completion")]
    public async Task OffersWhatMayFollow(string typedSoFar, string offered)
    {
        var typed = new Typed();

        (await typed.RunAsync(["complete", .. typedSoFar.Replace("|", "", StringComparison.Ordinal).Split(' ')])).ShouldBe(0);

        typed.Out.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).ShouldBe(offered.Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task AnotherShellIsRefused()
    {
        var typed = new Typed();

        (await typed.RunAsync("completion", "tcsh")).ShouldBe(2);

        typed.Error.ToString().ShouldContain("bash, zsh or fish");
    }

    [SkippableTheory]
    [InlineData("bash", "source <(nomadstack completion bash); complete -p nomadstack; COMP_WORDS=(nomadstack token cr); COMP_CWORD=2; _nomadstack; echo \"${COMPREPLY[@]}\"", "create")]
    [InlineData("zsh", "autoload -U compinit; compinit -u -D; source <(nomadstack completion zsh); compadd() { print -l -- $found }; words=(nomadstack token cr); CURRENT=3; _nomadstack; print $_comps[nomadstack]", "create")]
    [InlineData("fish", "nomadstack completion fish | source; complete -C 'nomadstack token cr'", "create")]
    public async Task AShellCompletesWithTheScript(string shell, string script, string expected)
    {
        Skip.If(Environment.GetEnvironmentVariable("PATH")!.Split(':').All(f => !File.Exists(Path.Combine(f, shell))), $"{shell} is not installed");
        var folder = Directory.CreateTempSubdirectory("nomadstack-completion-").FullName;
        try
        {
            var program = Path.Combine(folder, "nomadstack");
            File.WriteAllText(program, $"#!/bin/sh\nexec dotnet '{typeof(Program).Assembly.Location}' \"$@\"\n");
            File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            using var process = Process.Start(new ProcessStartInfo(shell, ["-c", script])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment = { ["PATH"] = folder + ":" + Environment.GetEnvironmentVariable("PATH"), ["HOME"] = folder },
            })!;
            var error = process.StandardError.ReadToEndAsync();
            var output = await process.StandardOutput.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(30));

            output.ShouldContain(expected, customMessage: await error);
            if (shell != "fish") output.ShouldContain("_nomadstack", customMessage: await error);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
