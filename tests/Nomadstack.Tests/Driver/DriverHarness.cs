// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Diagnostics;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Nomadstack.Driver;
using Nomadstack.Ground.Protocol;
using Shouldly;

namespace Nomadstack.Tests.Driver;

/// <summary>A driver on a real Kestrel in a folder of its own, with a caller that plays Nomad.</summary>
internal sealed class DriverHarness : IAsyncDisposable
{
    private readonly LoggerFactory _logs;
    private WebApplication? _app;

    private DriverHarness(string folder)
    {
        Folder = folder;
        Host = new(folder);
        Nomad = new(Socket);
        _logs = new LoggerFactory([Log]);
    }

    public string Folder { get; }
    public FakeServerHost Host { get; private set; }
    public NomadCaller Nomad { get; }
    public LogOfErrors Log { get; } = new();
    public DriverServer Server { get; private set; } = null!;
    public string Socket => Path.Combine(Folder, "driver.sock");
    public string Plugin => Path.Combine(Folder, "plugins", "nomadstack");
    public string LifelineFolder => Path.Combine(Folder, "life lines'");

    public static async Task<DriverHarness> StartAsync(bool serve = true)
    {
        var harness = new DriverHarness(Directory.CreateTempSubdirectory("nsdrv").FullName);
        if (serve) await harness.ServeAsync();
        return harness;
    }

    public async Task ServeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => DriverServer.Configure(kestrel, Socket));
        Server = new(Host, Path.Combine(Folder, "plugins"), LifelineFolder, Socket, new("NOMADSTACK_PROCESS", Folder + ":log-keeper"), "0.1.0", TimeProvider.System, _logs);
        Server.AddServices(builder.Services);
        _app = builder.Build();
        Server.Map(_app);
        await _app.StartAsync();
        Server.Start();
    }

    /// <summary>The agent goes and comes back: nothing of the driver's memory remains.</summary>
    public async Task RestartAgentAsync()
    {
        await StopServingAsync();
        Host = Host.AfterARestart(Folder);
        await ServeAsync();
    }

    public async Task StopServingAsync()
    {
        if (_app is null) return;
        await Server.StopAsync();
        await _app.StopAsync();
        await _app.DisposeAsync();
        _app = null;
    }

    /// <summary>Nomad's launch: runs the plugin file and reads its first line.</summary>
    public async Task<(Process Plugin, string Handshake, TimeSpan Took)> LaunchAsync()
    {
        var started = Stopwatch.GetTimestamp();
        var process = Process.Start(new ProcessStartInfo(Plugin) { RedirectStandardOutput = true })!;
        var line = await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(10));
        return (process, line.ShouldNotBeNull(), Stopwatch.GetElapsedTime(started));
    }

    public static TaskConfig Config(string id, string role = "nomad", string stdout = "/dev/null") => new()
    {
        Id = id,
        Name = "server",
        AllocId = id.Split('/')[0],
        JobName = role + "-server",
        StdoutPath = stdout,
        MsgpackDriverConfig = ByteString.CopyFrom([0x82, 0xa4, .. "role"u8, (byte)(0xa0 + role.Length), .. System.Text.Encoding.UTF8.GetBytes(role), 0xa7, .. "version"u8, 0xc0]),
    };

    public async Task<TaskHandle> StartTaskAsync(TaskConfig config) =>
        (await Nomad.UnaryAsync(NomadCaller.Driver + "StartTask", new StartTaskRequest { Task = config }, StartTaskResponse.Parser)).Handle;

    public Task RecoverTaskAsync(TaskHandle handle) =>
        Nomad.UnaryAsync(NomadCaller.Driver + "RecoverTask", new RecoverTaskRequest { Handle = handle }, RecoverTaskResponse.Parser);

    /// <summary>A wait that the driver has begun: a call that was made after it has been answered.</summary>
    public async Task<Task<WaitTaskResponse>> BeginWaitAsync(string id)
    {
        var before = Server.Waits;
        var wait = WaitTaskAsync(id);
        // Sent is not received: a later call may be served first.
        await EventuallyAsync("the wait is open", () => wait.IsCompleted || Server.Waits > before);
        return wait;
    }

    public Task<WaitTaskResponse> WaitTaskAsync(string id) =>
        Nomad.UnaryAsync(NomadCaller.Driver + "WaitTask", new WaitTaskRequest { TaskId = id }, WaitTaskResponse.Parser);

    public Task StopTaskAsync(string id) =>
        Nomad.UnaryAsync(NomadCaller.Driver + "StopTask", new StopTaskRequest { TaskId = id }, StopTaskResponse.Parser);

    public Task DestroyTaskAsync(string id) =>
        Nomad.UnaryAsync(NomadCaller.Driver + "DestroyTask", new DestroyTaskRequest { TaskId = id }, DestroyTaskResponse.Parser);

    public static async Task EventuallyAsync(string what, Func<bool> condition)
    {
        var deadline = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(deadline) > TimeSpan.FromSeconds(30)) throw new TimeoutException(what);
            await Task.Delay(5);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Nomad.Dispose();
        await StopServingAsync();
        _logs.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}

/// <summary>What the driver says went wrong.</summary>
internal sealed class LogOfErrors : ILoggerProvider, ILogger
{
    public ConcurrentQueue<string> Lines { get; } = new();

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel)) Lines.Enqueue($"{logLevel}: {formatter(state, exception)}: {exception?.Message}");
    }

    public void Dispose()
    {
    }
}
