// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Nomadstack.Tests.Products;

/// <summary>A real nomad or consul agent on a loopback address, killed with its folder at the end. Failures carry its log.</summary>
internal sealed partial class RealAgent : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _log;

    private RealAgent(Process process, string log)
    {
        _process = process;
        _log = log;
    }

    public bool Exited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    public string Log => File.Exists(_log) ? File.ReadAllText(_log) : "";

    public static bool Has(string product) => Find(product) is not null;

    public static string? Find(string product) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(f => Path.Combine(f, product)).FirstOrDefault(File.Exists);

    /// <summary>Different for each call, so that tests can run side by side; port 0 is no choice, the products advertise their ports.</summary>
    public static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    public static RealAgent Start(string product, string folder, string configuration)
    {
        var file = Path.Combine(folder, "config.json");
        File.WriteAllText(file, configuration);
        var log = Path.Combine(folder, "log");
        var start = new ProcessStartInfo("/bin/sh", ["-c", "exec \"$0\" agent -config \"$1\" >\"$2\" 2>&1", product == "consul" ? "consul" : "nomad", file, log]);
        if (product == "consul") start.ArgumentList[1] = "exec \"$0\" agent -config-file \"$1\" >\"$2\" 2>&1";
        return new(Process.Start(start)!, log);
    }

    public void Signal(int signal) => _ = Kill(_process.Id, signal);

    /// <summary>Waits for a claim about the world to become true.</summary>
    public async Task EventuallyAsync(string claim, Func<Task<bool>> holds, int seconds = 30)
    {
        var clock = Stopwatch.StartNew();
        while (!await holds())
        {
            if (clock.Elapsed > TimeSpan.FromSeconds(seconds) || Exited) throw new TimeoutException($"not in {seconds} s: {claim}\n{Log}");
            await Task.Delay(50);
        }
    }

    public async Task ExitAsync(int seconds = 20)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        await _process.WaitForExitAsync(limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int pid, int signal);
}

/// <summary>A folder of one test, gone afterwards.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("nomadstack-test-").FullName;

    public string Sub(string name) => Directory.CreateDirectory(System.IO.Path.Combine(Path, name)).FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
