// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Globalization;
using Nomadstack.Driver;
using Nomadstack.Ground.Protocol;
using Nomadstack.Processes;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Tests.Driver;

public sealed class LifelinesTests(ITestOutputHelper output) : IAsyncLifetime
{
    private DriverHarness _driver = null!;

    public async Task InitializeAsync() => _driver = await DriverHarness.StartAsync();

    public async Task DisposeAsync() => await _driver.DisposeAsync();

    [Fact]
    public async Task ALaunchShakesHandsQuicklyAndStaysSmall()
    {
        for (var i = 0; i < 10; i++)
        {
            var (plugin, handshake, took) = await _driver.LaunchAsync();
            handshake.ShouldBe($"1|2|unix|{_driver.Socket}|grpc");
            var rss = ProcessUsage.Read(plugin.Id)!.Value.RssBytes;
            output.WriteLine($"exec to handshake {took.TotalMilliseconds:F1} ms, {rss / 1024} KB");
            rss.ShouldBeLessThan(3ul * 1024 * 1024);
            await ShutdownAsync();
            await plugin.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(5));
            plugin.ExitCode.ShouldBe(0);
            plugin.Dispose();
        }

        Directory.EnumerateFileSystemEntries(_driver.LifelineFolder).ShouldBeEmpty();
    }

    [Fact]
    public async Task AFolderThatIsSweptAwayIsThereAgainForTheNextLaunch()
    {
        Directory.Delete(_driver.LifelineFolder, recursive: true);
        var clock = Stopwatch.StartNew();
        while (!Directory.Exists(_driver.LifelineFolder) && clock.Elapsed < TimeSpan.FromSeconds(2)) await Task.Delay(20);

        var (plugin, handshake, _) = await _driver.LaunchAsync();

        handshake.ShouldStartWith("1|2|unix|");
        plugin.Kill();
        plugin.Dispose();
    }

    [Fact]
    public async Task ShutdownEndsTheNewestLaunchOnly()
    {
        var (first, _, _) = await _driver.LaunchAsync();
        var (second, _, _) = await _driver.LaunchAsync();

        await ShutdownAsync();
        await second.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(5));
        first.HasExited.ShouldBeFalse();

        await ShutdownAsync();
        await first.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task ShutdownPassesOverALaunchThatDiedAlready()
    {
        var (first, _, _) = await _driver.LaunchAsync();
        var (second, _, _) = await _driver.LaunchAsync();
        second.Kill();
        await second.WaitForExitAsync();

        await ShutdownAsync();

        await first.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task TheAgentsEndIsThePluginsEnd()
    {
        var (plugin, _, _) = await _driver.LaunchAsync();
        await _driver.StopServingAsync();
        await plugin.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task ALaunchWaitsForTheAgent()
    {
        await _driver.StopServingAsync();
        var launch = _driver.LaunchAsync();
        await DriverHarness.EventuallyAsync("the FIFO", () => Directory.EnumerateFileSystemEntries(_driver.LifelineFolder).Any());
        launch.IsCompleted.ShouldBeFalse();

        await _driver.ServeAsync();

        var (plugin, handshake, _) = await launch;
        handshake.ShouldEndWith("|grpc");
        await ShutdownAsync();
        await plugin.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task AFifoOfADeadProcessIsRemoved()
    {
        // Pids end at 4194304.
        var stale = Path.Combine(_driver.LifelineFolder, "99999999");
        using (var mkfifo = Process.Start("mkfifo", [stale])) await mkfifo.WaitForExitAsync();
        await DriverHarness.EventuallyAsync("the stale FIFO to go", () => !Path.Exists(stale));
    }

    [Fact]
    public async Task ATerminalInterruptDoesNotEndThePlugin()
    {
        var (plugin, _, _) = await _driver.LaunchAsync();
        using (var kill = Process.Start("kill", ["-INT", plugin.Id.ToString()])) await kill.WaitForExitAsync();
        // The mask has what whoever runs the tests had ignored besides (proc(5): bit N-1 stands for signal N).
        var ignored = File.ReadLines($"/proc/{plugin.Id}/status").Single(line => line.StartsWith("SigIgn:", StringComparison.Ordinal))["SigIgn:".Length..].Trim();
        (long.Parse(ignored, NumberStyles.HexNumber, CultureInfo.InvariantCulture) & 1L << (Signals.SIGINT - 1)).ShouldNotBe(0);
        plugin.HasExited.ShouldBeFalse();
        await ShutdownAsync();
        await plugin.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public void TheFileIsForItsOwnerAloneAndRewrittenOnlyWhenItChanged()
    {
        File.GetUnixFileMode(_driver.Plugin).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var written = File.GetLastWriteTimeUtc(_driver.Plugin);
        PluginFile.Write(Path.GetDirectoryName(_driver.Plugin)!, _driver.LifelineFolder, _driver.Socket);
        File.GetLastWriteTimeUtc(_driver.Plugin).ShouldBe(written);
        PluginFile.Write(Path.GetDirectoryName(_driver.Plugin)!, "/elsewhere", _driver.Socket);
        File.ReadAllText(_driver.Plugin).ShouldContain("/elsewhere");
        Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(_driver.Plugin)!).Count().ShouldBe(1);
    }

    private Task<Empty> ShutdownAsync() => _driver.Nomad.UnaryAsync("plugin.GRPCController/Shutdown", new Empty(), Empty.Parser);
}
