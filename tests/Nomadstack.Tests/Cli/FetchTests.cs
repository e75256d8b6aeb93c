// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Tests.Fetch;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class FetchTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-fetch-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ItSaysWhatIsWhereAndUnderWhichLicence(bool terminal)
    {
        await using var server = await ReleaseServer.StartAsync();
        server.Publish("nomad", "1.9.5", ReleaseServer.Zip(("nomad", "x"u8.ToArray())), Signer.Known);
        var typed = new Typed { Live = terminal };

        (await typed.RunAsync("fetch", "nomad@1.9.5", "--data-dir", _folder, "--from", server.Address, "--key", Signer.Known.KeyIn(_folder), "--json")).ShouldBe(0);

        typed.Error.ToString().ShouldContain("nomad 1.9.5 (BUSL-1.1) is now");
        typed.Error.ToString().Contains("fetch nomad_1.9.5_linux", StringComparison.Ordinal).ShouldBe(terminal, "progress is for a terminal");
        typed.Error.ToString().Contains('\u001b').ShouldBe(terminal);
        typed.Out.ToString().ShouldContain($"\"path\": \"{_folder}/bin/nomad/1.9.5/nomad\"");
    }

    [Fact]
    public async Task CtrlCEndsItAndTheNextCommandGoesOn()
    {
        await using var server = await ReleaseServer.StartAsync();
        server.Publish("nomad", "1.9.5", ReleaseServer.Zip(("nomad", new byte[500_000])), Signer.Known);
        server.StallsAfter = 300_000;
        string[] command = ["fetch", "nomad@1.9.5", "--data-dir", _folder, "--from", server.Address, "--key", Signer.Known.KeyIn(_folder)];
        var typed = new Typed();
        using var interrupt = new CancellationTokenSource();

        var running = typed.RunAsync(interrupt.Token, command);
        await server.Stalled.Task.WaitAsync(TimeSpan.FromSeconds(20));
        // The bytes are on their way: until they are on disk there is nothing to continue.
        await Eventually(() => Directory.Exists(Partial) && Directory.EnumerateFiles(Partial).Any(f => new FileInfo(f).Length > 0));
        await interrupt.CancelAsync();

        (await running).ShouldBe(130);
        typed.Error.ToString().ShouldContain("the same command continues where this one stopped");
        server.StallsAfter = null;
        (await new Typed().RunAsync(command)).ShouldBe(0);
        server.ZipsFrom.Last().ShouldBeGreaterThan(0);
        Directory.Exists(Partial).ShouldBeFalse();
    }

    [Theory]
    [InlineData("terraform", 2, "Name one of consul, nomad, vault, openbao")]
    [InlineData("nomad@newest", 2, "nomad@1.10.5")]
    [InlineData("openbao", 1, "--from")]
    public async Task WhatCannotBeFetchedIsRefusedBeforeAnythingIsAsked(string product, int code, string fix)
    {
        var typed = new Typed();

        (await typed.RunAsync("fetch", product, "--data-dir", _folder)).ShouldBe(code);

        typed.Error.ToString().ShouldContain(fix);
    }

    private string Partial => Path.Combine(_folder, "bin", ".partial");

    private static async Task Eventually(Func<bool> isSo)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!isSo()) await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, deadline.Token);
    }
}
