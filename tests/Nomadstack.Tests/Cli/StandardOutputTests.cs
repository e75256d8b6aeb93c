// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

/// <summary>Wherever output goes, a command ends by one of its exit codes and never by a signal.</summary>
public sealed class StandardOutputTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("version")]
    [InlineData("--version")]
    [InlineData("version --json")]
    [InlineData("--help")]
    [InlineData("job --help")]
    [InlineData("completion bash")]
    public async Task AnAnswerThatIsLostFailsTheCommandAndSaysWhy(string command)
    {
        var full = await Built.ShellAsync($"$nomadstack {command} >/dev/full", _folder.Path);
        var closed = await Built.ShellAsync($"$nomadstack {command} >&-", _folder.Path);

        full.Code.ShouldBe(1, full.Error);
        full.Error.ShouldContain("error: The answer could not be written to standard output.");
        full.Error.ShouldContain("No space left on device");
        closed.Code.ShouldBe(1, closed.Error);
        closed.Error.ShouldContain("Bad file descriptor");
    }

    [Theory]
    [InlineData("version", 0)]
    [InlineData("--help", 0)]
    [InlineData("status", 5)]
    [InlineData("status --json", 5)]
    [InlineData("token list", 5)]
    [InlineData("job status", 5)]
    [InlineData("wait --for healthy --timeout 1s", 3)]
    [InlineData("no-such-command", 2)]
    public async Task ErrorsThatNobodyCanReadChangeNoExitCode(string command, int code)
    {
        foreach (var where in new[] { "2>/dev/full", "2>&-", "<&- 2>&-" })
            (await Built.ShellAsync($"$nomadstack {command} {where}", _folder.Path)).Code.ShouldBe(code, $"{command} {where}");
    }

    [Theory]
    [InlineData("status", 5)]
    [InlineData("status --json", 5)]
    [InlineData("no-such-command", 2)]
    [InlineData("version", 1)]
    public async Task WithNothingOpenAtAllTheExitCodeIsStillTheRules(string command, int code) =>
        (await Built.ShellAsync($"$nomadstack {command} <&- >&- 2>&-", _folder.Path)).Code.ShouldBe(code);

    [Theory]
    [InlineData("version")]
    [InlineData("--help")]
    [InlineData("completion bash")]
    public async Task AReaderThatHasSeenEnoughIsNoFailure(string command)
    {
        // The reader is gone before the first word.
        var run = await Built.ShellAsync($"cd {_folder.Path} && mkfifo pipe && (: <pipe) & cd {_folder.Path}; while ! [ -p pipe ]; do :; done; exec 3>pipe; wait; $nomadstack {command} >&3; echo code $? >&2", _folder.Path);

        run.Error.ShouldBe("code 0\n");
    }

    [Fact]
    public async Task WhatIsClosedIsNotReplacedByAFileOfOurOwn()
    {
        // Were descriptor 1 free, the first file opened would take it, and the answer would go in there.
        var run = await Built.ShellAsync("$nomadstack version --json >&-", _folder.Path);

        run.Error.ShouldContain("The answer could not be written");
        Directory.EnumerateFileSystemEntries(_folder.Path).ShouldBeEmpty();
    }
}
