// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Bundle;
using Nomadstack.Cli;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class BundleCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-bundle-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task AProgramThatWasBuiltAndNotPublishedCannotBeBundled()
    {
        var typed = new Typed();

        (await typed.RunAsync("bundle", "--nomad", "/bin/sh", "-o", Path.Combine(_folder, "out"))).ShouldBe(1);

        typed.Error.ToString().ShouldContain("dotnet publish");
        Directory.EnumerateFiles(_folder).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("--nomad")]
    [InlineData("-o")]
    public async Task WhatIsMissingIsSaid(string option)
    {
        var typed = new Typed();

        (await typed.RunAsync("bundle", option, "/bin/sh")).ShouldBe(2);

        typed.Error.ToString().ShouldContain(option == "-o" ? "--consul FILE" : "-o OUT");
    }

    [Fact]
    public async Task WithoutAnAgentTheBundledProgramRunsAsItIs()
    {
        var self = Path.Combine(_folder, "self");
        File.Copy("/proc/self/exe", self);
        var bundle = Path.Combine(_folder, "bundle");
        await Bundler.WriteAsync(self, [("nomad", "1.9.5", self)], bundle, _ => { }, default);
        var typed = new Typed { Self = bundle };

        (await typed.RunAsync("--data-dir", Path.Combine(_folder, "data"), "nomad", "version")).ShouldBe(42);

        typed.Became!.Program.ShouldStartWith(Path.Combine(_folder, "data", "bundle"));
        typed.Became.Arguments.ShouldBe(["version"]);
        typed.Became.Variables.ShouldBeEmpty();
        var consul = new Typed { Self = bundle };
        (await consul.RunAsync("--data-dir", Path.Combine(_folder, "data"), "consul", "version")).ShouldBe(5);
    }

    /// <summary>Here the process is called as the test host is; through a link it may have the name of one of our own commands.</summary>
    [Fact]
    public async Task TheProgramHasItsOwnNameHoweverItIsCalled()
    {
        var typed = new Typed();

        (await typed.RunAsync("--help")).ShouldBe(0);

        typed.Out.ToString().ShouldContain("nomadstack [command]");
    }

    [Theory]
    [InlineData("/usr/local/bin/nomad", "nomad node status")]
    [InlineData("consul", "consul node status")]
    [InlineData("./nomadstack", "node status")]
    [InlineData("nomadstack-bundle", "node status")]
    public void ALinkNamedAsAProgramMeansThatProgram(string calledAs, string means) =>
        CalledAs.Arguments(calledAs, ["node", "status"]).ShouldBe(means.Split(' '));
}
